"""The join of one partition: what it writes, in which order, and what it does when the broker does not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from aiokafka import ConsumerRecord

from processors.wire.envelopes import decode_interaction
from streams.kafka.record_batches import Gap, RecordBatch
from streams.kafka.topics import TopicChangedError
from streams.observing.metrics import Metrics
from streams.settings import Settings
from streams.worker.outputs import contract_partition
from streams.worker.partition_join import JoinWiring, PartitionJoin
from streams.worker.whole_steps import UnfinishedStepError
from tests.factories import encode, feedback, impression
from tests.unit.join.memory_segments import Changelog, MemorySegments
from tests.unit.stand_ins import Log, RefusedError, batch, record, worker_settings

T0 = 1_000_000
CLOSES = T0 + 120
PARTITIONS = worker_settings().topics.event_partitions


DAY = 86_400_000


class Joined:
    """A partition's join on stand-ins; `restart` is a worker that was killed and comes back."""

    def __init__(self, partition: int = 0, **join: object) -> None:
        self.ids: dict[str, str] = {}
        self.log, self.metrics, self.changelog = Log(), Metrics(), Changelog()
        self.wall: float | None = None
        self._partition, self._settings = partition, worker_settings(dict(join))
        self.restart()

    def restart(self, settings: Settings | None = None) -> None:
        self._settings = settings or self._settings
        self.table = MemorySegments(self.changelog, self.log.happened)
        self.wiring = JoinWiring(self._settings, self.table, self.log.outputs, self.metrics, self._clock, self.ids)
        self.join = PartitionJoin(self._partition, self.wiring)
        self.join.restore()

    def shows(self, *records: ConsumerRecord) -> None:
        self._take(self.join.impressions.contiguous(batch(records)), self.join.take_impressions)

    def answers(self, *records: ConsumerRecord) -> None:
        self._take(self.join.feedback.contiguous(batch(records)), self.join.take_feedback)

    def time_passes(self, now: float, *caught_up: str) -> None:
        asyncio.run(self.join.let_time_pass(now, caught_up))

    def _clock(self) -> float:
        return time.time() if self.wall is None else self.wall

    def lives_on(self, seconds: int) -> None:
        """Let time pass by both clocks, of which the steady one begins anywhere, with both logs read to their end."""
        for _ in range(4 * seconds):
            self.wall = self._clock() + 0.25
            self.time_passes(self.wall - 500, "impressions", "feedback")

    def interactions(self) -> list[tuple[str, list[str]]]:
        decoded = [decode_interaction(one.value or b"") for one in self.log.of("interactions")]
        return [(one.impression.impression_id, one.signals) for one in decoded]

    def _take(self, new: RecordBatch | Gap | None, take: Callable[[RecordBatch], Awaitable[None]]) -> None:
        assert isinstance(new, RecordBatch)

        async def step() -> None:
            await take(new)

        asyncio.run(step())


def shown(offset: int, impression_id: str, at: int = T0) -> ConsumerRecord:
    return record("impressions", offset, impression_id.encode(), encode(impression(impression_id, at)))


def answer(offset: int, impression_id: str, at: int = T0 + 10, signal: str = "click") -> ConsumerRecord:
    value = encode(feedback(impression_id, at, signal=signal))
    return record("feedback", offset, impression_id.encode(), value)


def end_of(topic: str, offset: int, at: int = CLOSES) -> ConsumerRecord:
    return record(topic, offset, None, encode({"schema_version": 1, "watermark": at}))


def test_outputs_and_segments_are_acknowledged_before_the_mark_and_deletions_wait_for_the_commit() -> None:
    joined = Joined()
    joined.shows(shown(0, "a"), shown(1, "b", T0 + 1_000), record("impressions", 2, b"x", b"junk"))
    joined.answers(answer(0, "a"), answer(1, "b", T0 + 1_010), end_of("feedback", 2, T0 + 10_000))
    assert joined.log.happened == [
        "segment", "written to dead-letter", "acknowledged", "mark", "acknowledged",
        "segment", "written to interactions", "acknowledged", "mark", "acknowledged",
    ]  # fmt: skip
    assert not joined.join.can_forget
    joined.shows(end_of("impressions", 3, T0 + 10_000))
    assert joined.join.can_forget
    assert "deletion" not in joined.log.happened
    joined.join.forget()
    assert joined.log.happened[-1] == "deletion"


