"""Which plays are watched for signals that tell the action."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from processors.learners import leaking_signals
from processors.learners.leaking_signals import Leaks
from processors.wire.packed_arrays import packed, packed_rows
from processors.wire.plain_state import MalformedError

LATE = leaking_signals.FIRST + 1
"""The number of a play that is watched only where something is undecided."""
CLICK, PLAY = range(2)


def judged(by_person: float, deviation: float, *, by_action: float = 0.1, may_be_left_out: bool = True) -> Leaks:
    """Return what is known after a decision, of an honest click and of a play, in shares of the variance of each."""
    leaks = leaking_signals.nothing_known()
    sums, found = leaks[0], leaks[3]
    sums[0, CLICK] = [1_000, 10_000, 1_000, 20, 100, 10**2]
    sums[0, PLAY] = [5_000, 10_000, 1_000, 1_000 * by_action, 1_000 * by_person, (1_000 * deviation) ** 2]
    found[CLICK, leaking_signals.MAY_BE_LEFT_OUT] = 1.0
    found[PLAY, leaking_signals.MAY_BE_LEFT_OUT] = may_be_left_out
    leaking_signals.decide(leaks)
    return leaks


@pytest.mark.parametrize(
    ("by_person", "deviation", "watched", "left_out", "why"),
    [
        (0.005, 0.003, True, False, "it may add a tenth of what the action tells, or nothing"),
        (0.02, 0.01, True, False, "it seems to add more, and that is not sure"),
        (0.0, 0.003, False, True, "it adds next to nothing, for sure: that was found"),
        (0.05, 0.01, False, False, "it adds more, for sure: honest"),
    ],
)
def test_every_play_is_watched_until_it_is_decided_what_the_person_adds(
    by_person: float, deviation: float, watched: bool, left_out: bool, why: str
) -> None:
    leaks = judged(by_person, deviation)
    assert leaking_signals.is_watched(leaks, LATE) is watched, why
    assert leaking_signals.is_left_out(leaks, PLAY) is left_out, why


def test_nothing_is_undecided_of_what_hardly_tells_the_action_or_is_never_left_out() -> None:
    assert leaking_signals.is_watched(judged(0.005, 0.003), LATE)
    assert not leaking_signals.is_watched(judged(0.005, 0.003, by_action=0.02), LATE)
    assert not leaking_signals.is_watched(judged(0.005, 0.003, may_be_left_out=False), LATE)


def restored(leaks: Leaks, pace: NDArray[np.float64], *, company: bool = True) -> Leaks:
    sums, counts, value_counts, found, _, together = leaks
    return leaking_signals.restored(
        packed(sums),
        packed_rows(counts),
        packed_rows(value_counts),
        packed(found),
        packed(pace),
        packed(together) if company else None,
        "it",
    )


@pytest.mark.parametrize(
    ("alone", "beside", "before", "in_place", "why"),
    [
        (1_000, 0, False, True, "where it does not come, others do in half of the plays: it takes their place"),
        (10, 0, False, False, "too few to tell"),
        (1_000, 200, False, True, "more than half of them it does take the place of"),
        (1_000, 400, False, False, "others come nearly as often beside it"),
        (1_000, 280, False, False, "it may take the place of half of them, or not"),
        (1_000, 280, True, True, "and what was said before stays said"),
        (1_000, 480, True, False, "unless it is surely no longer so"),
    ],
)
def test_what_comes_in_the_place_of_other_feedback_is_told_from_what_comes_beside_it(
    alone: int, beside: int, before: bool, in_place: bool, why: str
) -> None:
    leaks = judged(0.0, 0.003)
    leaks[5][PLAY] = [alone, beside, 2_000, 1_000, before]
    misled = leaking_signals.decide(leaks)
    assert leaking_signals.is_in_place(leaks, PLAY) is in_place, why
    assert misled is (in_place and not before), "only what was learned before that was known is in doubt"


def test_an_honest_signal_takes_nobodys_place_whatever_comes_with_it() -> None:
    leaks = judged(0.05, 0.01)
    leaks[5][PLAY] = [1_000, 0, 2_000, 1_000, 0]
    assert not leaking_signals.decide(leaks)
    assert not leaking_signals.is_in_place(leaks, PLAY)


def test_a_state_goes_on_undecided_and_one_of_before_that_was_kept_waits_for_the_next_decision() -> None:
    leaks = judged(0.005, 0.003)
    assert leaking_signals.is_watched(restored(leaks, leaks[4]), LATE)
    before = restored(leaks, leaks[4][: leaking_signals.BEFORE_UNDECIDED])
    assert not leaking_signals.is_watched(before, LATE)
    leaking_signals.decide(before)
    assert leaking_signals.is_watched(before, LATE)
    with pytest.raises(MalformedError, match="its pace: 2 numbers"):
        restored(leaks, leaks[4][:2])


def test_a_state_of_before_that_was_kept_says_of_nothing_that_it_takes_the_place_of_others() -> None:
    leaks = judged(0.0, 0.003)
    leaks[5][PLAY] = [1_000, 0, 2_000, 1_000, 0]
    leaking_signals.decide(leaks)
    assert leaking_signals.is_in_place(restored(leaks, leaks[4]), PLAY)
    assert not leaking_signals.is_in_place(restored(leaks, leaks[4], company=False), PLAY)
