"""The join of one pair of partitions, from record batches to durable interactions.

Each step admits what came, folds it, writes what came of it, makes durable what waits, and only then lets go of
the input. Steps take turns: the caller holds a lock, since both topics and the clock bring them.

A record that raises where none should, in the fold or when its interaction is written, is set aside as `poison`, and
the step goes on without it. A fold that raised is left halfway, so it is made again from what is durable, and the
stretch folded one by one to find the record. That a record raises is a function of the logs: a restart finds the same.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from groundswell.events import Watermark
from processors.admission.event_records import Admission, Reason, Refusal, poison
from processors.admission.local_times import in_words, zone_hours
from processors.join.config import JoinConfig
from processors.join.entries import (
    BEFORE_TIME,
    ObservedFeedback,
    Outcome,
    Pending,
    ShownImpression,
    Step,
    Stray,
    shown_at,
)
from processors.join.fold import Join
from processors.join.written_interactions import encode_interactions, floor_of, shard_key
from processors.wire.evidence import NO_EVIDENCE
from processors.wire.log_records import LogRecord, as_it_came
from state.join_journal import JoinJournal
from state.segment_table import SegmentStore
from state.spill import Spill
from streams.kafka.record_batches import Cursor, RecordBatch
from streams.kafka.topics import NO_ID, refuse_another
from streams.observing.chosen_indices import ChosenIndices
from streams.observing.clock_gaps import ClockGaps
from streams.observing.context_segments import Segments
from streams.observing.late_by_segment import LateBySegment
from streams.observing.logs import get_log
from streams.observing.looking_on import LookingOn
from streams.observing.metrics import MISPLACED_ORPHAN, Metrics
from streams.settings import Settings, TopicSettings
from streams.worker.first_words import FirstClosing
from streams.worker.idle_logs import IdleLogs
from streams.worker.outputs import Outputs, Place, contract_partition
from streams.worker.whole_steps import WholeSteps, Worked, unannounced

LOG = get_log(__name__)
WINDOWS_PER_WAIT = 8
"""How finely what is pending is cut: a segment lives at most this part of the wait longer than it must."""

T = TypeVar("T")


@dataclass(frozen=True)
class JoinWiring:
    """What every partition's join shares."""

    settings: Settings
    table: SegmentStore
    outputs: Callable[[], Outputs]
    metrics: Metrics
    clock: Callable[[], float] = time.time
    """The wall clock, in seconds."""
    topic_ids: Mapping[str, str] = field(default_factory=dict)
    """The ids of the topics, where they are known."""

    @cached_property
    def admission(self) -> Admission:
        """Admission with what it remembers of actions: once for all partitions."""
        return Admission(self.settings.models, self.settings.max_ahead_ms)

    @cached_property
    def first_closing(self) -> FirstClosing:
        """What is said of the first impression: once for all partitions."""
        return FirstClosing(self.settings.join)

    @cached_property
    def clock_gaps(self) -> ClockGaps:
        """What is seen of the clocks of those that log: once for all partitions."""
        return ClockGaps(self.settings.join, self.clock)

    @cached_property
    def chosen_indices(self) -> ChosenIndices:
        """What is seen of the indices of what was chosen: once for all partitions."""
        return ChosenIndices()

    @cached_property
    def segments(self) -> Mapping[str, Segments]:
        """The segments of each model that has some: the same for all partitions."""
        return {model: Segments(settings) for model, settings in self.settings.segments.items()}