def test_what_was_pending_for_a_model_closes_though_it_has_left_the_configuration() -> None:
    joined = Joined()
    joined.shows(shown(0, "a"))
    renamed = worker_settings().model_dump()
    renamed["models"] = {"other": {"definitely_negative": ["dislike"]}}
    joined.restart(Settings.model_validate(renamed))
    joined.answers(end_of("feedback", 0))
    joined.shows(end_of("impressions", 1))
    assert joined.interactions() == [("a", ["none"])]


def test_interactions_lie_where_their_model_belongs_and_say_where_they_came_from() -> None:
    joined = Joined(partition=3)
    joined.shows(record("impressions", 0, b"x", b"junk"), shown(1, "a"), end_of("impressions", 2))
    joined.answers(end_of("feedback", 0))
    (written,) = joined.log.of("interactions")
    source = decode_interaction(written.value or b"").source
    assert (written.key, written.partition) == (b"feed", contract_partition(b"feed", 4))
    assert (source.partition, source.offset, source.floor) == (3, 1, 1)


def test_a_refused_record_is_written_with_its_bytes_and_place_and_the_good_ones_beside_it_are_joined() -> None:
    joined = Joined()
    joined.shows(record("impressions", 0, b"k", b"\x00\xff"), shown(1, "a"), record("impressions", 2, b"k", None))
    joined.answers(record("feedback", 0, b"b", b"{}"))
    refused = joined.log.of("dead-letter")
    assert [(one.key, one.value) for one in refused] == [(b"k", b"\x00\xff"), (b"k", None), (b"b", b"{}")]
    places = [(one.headers["topic"], one.headers["offset"], one.headers["reason"]) for one in refused]
    assert places == [
        (b"impressions", b"0", b"not_json"),
        (b"impressions", b"2", b"empty"),
        (b"feedback", b"0", b"schema"),
    ]
    joined.shows(end_of("impressions", 3))
    joined.answers(end_of("feedback", 1))
    assert joined.interactions() == [("a", ["none"])]


def at_home(prefix: str) -> str:
    """Return an id that lies on partition 0 by the contract."""
    return next(f"{prefix}{n}" for n in range(100) if contract_partition(f"{prefix}{n}".encode(), PARTITIONS) == 0)


def misplaced(prefix: str) -> str:
    return next(f"{prefix}{n}" for n in range(100) if contract_partition(f"{prefix}{n}".encode(), PARTITIONS) != 0)


@pytest.mark.parametrize(
    ("impression_id", "at", "reason", "lateness"),
    [
        ("known", T0 + 130, b"late", b"30"),
        ("known", T0 - 31, b"too_early", b"-131"),
        (at_home("nobody"), T0, b"orphan", None),
        (misplaced("nobody"), T0, b"misplaced_orphan", None),
    ],
)
def test_feedback_that_joins_nothing_is_kept_with_the_reason(
    impression_id: str, at: int, reason: bytes, lateness: bytes | None
) -> None:
    joined = Joined()
    joined.shows(shown(0, "known"), end_of("impressions", 1, T0 + 10_000))
    stray = answer(0, impression_id, at)
    joined.answers(stray, end_of("feedback", 1, T0 + 10_000))
    (written,) = joined.log.of("late-feedback")
    assert (written.key, written.value, written.partition) == (impression_id.encode(), stray.value, 0)
    assert (written.headers["reason"], written.headers.get("lateness_ms")) == (reason, lateness)
    assert joined.metrics.join.labels(reason.decode())._value.get() == 1


def test_late_feedback_is_counted_by_the_segment_of_its_impression() -> None:
    joined = Joined()
    segmented = worker_settings().model_dump()
    segmented["segments"] = {"feed": {"feature": "user"}}
    joined.restart(Settings.model_validate(segmented))
    joined.shows(shown(0, "a"), shown(1, "b"), end_of("impressions", 2, T0 + 10_000))
    joined.answers(answer(0, "a"), end_of("feedback", 1), answer(2, "b", CLOSES + 10))
    counted = joined.metrics.segment_feedback
    assert [counted.labels("feed", "u1", came)._value.get() for came in ("in_time", "late")] == [1, 1]


