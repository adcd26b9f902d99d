"""A join that is restored after every step is, at every step, what one that never was is."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from processors.join.config import JoinConfig
from processors.join.entries import ENTRY_BYTES, Deferred, ObservedFeedback, Outcome, Pending, ShownImpression, Step
from processors.join.fold import Join
from state.join_journal import JoinJournal
from tests.unit.join.join_worker import CONFIG, PARTITION, WINDOW, observed, shown
from tests.unit.join.memory_segments import Changelog, MemorySegments

EXAMPLES = (settings.default or settings()).max_examples
FAR_AWAY = 10**6

Stretch = list[ShownImpression] | list[ObservedFeedback] | tuple[int, int]
"""What one step is given: a stretch of a log, or the times to which both have advanced."""


class Pair:
    """Two joins with the same input. One is made anew after every step, from what is durable."""

    def __init__(self, config: JoinConfig, window: int = WINDOW) -> None:
        self.config = config
        self.window = window
        self.changelog: Changelog = {}
        self.lasting = Join(config)
        self.restart()

    def restart(self) -> None:
        self.table, self.restored = MemorySegments(self.changelog), Join(self.config)
        self.journal = JoinJournal(self.table, PARTITION, self.window)
        self.journal.restore(self.restored)

    def step(self, stretch: Stretch, *, forgets: bool = True) -> Step:
        """Take both a step, see that the same came of it, and that a restart changes nothing."""
        step, expected = _fold(self.restored, stretch), _fold(self.lasting, stretch)
        assert _outputs(step) == _outputs(expected)
        self.journal.keep(step.kept, self.restored.forgotten_before)
        asyncio.run(self.journal.mark(self.restored, 0, 0))
        if forgets:
            self.journal.forget()
        self.table.crash(arriving=FAR_AWAY)
        self.restart()
        assert _state(self.restored) == _state(self.lasting)
        return expected


def _fold(join: Join, stretch: Stretch) -> Step:
    if isinstance(stretch, tuple):
        return join.advance(*stretch)
    # The fold writes into what it is given.
    if isinstance(stretch[0], ShownImpression):
        return join.add_impressions([replace(one) for one in stretch])
    return join.add_feedback([replace(one) for one in stretch])


class State(NamedTuple):
    """All of a join that later outputs depend on."""

    known: dict[str, Any]
    early: dict[str, list[tuple[int, int]]]
    numbers: tuple[int | None, ...]


def _state(join: Join) -> State:
    known = {name: (type(one), one) if isinstance(one, int) else _pending(one) for name, one in join._known.items()}
    early = {name: [(one.offset, one.log_time) for one in waiting] for name, waiting in join._early.waiting.items()}
    times = (join.impressions_time, join.feedback_time, join.watermark)
    taken = join.pending_bytes, join.early_bytes
    assert taken == what_waits_takes(join)
    return State(known, early, (len(join), join.floor, join.early, *taken, *times))


def what_waits_takes(join: Join) -> tuple[int, int]:
    """Return the bytes of what is pending and early, counted anew."""
    pending = [one for one in join._known.values() if isinstance(one, Pending)]
    pieces = [piece for one in pending for piece in one.feedback]
    early = [piece for waiting in join._early.waiting.values() for piece in waiting]
    values = sum(len(one.impression.value) for one in pending) + sum(len(piece.value) for piece in pieces)
    return (
        values + ENTRY_BYTES * (len(pending) + len(pieces)),
        sum(ENTRY_BYTES + len(piece.value) for piece in early),
    )


def _pending(one: Pending) -> tuple[object, ...]:
    shown_yet = (one.logged, one.awaits_showing) if isinstance(one, Deferred) else None
    return one.impression.offset, one.effective, shown_yet, [(piece.offset, piece.log_time) for piece in one.feedback]


def _outputs(step: Step) -> tuple[object, ...]:
    strays = sorted((one.feedback.offset, one.reason, one.lateness) for one in step.strays)
    late = [(one.impression.offset, one.lateness) for one in step.late]
    return list(map(_pending, step.closed)), list(map(_pending, step.evicted)), late, strays, step.outcomes


@st.composite
def configs(draw: st.DrawFn) -> JoinConfig:
    """Draw short times, so that ids come again at once, and bounds that are met at once."""
    return JoinConfig(
        wait=0.020,
        grace=draw(st.sampled_from([0, 0.005])),
        backward=draw(st.sampled_from([0, 0.010, 0.030])),
        activation=draw(st.sampled_from([0, 0.015, 0.060])),
        remember=draw(st.sampled_from([0, 0.010, 0.040])),
        max_pending=draw(st.sampled_from([FAR_AWAY, FAR_AWAY, 3])),
        max_pending_bytes=draw(st.sampled_from([10**9, 10**9, 4 * ENTRY_BYTES])),
        max_early=draw(st.sampled_from([FAR_AWAY, FAR_AWAY, 2])),
        max_early_bytes=draw(st.sampled_from([10**9, 10**9, 3 * ENTRY_BYTES])),
    )


@st.composite
def stretches(draw: st.DrawFn) -> list[Stretch]:
    """Draw two logs about few impressions, read in any order, each with a clock of its own and leaps out of order."""
    result: list[Stretch] = []
    clocks, offsets = [1_000, 1_000], [0, 0]
    passing, leaps = st.sampled_from([0, 0, 1, 5, 20, 45]), st.sampled_from([0, 0, 0, -5, -10, -20, -30, -60, 10, 60])
    names, deferred = st.sampled_from("aabc"), st.sampled_from([False, True])
    aheads = st.sampled_from([0, 0, 0, 15])
    signals, feedback_ids = st.sampled_from(["click", "shown"]), st.integers(0, 3)
    for _ in range(draw(st.integers(1, 30))):
        log = draw(st.sampled_from([0, 0, 1, 1, 1, 2]))
        if log == 2:
            clocks = [max(clocks) + draw(passing)] * 2 if draw(st.booleans()) else clocks
            result.append((clocks[0], clocks[1]))
            continue
        stretch: list[Any] = []
        for _ in range(draw(st.integers(1, 3))):
            clocks[log] += draw(passing)
            name, at, offset = draw(names), clocks[log] + draw(leaps), offsets[log]
            offsets[log] += 1
            ahead = draw(aheads)
            if log == 0:
                stretch.append(replace(shown(offset, name, at, deferred=draw(deferred)), ahead=ahead))
            else:
                again = f"again{draw(feedback_ids)}" if draw(st.integers(0, 4)) == 0 else f"f{offset}"
                stretch.append(replace(observed(offset, name, at, draw(signals), again), ahead=ahead))
        result.append(stretch)
    return result


@settings(max_examples=max(400, EXAMPLES), deadline=None)
@given(config=configs(), window=st.sampled_from([1, 7, 50]), all_of_it=stretches(), forgets=st.booleans())
def test_a_restart_changes_nothing(config: JoinConfig, window: int, all_of_it: list[Stretch], forgets: bool) -> None:
    pair = Pair(config, window)
    for stretch in all_of_it:
        pair.step(stretch, forgets=forgets)
    pair.step((FAR_AWAY, FAR_AWAY), forgets=forgets)


@pytest.mark.parametrize("deferred", [False, True])
def test_early_feedback_whose_id_has_just_been_forgotten_still_waits(*, deferred: bool) -> None:
    pair = Pair(CONFIG)
    pair.step([shown(0, "a", 1_000, deferred=deferred)])
    pair.step([observed(0, "a", 1_000, "shown")])
    forgotten = 1_000 + 20 + 5 + 60
    pair.step((forgotten, forgotten))
    pair.step([observed(1, "a", forgotten)])
    (orphan,) = pair.step((FAR_AWAY, FAR_AWAY)).strays
    assert (orphan.feedback.id, orphan.reason) == ("f1", Outcome.ORPHAN)


def test_a_shown_impression_that_is_still_durable_takes_nothing_from_the_next_of_its_id() -> None:
    pair = Pair(CONFIG)
    pair.step([shown(0, "a", 1_000, deferred=True)])
    pair.step([observed(0, "a", 1_000, "shown")])
    forgotten = 1_000 + 20 + 5 + 60
    pair.step((forgotten, forgotten))
    pair.step([observed(1, "a", forgotten + 3)])
    pair.step([shown(1, "a", forgotten + 1)])
    (joined,) = pair.step((FAR_AWAY, FAR_AWAY)).closed
    assert [one.id for one in joined.feedback] == ["f1"]


def test_what_an_unshown_impression_held_is_not_joined_to_the_next_of_its_id() -> None:
    pair = Pair(CONFIG)
    pair.step([shown(0, "a", 1_000, deferred=True)])
    pair.step([observed(0, "a", 1_110)])
    pair.step((1_100, 1_110))
    pair.step([shown(1, "a", 1_105)])
    (joined,) = pair.step((FAR_AWAY, FAR_AWAY)).closed
    assert joined.feedback == ()


def test_feedback_at_the_end_of_a_wait_is_not_joined_to_the_next_impression_of_that_id() -> None:
    pair = Pair(JoinConfig(wait=0.020, grace=0, backward=0.010, activation=0, remember=0.010))
    pair.step([shown(0, "a", 1_000)], forgets=False)
    pair.step([observed(0, "a", 1_020)], forgets=False)
    assert len(pair.step((1_030, 1_030), forgets=False).closed) == 1
    pair.step([shown(1, "a", 1_030)], forgets=False)
    assert not any(one.feedback for one in pair.step((FAR_AWAY, FAR_AWAY)).closed)


def test_early_feedback_that_was_judged_late_is_not_given_up_again() -> None:
    pair = Pair(CONFIG)
    pair.step([observed(0, "a", 1_500)])
    (late,) = pair.step([shown(0, "a", 1_000)]).strays
    assert late.reason is Outcome.LATE
    pair.step((1_400, 1_500))
    assert pair.step((FAR_AWAY, FAR_AWAY)).strays == []


def test_since_when_one_waited_that_was_shown_and_evicted_is_known_after_a_restart() -> None:
    pair = Pair(CONFIG.model_copy(update={"max_pending": 1}))
    pair.step([shown(0, "a", 1_000, deferred=True)])
    pair.step([observed(0, "a", 1_010, "shown")])
    assert [one.impression.id for one in pair.step([shown(1, "b", 1_020)]).evicted] == ["a"]
    (late,) = pair.step([observed(1, "a", 1_050)]).strays
    assert late.lateness == 1_050 - 1_010 - 20


SOON_FORGOTTEN = JoinConfig(wait=0.020, grace=0.005, backward=0.010, remember=0.011)


@pytest.mark.parametrize("feedback_first", [False, True])
def test_feedback_at_the_end_of_a_wait_is_not_joined_again_to_the_next_of_that_id_which_is_late_by_less(
    *, feedback_first: bool
) -> None:
    pair = Pair(SOON_FORGOTTEN)
    one, answer = [shown(0, "a", 1_000)], [observed(0, "a", 1_020)]
    for stretch in (answer, one) if feedback_first else (one, answer):
        pair.step(stretch, forgets=False)
    forgotten = 1_000 + 20 + 5 + 11
    (closed,) = pair.step((forgotten, forgotten), forgets=False).closed
    assert len(closed.feedback) == 1
    pair.step([shown(1, "a", forgotten - 10)], forgets=False)
    (closed,) = pair.step((FAR_AWAY, FAR_AWAY)).closed
    assert closed.feedback == ()


def test_why_feedback_to_a_late_impression_goes_aside_is_known_after_a_restart() -> None:
    pair = Pair(CONFIG)
    pair.step((2_000, 2_000))
    pair.step([observed(0, "a", 1_980)])
    late = pair.step([shown(0, "a", 1_975)])
    assert [(one.impression.offset, one.lateness) for one in late.late] == [(0, 0)]
    (after,) = pair.step([observed(1, "a", 1_981)]).strays
    assert [one.reason for one in (*late.strays, after)] == [Outcome.FEEDBACK_LATE_IMPRESSION] * 2
    assert pair.step((2_000 + 60, 2_000 + 60)).strays == []
    assert pair.restored._known == {}