class PartitionJoin:
    """The join of one partition of impressions with the same partition of feedback."""

    def __init__(self, partition: int, wiring: JoinWiring) -> None:
        settings = wiring.settings
        self.partition = partition
        self._topics: TopicSettings = settings.topics
        self._config: JoinConfig = settings.join
        self._outputs = wiring.outputs
        self._metrics = wiring.metrics
        self._clock = wiring.clock
        self._shard_features = {name: model.sharded_by for name, model in settings.models.items()}
        self._admission = wiring.admission
        self._first_closing = wiring.first_closing
        self._clock_gaps = wiring.clock_gaps
        self._chosen_indices = wiring.chosen_indices
        self._table = wiring.table
        self._spill_folder = settings.spill_folder
        ids, topics = wiring.topic_ids, settings.topics
        self._ids = ids.get(topics.impressions, NO_ID), ids.get(topics.feedback, NO_ID)
        self._begin()
        self._late = LateBySegment(wiring.metrics, wiring.segments)
        self._idle = IdleLogs(settings.join.idle, settings.topics.impressions, settings.topics.feedback)
        self._looking_on = LookingOn(wiring.metrics)
        for topic in (topics.impressions, topics.feedback):
            wiring.metrics.dead_letters.labels(topic, Reason.POISON)  # 0, so that the first one is a rise
        self._steps = WholeSteps()

    def _begin(self) -> None:
        """Begin with an empty fold, and a journal of what the table holds now."""
        self._join = Join(self._config, values_aside=self._spill_folder is not None)
        spill = None if self._spill_folder is None else Spill(self._spill_folder)
        window_ms = max(1000, round(self._config.wait * 1000 / WINDOWS_PER_WAIT))
        most_bytes = self._config.max_pending_bytes
        self._journal = JoinJournal(self._table, self.partition, window_ms, spill, self._ids, most_bytes)

    def restore(self) -> None:
        """Fold again what is durable; nothing else comes before. It takes long, and may be in a thread of its own.

        Raises `TopicChangedError` where that is of a topic that is no longer there.
        """
        mark = self._journal.restore(self._join)
        refuse_another(self._topics.impressions, mark.impressions_topic, self._ids[0])
        refuse_another(self._topics.feedback, mark.feedback_topic, self._ids[1])
        self._source_topic = mark.source_topic
        self.impressions = Cursor(mark.impressions_offset)
        self.feedback = Cursor(mark.feedback_offset)
        self._idle.restore(self._join, (mark.impressions_reached_at, mark.feedback_reached_at))
        self._observe()

    async def take_impressions(self, batch: RecordBatch, worked: Worked = unannounced) -> None:
        """Join a stretch of the impressions log."""
        with self._steps:
            admitted = self._admission.impressions(batch.records)
            results = await self._folded(admitted, self._fold_impressions)
            await worked()
            with self._looking_on("first_closing"):
                self._first_closing.impressions_came(admitted)
            with self._looking_on("chosen_indices"):
                self._chosen_indices.came(batch.records, admitted)
            self._idle.records_came(self._join, self._wall_ms())
            await self._settle(results, _refused(batch, admitted))

    async def take_feedback(self, batch: RecordBatch, worked: Worked = unannounced) -> None:
        """Join a stretch of the feedback log."""
        with self._steps:
            admitted = self._admission.feedback(batch.records)
            results = await self._folded(admitted, self._fold_feedback)
            await worked()
            self._idle.records_came(self._join, self._wall_ms())
            await self._settle(results, _refused(batch, admitted))

    def _fold_impressions(self, admitted: Sequence[ShownImpression | Watermark | Refusal]) -> list[Step]:
        if alone := _only(ShownImpression, admitted):
            return [self._join.add_impressions(alone)]
        shown: list[ShownImpression] = []
        results: list[Step] = []
        for one in admitted:
            if isinstance(one, ShownImpression):
                shown.append(one)
            elif isinstance(one, Watermark):
                results += [self._join.add_impressions(shown), self._join.advance(impressions_time=one.watermark)]
                shown = []
        return [*results, self._join.add_impressions(shown)]

    def _fold_feedback(self, admitted: Sequence[ObservedFeedback | Watermark | Refusal]) -> list[Step]:
        if alone := _only(ObservedFeedback, admitted):
            return [self._join.add_feedback(alone)]
        observed: list[ObservedFeedback] = []
        results: list[Step] = []
        for one in admitted:
            if isinstance(one, ObservedFeedback):
                observed.append(one)
            elif isinstance(one, Watermark):
                results += [self._join.add_feedback(observed), self._join.advance(feedback_time=one.watermark)]
                observed = []
        return [*results, self._join.add_feedback(observed)]

    async def _folded(self, admitted: list[Any], fold: Callable[[Sequence[Any]], list[Step]]) -> list[Step]:
        """Fold what was let in, and put a refusal in the place of each that raises."""
        together, place, results = True, 0, list[Step]()
        while True:
            try:
                if together:
                    results = fold(admitted)
                else:
                    results = []
                    for place in range(len(admitted)):
                        results += fold(admitted[place : place + 1])
            except NO_EVIDENCE:
                raise
            except Exception as error:
                LOG.exception("the fold raised, and is made again", partition=self.partition)
                if not together:
                    admitted[place] = poison(error)
                together = not together
            else:
                return results
            await asyncio.to_thread(self._refold)

    def _refold(self) -> None:
        """Make the fold again from what is durable: as it was before this step."""
        self._begin()
        self._journal.restore(self._join)

    async def let_time_pass(self, now: float, caught_up: Container[str]) -> None:
        """Advance logs that have been read to their end for longer than `idle`, at the pace of the clock.

        `now` is in seconds, of a clock that never goes back; `caught_up` names the topics read to their end.
        """
        with self._steps:
            step = self._join.advance(*self._idle.times(self._join, now, self._wall_ms(), caught_up))
            self._idle.advanced(self._join, self._wall_ms())
            if step.outcomes or step.strays:
                await self._settle([step], [])

    def _wall_ms(self) -> int:
        return round(self._clock() * 1000)

    async def _settle(self, steps: list[Step], refused: list[tuple[str, LogRecord, Refusal]]) -> None:
        """Write what came of the steps, then make the rest durable, in the order that is safe."""
        closed = [pending for step in steps for pending in step.closed]
        outputs = self._with_interactions(closed)
        with self._looking_on("join"):
            self._observe_closed(closed)
            for step in steps:
                self._late.strays(step.strays)
        for step in steps:
            self._write_side_outputs(step, outputs)
            for outcome, number in step.outcomes.items():
                self._metrics.join.labels(outcome.value).inc(number)
            self._journal.keep(step.kept, self._join.forgotten_before)
        for topic, record, refusal in refused:
            outputs.dead_letter(Place(topic, self.partition, record.offset), record.key, record.value, refusal)
            self._metrics.dead_letters.labels(topic, refusal.reason).inc()
        await outputs.flush()
        if closed:
            wait_ended = closed[0].effective / 1000 + self._config.wait  # they come in the order of closing
            self._metrics.join_delay.observe(max(0.0, self._clock() - wait_ended))
        await self._journal.mark(self._join, self.impressions.offset, self.feedback.offset, self._idle.reached_at)
        self._observe()

    def _with_interactions(self, closed: list[Pending]) -> Outputs:
        """Return the outputs of a step with its interactions, and what cannot be written set aside."""
        outputs = self._outputs()
        try:
            self._write_interactions(closed, self._floor(closed), outputs)
        except NO_EVIDENCE:
            raise
        except Exception:
            spoilt = dict(self._spoilt(closed))
            if not spoilt:
                raise
        else:
            return outputs
        outputs = self._outputs()
        well = [one for place, one in enumerate(closed) if place not in spoilt]
        self._write_interactions(well, self._floor(closed), outputs)
        for place, error in spoilt.items():
            self._dead_letter(closed[place].impression, poison(error), outputs)
            for feedback in closed[place].feedback:
                self._stray(Stray(feedback, Outcome.FEEDBACK_POISON, None), outputs)
        return outputs

    def _floor(self, closed: list[Pending]) -> int:
        return floor_of(closed, self._join.floor, self.impressions.offset)

    def _spoilt(self, closed: list[Pending]) -> Iterator[tuple[int, Exception]]:
        """Yield the places of those that raise when they are written alone, with what they raise."""
        for place, pending in enumerate(closed):
            try:
                self._write_interactions([pending], 0, self._outputs())
            except NO_EVIDENCE:
                raise
            except Exception as error:
                yield place, error

    def _write_interactions(self, closed: list[Pending], floor: int, outputs: Outputs) -> None:
        for model, some in _by_model(closed).items():
            values = encode_interactions(some, self.partition, floor, self._source_topic)
            # A model may have left the configuration while its impressions were pending.
            feature = self._shard_features.get(model)
            if feature is None:
                outputs.interactions(model, model.encode(), values)
                continue
            for pending, value in zip(some, values, strict=True):
                outputs.interactions(model, shard_key(pending, feature), [value])

    def _observe_closed(self, closed: list[Pending]) -> None:
        self._late.closed(closed)
        self._metrics.feedback_delay.observe_many(
            [
                (one.occurred_at - since) / 1000
                for pending in closed
                if pending.feedback
                for since in (shown_at(pending),)
                for one in pending.feedback
            ]
        )

    @property
    def can_forget(self) -> bool:
        """Whether there is anything to delete once a commit has been taken."""
        return self._journal.can_forget

    def forget(self) -> None:
        """Delete what is no longer needed. Call it when the broker has taken a commit."""
        self._journal.forget()

    def _write_side_outputs(self, step: Step, outputs: Outputs) -> None:
        for stray in step.strays:
            self._stray(stray, outputs)
        for evicted in step.evicted:
            most, bytes_most = self._config.max_pending, self._config.max_pending_bytes
            limits = f"{most} impressions, or {bytes_most} bytes,"
            why = f"more than {limits} wait: raise join.max_pending or join.max_pending_bytes"
            refusal = Refusal(Reason.EVICTED, why)
            self._dead_letter(evicted.impression, refusal, outputs)
        for late in step.late:
            self._clock_gaps.late(late)
            hours = zone_hours(-self._clock_gaps.behind_ms(late))
            detail = (
                f"its window had closed {late.lateness} ms before it was logged, by the event time of its own log: "
                "send sooner, raise join.wait, or replay the past into topics of its own"
                + ("" if hours is None else f"; or write UTC: it is {in_words(hours)}")
            )
            self._dead_letter(late.impression, Refusal(Reason.LATE_IMPRESSION, detail), outputs)

    def _stray(self, stray: Stray, outputs: Outputs) -> None:
        reason = self._stray_reason(stray)
        self._clock_gaps.stray(stray)
        late_impression = stray.reason is Outcome.FEEDBACK_LATE_IMPRESSION
        outputs.stray(self.partition, stray, Reason.LATE_IMPRESSION if late_impression else reason)
        self._metrics.join.labels(reason).inc()
        if stray.lateness is not None and stray.reason is Outcome.LATE:
            self._metrics.lateness.observe(max(0, stray.lateness) / 1000)

    def _dead_letter(self, impression: ShownImpression, refusal: Refusal, outputs: Outputs) -> None:
        """Set an impression aside that had been let in."""
        place = Place(self._topics.impressions, self.partition, impression.offset)
        outputs.dead_letter(place, impression.id.encode(), bytes(impression.value), refusal)
        self._metrics.dead_letters.labels(place.topic, refusal.reason).inc()

    def _stray_reason(self, stray: Stray) -> str:
        if stray.reason is not Outcome.ORPHAN:
            return stray.reason.value
        key = stray.feedback.impression_id.encode()
        at_home = contract_partition(key, self._topics.event_partitions) == self.partition
        return stray.reason.value if at_home else MISPLACED_ORPHAN

    def _observe(self) -> None:
        partition = str(self.partition)
        self._metrics.pending.labels(partition).set(len(self._join))
        self._metrics.pending_bytes.labels(partition).set(self._join.pending_bytes)
        self._metrics.segment_bytes.labels(partition).set(self._journal.bytes)
        self._metrics.early.labels(partition).set(self._join.early)
        self._metrics.early_bytes.labels(partition).set(self._join.early_bytes)
        if self._join.watermark > BEFORE_TIME:
            self._metrics.watermark.labels(partition).set(self._join.watermark / 1000)


def _refused(batch: RecordBatch, admitted: Sequence[object]) -> list[tuple[str, LogRecord, Refusal]]:
    topic = batch.tp.topic
    if Refusal not in set(map(type, admitted)):
        return []
    return [
        (topic, as_it_came(record), one)
        for record, one in zip(batch.records, admitted, strict=True)
        if isinstance(one, Refusal)
    ]


def _only(kind: type[T], some: Sequence[T | Any]) -> Sequence[T] | None:
    """Return what was let in where all of it is of this kind, as it mostly is."""
    return some if set(map(type, some)) == {kind} else None


def _by_model(closed: list[Pending]) -> Mapping[str, list[Pending]]:
    models = {pending.impression.model for pending in closed}
    if len(models) == 1:
        return {models.pop(): closed}
    groups = defaultdict[str, list[Pending]](list)
    for pending in closed:
        groups[pending.impression.model].append(pending)
    return groups