def test_a_late_impression_is_kept_on_dead_letter_with_its_reason_and_so_is_its_feedback_beside_it() -> None:
    joined = Joined()
    late = shown(1, "late", T0)
    joined.shows(shown(0, "newest", CLOSES), late)
    joined.restart()
    joined.answers(answer(0, "late"), end_of("feedback", 1, T0 + 10_000))
    joined.shows(end_of("impressions", 2, T0 + 10_000))
    assert joined.interactions() == [("newest", ["none"])]
    (aside,) = joined.log.of("dead-letter")
    assert (aside.key, aside.value, aside.headers["offset"]) == (b"late", late.value, b"1")
    (stray,) = joined.log.of("late-feedback")
    assert (aside.headers["reason"], stray.headers["reason"]) == (b"late_impression", b"late_impression")
    counts = [joined.metrics.join.labels(one)._value.get() for one in ("late_impression", "feedback_late_impression")]
    assert counts == [1, 1]
    assert joined.metrics.dead_letters.labels("impressions", "late_impression")._value.get() == 1


@pytest.mark.parametrize(("hours", "zone"), [(5.5, True), (5.2, False)])
def test_a_late_impression_that_is_as_late_as_a_zone_is_told_so(hours: float, *, zone: bool) -> None:
    joined = Joined()
    joined.shows(shown(0, "newest", DAY), shown(1, "late", round(DAY - hours * 3_600_000)))
    (aside,) = joined.log.of("dead-letter")
    assert (b"write UTC: it is about 5.5 h behind, as local time is" in aside.headers["detail"]) == zone


@pytest.mark.parametrize("name", ["late", "early"])
def test_feedback_that_misses_its_impression_by_hours_is_taken_notice_of(name: str) -> None:
    joined = Joined()
    for number in range(30):
        joined.shows(shown(number, f"i{number}", DAY))
        joined.answers(answer(number, f"i{number}", DAY + 400 + (5 if name == "late" else -5) * 3_600_000))
    says = joined.wiring.clock_gaps.says() or ""
    assert says.startswith(f"the event times of {'impressions' if name == 'late' else 'feedback'} are about 5 h behind")


@pytest.mark.parametrize("marker", [False, True])
def test_a_producers_clock_moves_its_log_no_further_than_the_broker_s(*, marker: bool) -> None:
    """But a watermark is a promise, and is taken at its word as far as it is let in."""
    joined = Joined(wait=0.01, grace=0.05)
    joined.shows(shown(0, "a"))
    stamped = [answer(0, "nobody", T0 + 60), end_of("feedback", 0, T0 + 60)][marker]
    joined.answers(replace(stamped, timestamp=T0 + 1))
    assert joined.join._join.feedback_time == (T0 + 60 if marker else T0 + 1)


def test_the_oldest_are_given_up_where_too_many_are_pending() -> None:
    joined = Joined(max_pending=2)
    records = [shown(offset, name, T0 + offset) for offset, name in enumerate("abc")]
    joined.shows(*records)
    assert joined.metrics.dead_letters.labels("impressions", "evicted")._value.get() == 1
    (evicted,) = joined.log.of("dead-letter")
    assert (evicted.value, evicted.headers["reason"], evicted.headers["offset"]) == (records[0].value, b"evicted", b"0")
    joined.restart()
    joined.shows(end_of("impressions", 3, T0 + 1_000))
    joined.answers(end_of("feedback", 0, T0 + 1_000))
    assert joined.interactions() == [("b", ["none"]), ("c", ["none"])]


# -- topics ------------------------------------------------------------------------------------------------------


def closed(joined: Joined, impression_id: str, offset: int, answered_at: int, at: int) -> str:
    """Let an impression be shown, answered and closed; return the topic that its interaction names."""
    joined.shows(shown(offset, impression_id, at), end_of("impressions", offset + 1, at + 1_000))
    joined.answers(answer(answered_at, impression_id, at + 10), end_of("feedback", answered_at + 1, at + 1_000))
    return decode_interaction(joined.log.of("interactions")[-1].value or b"").source.topic


