"""Pseudo-outcomes have the mean that is asked for, and never lie below what the sequence counts on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.evaluation.logged_decisions import LoggedDecisions
from processors.evaluation.pseudo_outcomes import pseudo_outcomes
from tests.unit.evaluation.decisions import all_outcomes, drawn

REACHES = st.sampled_from([0.0, 0.5, 2.0, 16.0, 1024.0])


@given(seed=st.integers(0, 1000), reach=REACHES, actions=st.integers(2, 6), difference=st.booleans())
def test_the_mean_over_what_may_be_drawn_is_what_the_contrast_earns(
    seed: int, reach: float, actions: int, difference: bool
) -> None:
    one = drawn(1, actions, seed)
    contrast = one.target - one.other if difference else one.target
    predicted = np.random.default_rng(seed).uniform(-1, 1, (1, actions))
    every = all_outcomes(one.decisions, 0)
    asked = np.repeat(contrast, actions, 0), np.repeat(predicted, actions, 0)
    (outcomes,) = pseudo_outcomes(every, *asked, (reach,))
    mean = float(one.decisions.probabilities[0] @ outcomes)
    assert mean == pytest.approx(float(contrast.sum()) * one.decisions.rewards[0], abs=1e-9)


@given(seed=st.integers(0, 1000), reach=REACHES, least=st.sampled_from([1e-9, 1e-4, 0.05]), difference=st.booleans())
def test_no_outcome_lies_below_what_the_sequence_counts_on_whatever_the_weights_are(
    seed: int, reach: float, least: float, difference: bool
) -> None:
    one = drawn(50, 4, seed, least)
    contrast = one.target - one.other if difference else one.target
    predicted = np.random.default_rng(seed).uniform(-1, 1, contrast.shape)
    outcomes = pseudo_outcomes(one.decisions, contrast, predicted, (reach,))
    assert outcomes.min() >= -reach - np.abs(contrast).sum(axis=1).max() - 1e-9


def test_two_policies_that_do_the_same_do_not_differ_at_all() -> None:
    one = drawn(200, 5, 1)
    assert not pseudo_outcomes(one.decisions, one.target - one.target, np.zeros((200, 5)), (2.0,)).any()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_of_what_is_never_shown_the_worst_is_taken(sign: float) -> None:
    decisions = LoggedDecisions(np.array([1.0]), np.array([0]), np.array([[1.0, 0.0]]), np.ones((1, 2), dtype=np.bool_))
    predicted = np.array([[0.9, 0.9]])
    outcomes = pseudo_outcomes(decisions, sign * np.array([[0.0, 1.0]]), predicted, (16.0,))
    assert outcomes.tolist() == [[-1.0]]


def test_without_the_probabilities_of_the_other_actions_predictions_are_left_aside() -> None:
    """What an action weighs that was not shown is not known, and a centre that hangs on it would bias the mean."""
    one = drawn(100, 3, 2)
    rows, chosen = np.arange(100), one.decisions.chosen
    only = np.full((100, 3), np.nan)
    only[rows, chosen] = one.decisions.propensities
    bare = LoggedDecisions(one.decisions.rewards, chosen, only, one.decisions.offered)
    predicted = np.full((100, 3), 0.4)
    (found,) = pseudo_outcomes(bare, one.target, predicted, (16.0,))
    assert found == pytest.approx(pseudo_outcomes(one.decisions, one.target, predicted, (0.0,))[0])
    weights = one.target[rows, chosen] / one.decisions.propensities
    assert found == pytest.approx(weights * (one.decisions.rewards + 1) - 1)


@pytest.mark.parametrize(
    ("rewards", "probabilities", "what"),
    [
        ([1.5], [[0.5, 0.5]], "not within"),
        ([float("nan")], [[0.5, 0.5]], "not within"),
        ([1.0], [[0.0, 1.0]], "not above 0"),
        ([1.0], [[float("nan"), 1.0]], "not above 0"),
    ],
)
def test_rows_of_which_nothing_right_can_be_made_are_refused(
    rewards: list[float], probabilities: list[list[float]], what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        LoggedDecisions(np.array(rewards), np.array([0]), np.array(probabilities), np.ones((1, 2), dtype=np.bool_))
