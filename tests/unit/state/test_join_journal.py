"""What is durable of a join: what is written when, what is forgotten when, and what a restart makes of it."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from processors.join.entries import MAX_FEEDBACK, Outcome
from processors.join.fold import Join
from processors.join.written_interactions import encode_interaction
from state.join_journal import JoinJournal
from state.segment_table import unpacked
from tests.unit.join.join_worker import CONFIG, END, PARTITION, WINDOW, Emitted, Logs, Worker, observed, shown
from tests.unit.join.memory_segments import Changelog, MemorySegments


def test_the_order_of_writes_is_segments_then_mark_then_deletions() -> None:
    some = Logs([shown(0, "a", 1_000), END], [END])
    worker = Worker({}, some)
    worker.step(0, 2, Emitted())
    worker.step(1, 1, Emitted())
    assert worker.table.happened == ["segment", "acknowledged", "mark", "acknowledged", "mark", "acknowledged"]
    assert worker.journal.can_forget
    worker.journal.forget()
    assert worker.table.happened[6:] == ["deletion"]
    assert not worker.journal.can_forget


def test_nothing_is_forgotten_before_the_new_owner_has_a_mark_of_its_own() -> None:
    changelog: Changelog = {}
    some = Logs([shown(0, "a", 1_000), END], [END])
    first = Worker(changelog, some)
    first.step(0, 1, Emitted())
    second = Worker(changelog, some)
    assert not second.journal.can_forget
    second.journal.forget()
    second.table.crash(arriving=10)
    assert Worker(changelog, some).at == [1, 0]


def test_what_a_worker_wrote_that_had_lost_its_partition_counts_for_nothing_and_goes_with_its_window() -> None:
    changelog: Changelog = {}
    some = Logs([shown(0, "a", 1_000), shown(1, "b", 1_001), END], [END])
    unaware = Worker(changelog, some)
    unaware.step(0, 1, Emitted())
    owner = Worker(changelog, some)
    unaware.step(0, 1, Emitted())
    emitted = Emitted()
    owner.step(0, 2, emitted)
    owner.step(1, 1, emitted)
    assert sorted(emitted.learned) == [0, 1]
    again = Worker(changelog, some)
    assert again.at == [3, 1]
    assert len(again.join) == 0
    again.mark()
    again.journal.forget()
    again.table.crash(arriving=10)
    assert len(changelog) == 1, "nothing is left but the mark"


def test_state_and_deadlines_survive_a_restart() -> None:
    """Faust's own windows forget theirs: faust-streaming/faust#193."""
    changelog: Changelog = {}
    first = Worker(changelog, Logs([shown(0, "a", 1_000), shown(1, "b", 1_010)], [observed(0, "b", 1_005)]))
    first.step(0, 2, Emitted())
    first.step(1, 1, Emitted())
    again = Worker(changelog, first.logs).join
    due = 1_000 + 20 + 5
    assert again.advance(due - 1, due - 1).closed == []
    assert [(one.impression.id, len(one.feedback)) for one in again.advance(due, due).closed] == [("a", 0)]
    assert [(one.impression.id, len(one.feedback)) for one in again.advance(END, END).closed] == [("b", 1)]


def test_a_showing_that_was_too_late_is_so_after_a_restart_however_early_it_was_logged() -> None:
    changelog: Changelog = {}
    too_late, in_time = (observed(n, "a", at, "shown", f"f{at}") for n, at in enumerate((1_019, 1_012)))
    some = Logs([shown(0, "a", 1_000, deferred=True), END], [too_late, in_time, END])
    first = Worker(changelog, some)
    first.step(1, 2, Emitted())
    first.step(0, 1, Emitted())
    emitted = Emitted()
    again = Worker(changelog, some)
    again.step(0, 1, emitted)
    again.step(1, 1, emitted)
    assert emitted.learned == {0: frozenset({"f1012"})}


def test_one_that_was_evicted_does_not_come_back_after_a_restart() -> None:
    changelog: Changelog = {}
    config = CONFIG.model_copy(update={"max_pending": 1})
    table, join = MemorySegments(changelog), Join(config)
    journal = JoinJournal(table, PARTITION, WINDOW)
    journal.restore(join)
    step = join.add_impressions([shown(0, "a", 1_000), shown(1, "b", 1_001)])
    assert [one.impression.id for one in step.evicted] == ["a"]
    journal.keep(step.kept)
    asyncio.run(journal.mark(join, 2, 0))
    restored = Join(config)
    JoinJournal(MemorySegments(changelog), PARTITION, WINDOW).restore(restored)
    assert (len(restored), restored.floor) == (1, 1)
    (stray,) = restored.add_feedback([observed(0, "a", 1_005)]).strays
    assert stray.reason is Outcome.LATE
    assert [one.impression.id for one in restored.advance(END, END).closed] == ["b"]