def test_interactions_carry_the_id_of_the_topic_of_impressions_once_it_is_known() -> None:
    joined = Joined()
    assert closed(joined, "a", 0, 0, T0) == ""
    joined.ids = {"impressions": "x", "feedback": "y"}
    joined.restart()
    assert closed(joined, "b", 2, 2, T0 + 5_000) == "x", "the state of an earlier release takes the ids up"
    joined.ids = {}
    joined.restart()
    assert closed(joined, "c", 4, 4, T0 + 10_000) == "x", "a broker that gives none changes nothing"


@pytest.mark.parametrize("topic", ["impressions", "feedback"])
def test_state_of_a_topic_that_was_made_again_is_refused_with_the_command_to_run(topic: str) -> None:
    joined = Joined()
    joined.ids = {"impressions": "x", "feedback": "y"}
    joined.restart()
    closed(joined, "a", 0, 0, T0)
    joined.ids = {**joined.ids, topic: "z"}
    with pytest.raises(TopicChangedError, match=rf"{topic} was deleted and made again \(its id is z.*adopt-topics"):
        joined.restart()


# -- crashes --------------------------------------------------------------------------------------------------


def test_after_a_restart_the_join_goes_on_where_its_mark_says() -> None:
    joined = Joined()
    joined.shows(shown(0, "a"), shown(1, "b", T0 + 50))
    joined.answers(answer(0, "a"), answer(1, "early", T0 + 60))
    joined.restart()
    assert (joined.join.impressions.offset, joined.join.feedback.offset) == (2, 2)
    joined.shows(shown(2, "early", T0 + 60), end_of("impressions", 3, T0 + 1_000))
    joined.answers(end_of("feedback", 2, T0 + 1_000))
    assert joined.interactions() == [("a", ["click"]), ("b", ["none"]), ("early", ["click"])]


def test_after_a_step_that_failed_nothing_vouches_for_it_any_more() -> None:
    joined = Joined()
    joined.shows(shown(0, "a"))
    joined.log.refusing = True
    with pytest.raises(RefusedError):
        joined.shows(record("impressions", 1, b"x", b"junk"), shown(2, "b"))
    joined.log.refusing = False
    with pytest.raises(UnfinishedStepError):
        joined.answers(end_of("feedback", 0, T0 + 10_000))
    with pytest.raises(UnfinishedStepError):
        joined.time_passes(10**6, "impressions", "feedback")
    joined.restart()
    assert (joined.join.impressions.offset, joined.join.feedback.offset) == (1, 0)


def test_a_step_that_was_cancelled_is_not_vouched_for_either() -> None:
    joined = Joined()

    async def cancelled() -> None:
        step = asyncio.ensure_future(joined.join.take_impressions(batch([shown(0, "a")])))
        await asyncio.sleep(0)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step

    asyncio.run(cancelled())
    with pytest.raises(UnfinishedStepError):
        joined.answers(answer(0, "a"))
    joined.restart()
    assert joined.join.impressions.offset == 0


# -- idle logs ------------------------------------------------------------------------------------------------

BOTH = ("impressions", "feedback")


def test_a_log_read_to_its_end_advances_with_the_clock_once_it_has_been_idle() -> None:
    joined = Joined(wait=60)
    joined.shows(shown(0, "a"))
    joined.answers(answer(0, "a"))
    for now, expected in [(100, 0), (104.9, 0), (105, 0), (159, 0), (161, 1)]:
        joined.time_passes(now, *BOTH)
        assert len(joined.interactions()) == expected, f"at {now}"


def test_a_log_that_lags_never_advances_with_the_clock() -> None:
    joined = Joined()
    joined.shows(shown(0, "a"))
    joined.answers(answer(0, "a"))
    for now in range(0, 100, 10):
        joined.time_passes(now, "impressions")
    assert joined.interactions() == []


