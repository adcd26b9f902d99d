"""IPS, SNIPS and DR against their equations, and what they say of themselves."""

from __future__ import annotations

import numpy as np
import pytest

from processors.evaluation.logged_decisions import LoggedDecisions
from processors.evaluation.predicted_rewards import PredictedRewards
from processors.evaluation.value_estimates import ValueEstimates
from tests.unit.evaluation.decisions import drawn


def test_each_is_its_equation_whatever_the_batches_are() -> None:
    one = drawn(900, 4, 1)
    shown, rows = one.decisions, np.arange(900)
    predicted = np.random.default_rng(2).uniform(-1, 1, one.target.shape)
    estimates = ValueEstimates()
    for begin in range(0, 900, 250):
        some = np.zeros(900, dtype=np.bool_)
        some[begin : begin + 250] = True
        estimates.add(shown.rows(some), one.target[some], predicted[some])
    weights = one.target[rows, shown.chosen] / shown.propensities
    corrected = weights * (shown.rewards - predicted[rows, shown.chosen]) + (one.target * predicted).sum(axis=1)
    assert estimates.ips == pytest.approx(np.mean(weights * shown.rewards))
    assert estimates.snips == pytest.approx(np.sum(weights * shown.rewards) / np.sum(weights))
    assert estimates.dr == pytest.approx(np.mean(corrected))
    assert estimates.effective == pytest.approx(np.sum(weights) ** 2 / np.sum(weights**2))
    assert estimates.largest_weight == pytest.approx(weights.max())


def test_all_three_find_the_value_and_dr_is_the_closest_where_predictions_are_good() -> None:
    errors = []
    for seed in range(30):
        one, estimates = drawn(2_000, 4, seed), ValueEstimates()
        estimates.add(one.decisions, one.target, one.expected)
        found = (estimates.ips, estimates.snips, estimates.dr)
        errors.append([abs((value or 0.0) - one.value) for value in found])
    ips, snips, dr = np.mean(errors, axis=0)
    assert dr < snips < 0.1
    assert dr < ips < 0.1


def test_nothing_is_said_before_anything_was_seen() -> None:
    estimates = ValueEstimates()
    assert (estimates.ips, estimates.snips, estimates.dr, estimates.effective) == (None, None, None, 0.0)
    assert not estimates.misweighted()


def test_what_could_not_be_shown_is_counted_as_far_as_the_log_tells() -> None:
    probabilities = np.array([[1.0, 0.0, 0.0], [0.5, np.nan, np.nan]])
    offered = np.array([[True, True, False], [True, True, True]])
    decisions = LoggedDecisions(np.zeros(2), np.zeros(2, dtype=np.int64), probabilities, offered)
    estimates = ValueEstimates()
    estimates.add(decisions, np.array([[0.25, 0.75, 0.0], [0.25, 0.25, 0.5]]), np.zeros((2, 3)))
    assert estimates.supported == pytest.approx(1 - 0.75 / 2)


@pytest.mark.parametrize(("factor", "wrong"), [(1.0, False), (0.8, True), (1.25, True)])
def test_probabilities_that_are_not_those_acted_by_show_in_the_mean_weight(factor: float, wrong: bool) -> None:
    one, estimates = drawn(20_000, 3, 9), ValueEstimates()
    shown = one.decisions
    logged = LoggedDecisions(shown.rewards, shown.chosen, shown.probabilities * factor, shown.offered)
    estimates.add(logged, np.full((20_000, 3), 1 / 3), np.zeros((20_000, 3)))
    assert estimates.misweighted() == wrong


def test_predictions_rest_on_what_was_learned_before_and_are_those_of_their_action() -> None:
    predictions = PredictedRewards(3)
    actions = np.array([[0, 1, 2]])
    assert predictions.predict(actions).tolist() == [[0.0, 0.0, 0.0]]
    predictions.learn(np.array([0] * 500 + [1] * 500), np.array([1.0] * 500 + [-0.5] * 500))
    joy, dislike, unseen = predictions.predict(actions)[0].tolist()
    assert joy == pytest.approx(1.0, abs=0.05)
    assert dislike == pytest.approx(-0.5, abs=0.05)
    assert unseen == pytest.approx(0.25, abs=0.01)
