"""Intervals that hold at all times, held against vw-estimators and against streams whose truth is known."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from estimators.bandits.cs import Interval

from experiments.papers import off_policy
from experiments.people import logged_streams
from processors.evaluation.confidence_sequence import DIFFERENCE, VALUE, ConfidenceSequence, SequenceState, Span
from processors.evaluation.logged_decisions import Floats, LoggedDecisions
from processors.evaluation.mixture_wealth import log_wealth
from tests.unit.evaluation.decisions import Drawn, drawn


def part(one: LoggedDecisions, begin: int, end: int) -> LoggedDecisions:
    chosen = np.zeros(len(one), dtype=np.bool_)
    chosen[begin:end] = True
    return one.rows(chosen)


def none_predicted(one: Drawn) -> Floats:
    return np.zeros(one.target.shape)


def test_who_has_seen_nothing_has_what_he_began_with_and_knows_nothing() -> None:
    zero = np.zeros(1)
    for rho in (0.5, 1.0, 10.0, 300.0):
        assert log_wealth(zero, zero, rho)[0] == pytest.approx(0.0, abs=1e-9)
    assert ConfidenceSequence(VALUE).interval() == (-1.0, 1.0)
    assert ConfidenceSequence(DIFFERENCE).interval() == (-2.0, 2.0)


def test_wealth_is_the_mean_of_the_bets_over_the_truncated_gamma_density() -> None:
    """By its definition and a sum over a fine grid, and not by its closed form."""
    bets = (np.arange(200_000) + 0.5) / 200_000
    for s, v, rho in ((0.0, 3.0, 1.0), (5.0, 2.0, 1.0), (30.0, 200.0, 10.0)):
        density = (1 - bets) ** (rho - 1) * np.exp(-rho * (1 - bets))
        amounts = np.exp(bets * s + (np.log1p(-bets) + bets) * v)
        expected = float((density * amounts).sum() / density.sum())
        assert log_wealth(np.array([s]), np.array([v]), rho)[0] == pytest.approx(np.log(expected), rel=1e-4)


def test_with_the_settings_of_vw_estimators_the_intervals_are_its() -> None:
    """Where the next outcome is predicted to be no more than the theory allows: vw-estimators does not cut it there.

    The first hundred decisions see to that. They are those of the target, so that no mean is far from 0 later on.
    """
    one, rows = drawn(800, 4, 3), np.arange(800)
    logged, rewards, target = one.decisions.probabilities.copy(), one.decisions.rewards.copy(), one.target.copy()
    logged[:100], target[:100], rewards[:100] = 0.25, 0.25, 0.0
    decisions = LoggedDecisions(rewards, one.decisions.chosen, logged, one.decisions.offered)
    ours = ConfidenceSequence(VALUE, **off_policy.OF_THE_ORACLE)
    low, high = ours.intervals(decisions, target, none_predicted(one))
    oracle, columns = Interval(rmin=-1, rmax=1), (decisions.propensities, rewards, target[rows, decisions.chosen])
    for place, example in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        oracle.add_example(*example)
        if place % 50 == 49:
            assert oracle.get(0.05) == pytest.approx([low[place], high[place]], abs=1e-8)


@pytest.mark.parametrize("span", [VALUE, DIFFERENCE])
def test_a_batch_is_taken_in_as_its_decisions_one_after_another_and_goes_on_from_its_state(span: Span) -> None:
    one = drawn(600, 4, 5)
    contrast = one.target - one.other if span == DIFFERENCE else one.target
    predicted = np.random.default_rng(1).uniform(-0.5, 0.5, contrast.shape)
    whole, cut = ConfidenceSequence(span), ConfidenceSequence(span)
    low, high = whole.intervals(one.decisions, contrast, predicted)
    whole.add(one.decisions, contrast, predicted)
    for begin, end in ((0, 1), (1, 1), (1, 400), (400, 600)):
        cut.add(part(one.decisions, begin, end), contrast[begin:end], predicted[begin:end])
        text = msgspec.json.encode(cut.state())
        cut = ConfidenceSequence(span).restored(msgspec.json.decode(text, type=SequenceState))
        assert cut.interval() == pytest.approx((low[end - 1], high[end - 1]), abs=1e-9)
    assert whole.interval() == pytest.approx(cut.interval(), abs=1e-9)
    assert cut.count == 600


def test_a_state_of_other_reaches_is_refused() -> None:
    state = msgspec.convert(ConfidenceSequence(VALUE, reaches=(1.0,)).state(), SequenceState)
    with pytest.raises(ValueError, match="begin anew"):
        ConfidenceSequence(VALUE).restored(state)


def test_the_other_side_of_a_mirrored_log_is_the_same() -> None:
    one = drawn(500, 3, 7)
    shown = one.decisions
    mirrored = LoggedDecisions(-shown.rewards, shown.chosen, shown.probabilities, shown.offered)
    there, back = ConfidenceSequence(VALUE), ConfidenceSequence(VALUE)
    there.add(shown, one.target, none_predicted(one))
    back.add(mirrored, one.target, none_predicted(one))
    low, high = back.interval()
    assert there.interval() == pytest.approx((-high, -low), abs=1e-9)


def test_what_is_shown_twice_as_often_as_logged_is_contradicted_by_the_bounds() -> None:
    """By wrong probabilities the mean weight is 2, and so is the value of what is always enjoyed, which none can be."""
    one = drawn(4_000, 2, 8)
    shown = one.decisions
    wrong = LoggedDecisions(
        np.ones(4_000), shown.chosen, np.full((4_000, 2), 0.25), np.ones((4_000, 2), dtype=np.bool_)
    )
    sequence = ConfidenceSequence(VALUE)
    sequence.add(wrong, np.full((4_000, 2), 0.5), np.zeros((4_000, 2)))
    assert sequence.interval().contradictory


@pytest.mark.parametrize("setting", sorted(off_policy.COVERAGE))
def test_the_truth_lies_within_at_all_times_of_nearly_all_streams(setting: str, monkeypatch: Any) -> None:
    monkeypatch.setitem(off_policy.STREAMS, "coverage", 20)
    monkeypatch.setattr(off_policy, "LENGTH", 1_000)
    measures = off_policy.run(setting, 11).measures
    assert measures["coverage"] >= 0.9  # 18 of 20: by chance in 92 of 100 at exactly 95%, and these hold nearly always
    assert measures["coverage_difference"] >= 0.9


def test_intervals_of_a_log_with_wrong_probabilities_are_seen_to_miss() -> None:
    """What measures coverage can fail."""
    rng = np.random.default_rng(4)
    stream = logged_streams.stream(logged_streams.ordinary(5, 0.1, rng), 3_000, log="uniform", drift=0.0, rng=rng)
    shown = stream.decisions
    wrong = LoggedDecisions(shown.rewards, shown.chosen, shown.probabilities / 2, shown.offered)
    moved = logged_streams.LoggedStream(
        wrong, stream.candidate, stream.live, stream.values - 0.5, stream.differences - 0.5
    )
    assert off_policy.missed(moved) == (True, True)