def test_segments_stay_below_what_a_broker_takes() -> None:
    changelog: Changelog = {}
    early = [observed(offset, "a", 1_000, padding="x" * 4_000) for offset in range(MAX_FEEDBACK + 1)]
    impressions = [shown(offset, name, 1_000, padding="x" * 590_000) for offset, name in enumerate("abc")]
    table, join = MemorySegments(changelog), Join(CONFIG)
    journal = JoinJournal(table, PARTITION, WINDOW)
    journal.restore(join)
    journal.keep(join.add_feedback(early).kept)
    journal.keep(join.add_impressions(impressions).kept)
    asyncio.run(journal.mark(join, 3, len(early)))
    assert max(map(len, changelog.values())) < 1_000_000
    restored = Join(CONFIG)
    JoinJournal(MemorySegments(changelog), PARTITION, WINDOW).restore(restored)
    closed = restored.advance(END, END).closed
    assert [len(one.feedback) for one in closed] == [MAX_FEEDBACK, 0, 0]
    assert max(len(encode_interaction(one, PARTITION, 0)) for one in closed) < 1_000_000


def test_segments_of_what_was_given_up_stay_below_it_too() -> None:
    changelog: Changelog = {}
    table, join, count = MemorySegments(changelog), Join(CONFIG), 200_000
    journal = JoinJournal(table, PARTITION, WINDOW)
    journal.restore(join)
    kept = join.advance(END, END).kept
    random = Random(0)
    offsets = random.sample(range(2**40), count)
    for offset in offsets:
        kept.evicted.add(END, (offset, random.randrange(2**41)))
        kept.spent.add(END, offset)
    journal.keep(kept)
    assert max(len(value) for _, value in table.segments(PARTITION)) < 1_000_000
    segments = [unpacked(*one) for one in table.segments(PARTITION)]
    assert [offset for segment in segments for offset in segment.evicted] == offsets
    assert [offset for segment in segments for offset in segment.spent] == offsets


def shown_in_time(changelog: Changelog) -> Worker:
    """Return a worker that has closed one deferred impression, of which `f0` said when it was shown, and marked it."""
    some = Logs([shown(0, "a", 1_000, deferred=True), 1_041], [observed(0, "a", 1_014, "shown"), 1_041])
    worker = Worker(changelog, some)
    worker.step(0, 2, Emitted())
    worker.step(1, 2, Emitted())
    assert len(worker.join) == 0
    return worker


def test_a_deferred_impression_that_closed_before_the_restart_does_not_close_again() -> None:
    changelog: Changelog = {}
    first = shown_in_time(changelog)
    assert Worker(changelog, first.logs).join.advance(END, END).outcomes == {}


def test_a_deferred_impression_is_known_after_a_restart_for_as_long_as_any_other() -> None:
    changelog: Changelog = {}
    first = shown_in_time(changelog)
    closed_at = 1_014 + 20 + 5
    for now in range(1_041, 1_200):
        first.join.advance(now, now)
        first.mark()
        first.journal.forget()
        first.table.crash(arriving=10)
        again = Worker(changelog, first.logs).join.add_impressions([shown(1, "a", now)])
        assert bool(again.outcomes) == (now < closed_at + 60), f"at {now}"
    assert len(changelog) == 1, "nothing is left but the mark"


@pytest.mark.parametrize("deferred", [True, False])
def test_an_id_that_came_again_after_it_was_forgotten_waits_once_after_a_restart(deferred: bool) -> None:
    changelog: Changelog = {}
    again = [shown(1, "b", 1_090), shown(2, "a", 1_090)]
    logs = Logs([shown(0, "a", 1_000, deferred=deferred), *again], [1_041])
    first = Worker(changelog, logs)
    first.step(0, 1, Emitted())
    first.step(1, 1, Emitted())
    first.step(0, 2, Emitted())
    for join in (first.join, Worker(changelog, logs).join):
        assert (len(join), join.floor) == (2, 1)
        assert [one.impression.offset for one in join.advance(END, END).closed] == [1, 2]
        assert len(join) == 0