def test_a_record_that_moves_time_begins_the_idle_time_anew() -> None:
    joined = Joined(wait=60)
    joined.shows(shown(0, "a"))
    for now in range(0, 40, 4):
        joined.time_passes(now, *BOTH)
        joined.answers(answer(now // 4, "nobody", T0 + now))
        joined.shows(shown(1 + now // 4, f"b{now}", T0 + now))
    joined.time_passes(41, *BOTH)
    assert joined.join._join.watermark == T0 + 36


def junk(offset: int) -> ConsumerRecord:
    return record("feedback", offset, b"x", b"junk")


@pytest.mark.parametrize("another", [junk, lambda offset: answer(offset, "nobody", T0)], ids=["refused", "old"])
@pytest.mark.parametrize("seen_as_lag", [False, True])
def test_an_idle_log_is_held_up_neither_by_records_that_are_refused_nor_by_old_ones(
    another: Callable[[int], ConsumerRecord], *, seen_as_lag: bool
) -> None:
    joined = Joined(wait=15)
    joined.shows(shown(0, "a"))
    joined.answers(answer(0, "a"))
    for now in range(16):
        if seen_as_lag:
            joined.time_passes(now - 0.2, "impressions")
        joined.time_passes(now, *BOTH)
        assert joined.interactions() == []
        joined.answers(another(1 + now))
    joined.time_passes(16, *BOTH)
    assert joined.interactions() == [("a", ["click"])]


def test_a_log_that_has_lagged_for_long_is_given_its_idle_time_anew() -> None:
    joined = Joined(wait=15)
    joined.shows(shown(0, "a"))
    joined.answers(answer(0, "a"))
    joined.time_passes(0, *BOTH)
    for now in range(1, 60):
        joined.time_passes(now)
    joined.time_passes(60, *BOTH)
    joined.time_passes(64, *BOTH)
    assert joined.interactions() == []


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("quiet", [0, 170])
@pytest.mark.parametrize("restarts_after", [None, 1, 20])
def test_an_impression_in_a_quiet_log_closes_as_soon_with_a_restart_as_without(
    restarts_after: int | None, quiet: int, *, answered: bool
) -> None:
    joined = Joined(wait=15, grace=5)
    joined.wall = T0 / 1000
    joined.shows(shown(0, "before"))
    if answered:
        joined.answers(answer(0, "before"))
    joined.lives_on(quiet)
    joined.shows(shown(1, "a", T0 + quiet * 1000 + 20))
    joined.lives_on(restarts_after or 0)
    if restarts_after is not None:
        joined.restart()
    joined.lives_on(20 - (restarts_after or 0))
    assert "a" not in dict(joined.interactions())
    joined.lives_on(1)
    assert ("a", ["none"]) in joined.interactions()


def test_a_wall_clock_that_was_wrong_carries_no_log_beyond_the_present() -> None:
    joined = Joined(wait=15)
    joined.wall = 1.0
    joined.shows(shown(0, "a"))
    joined.answers(answer(0, "a"))
    joined.restart()
    joined.wall = T0 / 1000 + 7
    joined.time_passes(0, *BOTH)
    assert joined.join._join.watermark == T0 + 7_000


def test_an_idle_log_of_an_older_builds_mark_begins_its_idle_time_anew() -> None:
    joined = Joined()
    joined.wall = 0.0
    joined.shows(shown(0, "a"))
    joined.answers(answer(0, "a"))
    joined.restart()
    joined.wall = 10**9
    joined.time_passes(0, *BOTH)
    joined.time_passes(4, *BOTH)
    assert joined.interactions() == []
    joined.time_passes(5, *BOTH)
    assert joined.interactions() == [("a", ["click"])]


def test_a_log_in_which_nothing_was_ever_written_goes_by_the_time_of_the_other() -> None:
    joined = Joined()
    joined.shows(shown(0, "a"))
    joined.time_passes(0, *BOTH)
    joined.time_passes(6, *BOTH)
    assert joined.interactions() == [("a", ["none"])]


def test_logs_in_which_nothing_was_written_have_no_time() -> None:
    joined = Joined()
    joined.time_passes(0, *BOTH)
    joined.time_passes(10**6, *BOTH)
    assert joined.log.happened == []


def test_without_idle_only_records_and_watermarks_move_time() -> None:
    joined = Joined(idle=None)
    joined.shows(shown(0, "a"))
    joined.time_passes(0, *BOTH)
    joined.time_passes(10**6, *BOTH)
    assert joined.interactions() == []
