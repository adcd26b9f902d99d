"""What waits no longer is taken out of segments that take too much; a restart makes the same join of what is left."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.join.config import JoinConfig
from processors.join.entries import Deferred, LateSince, Pending
from processors.join.fold import Join
from processors.wire.plain_state import MOST_COUNTED
from state.segment_table import packed, unpacked
from state.thinned_segments import thinned
from tests.unit.join.join_worker import CONFIG, END, PARTITION, Emitted, Logs, Worker, logs, observed, shown
from tests.unit.join.memory_segments import Changelog

LARGE, MANY = 20_000, 40
WAITING = CONFIG.model_copy(update={"max_pending": 3, "max_early": 2})


def noise(seed: int) -> str:
    """Return text that does not pack."""
    return random.Random(seed).randbytes(LARGE).hex()


def state_of(join: Join) -> dict[str, Any]:
    """Return all that a join knows, for as long as it is to know it."""
    known: dict[str, tuple[Any, ...]] = {}
    for name, one in join._known.items():
        if isinstance(one, Pending):
            feedback = [(answer.id, answer.log_time) for answer in one.feedback]
            waits = one.awaits_showing if isinstance(one, Deferred) else None
            known[name] = (one.impression.offset, one.effective, bytes(one.impression.value), feedback, waits)
        elif one > join.forgotten_before:
            known[name] = (int(one), isinstance(one, LateSince))
    return {
        "known": known,
        "early": {name: [one.offset for one in some] for name, some in join._early.waiting.items()},
        "counts": (len(join), join.pending_bytes, join.floor, join.early, join.early_bytes),
        "times": (join.impressions_time, join.feedback_time, join.watermark),
    }


def restored(changelog: Changelog, logs: Logs, config: JoinConfig) -> dict[str, Any]:
    return state_of(Worker(changelog, logs, config).join)


@settings(max_examples=150, deadline=None)
@given(
    logs=logs(),
    turns=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 6), st.booleans(), st.integers(0, 3)), max_size=25),
    max_pending=st.sampled_from([CONFIG.max_pending, 3]),
    max_early=st.sampled_from([CONFIG.max_early, 2]),
    activation=st.sampled_from([CONFIG.activation, 0.2]),
)
def test_a_restart_makes_the_same_of_it_whenever_and_however_far_it_was_thinned(
    logs: Logs, turns: list[tuple[int, int, bool, int]], max_pending: int, max_early: int, activation: float
) -> None:
    config = CONFIG.model_copy(update={"max_pending": max_pending, "max_early": max_early, "activation": activation})
    plain: Changelog = {}
    thin: Changelog = {}
    whole, thin_one = Worker(plain, logs, config), Worker(thin, logs, config, most_bytes=0)
    for topic, count, commit, arrives in turns:
        for worker in (whole, thin_one):
            worker.step(topic, count, Emitted())
            if commit:
                worker.journal.forget()
        assert restored(thin, logs, config) == restored(plain, logs, config)
        if commit and arrives < 3:  # a crash, after some of what was thinned has arrived
            for worker in (whole, thin_one):
                worker.table.crash(arrives)
            whole, thin_one = Worker(plain, logs, config), Worker(thin, logs, config, most_bytes=0)
            assert restored(thin, logs, config) == restored(plain, logs, config)


def test_one_that_was_shown_and_closed_does_not_come_back_where_what_it_held_is_thinned_first() -> None:
    config = CONFIG.model_copy(update={"activation": 0.2})
    some = Logs([shown(0, "a", 1_000, deferred=True), 1_040], [observed(0, "a", 1_005, "shown"), 1_040])
    worker = Worker({}, some, config)
    worker.step(0, 1, Emitted())
    worker.step(1, 2, Emitted())
    worker.step(0, 1, Emitted())
    changelog = worker.table._changelog
    before = restored(changelog, some, config)
    ((key, value),) = [one for one in worker.table.segments(PARTITION) if unpacked(*one).held.offsets]
    changelog[key] = packed(thinned(unpacked(key, value), worker.join))
    assert len(changelog[key]) < len(value)
    assert restored(changelog, some, config) == before == state_of(worker.join)


def flooded(most_bytes: int, config: JoinConfig = WAITING, *, feedback: bool = False) -> tuple[Worker, int]:
    """Return a worker through which large records went that do not pack, and what it keeps of them."""
    impressions: list[Any] = [shown(n, f"i{n}", 1_000, padding=noise(n), deferred=n % 2 == 0) for n in range(MANY)]
    answers: list[Any] = [observed(n, f"o{n}", 1_000, padding=noise(n)[:3_000]) for n in range(4 * MANY)]
    worker = Worker({}, Logs(impressions, answers), config, most_bytes)
    topic, every = (1, answers) if feedback else (0, impressions)
    for _ in range(len(every) // 4 + 8):
        worker.step(topic, 4, Emitted())
        worker.journal.forget()
    worker.mark()
    return worker, sum(len(value) for _, value in worker.table.segments(PARTITION))


@pytest.mark.parametrize("feedback", [False, True], ids=["impressions", "early feedback"])
def test_what_was_evicted_or_given_up_takes_no_more_than_its_name(feedback: bool) -> None:
    whole, before = flooded(MOST_COUNTED, feedback=feedback)
    bounded, after = flooded(0, feedback=feedback)
    waiting = (2 * 3_000) if feedback else (3 * 2 * LARGE)
    assert before > 10 * waiting
    assert after < 2 * waiting + (4 * MANY if feedback else MANY) * 60
    assert bounded.journal.bytes == after
    assert state_of(bounded.join) == state_of(whole.join)


def test_within_the_bound_nothing_is_written_again() -> None:
    _, all_of_it = flooded(MOST_COUNTED)
    worker, kept = flooded(all_of_it)
    assert kept == all_of_it
    assert worker.table.happened.count("segment") <= 2 * MANY
    assert not worker.journal._thinned


def test_what_closed_is_known_by_its_name_alone_until_it_is_forgotten() -> None:
    first, second = (shown(n, f"i{n}", 1_000, padding=noise(n)) for n in range(2))
    some = Logs([first, second, 1_030, first, END], [observed(0, "i0", 1_005), 1_030, END])
    worker = Worker({}, some, CONFIG, most_bytes=0)
    for topic, count in ((0, 2), (1, 2), (0, 1)):
        worker.step(topic, count, Emitted())
    assert worker.journal.bytes < 1_000 < sum(len(value) for _, value in worker.table.segments(PARTITION))
    assert worker.journal.can_forget
    worker.journal.forget()
    worker.mark()
    assert sum(len(value) for _, value in worker.table.segments(PARTITION)) == worker.journal.bytes
    again = Worker(worker.table._changelog, some, CONFIG, most_bytes=0)
    (step,) = again.read(0, 1)
    assert step.outcomes == {"duplicate_impression": 1}
    again.step(0, 1, Emitted())
    again.step(1, 1, Emitted())
    again.journal.forget()
    again.mark()
    assert len(again.table._changelog) == 1, "nothing is left but the mark"
    assert again.journal.bytes == 0


def test_nothing_is_thinned_before_a_commit_has_been_taken() -> None:
    worker = Worker({}, Logs([shown(0, "a", 1_000, padding=noise(0)), END], [END]), CONFIG, most_bytes=0)
    worker.step(0, 1, Emitted())
    (value,) = [value for _, value in worker.table.segments(PARTITION)]
    worker.step(1, 1, Emitted())
    worker.read(0, 1)
    assert [one for _, one in worker.table.segments(PARTITION)] == [value]
