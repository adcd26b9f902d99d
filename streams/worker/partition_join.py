"""The join of one pair of partitions, from record batches to durable interactions.

Each step admits what came, folds it, writes what came of it, makes durable what waits, and only then lets go of
the input. Steps take turns: the caller holds a lock, since both topics and the clock bring them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from processors.admission.event_records import Admission, Reason, Refusal
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
from processors.wire.log_records import LogRecord
from state.journal import JoinJournal
from state.segment_table import SegmentStore
from state.spill import Spill
from streams.kafka.record_batches import Cursor, RecordBatch
from streams.kafka.topics import NO_ID, refuse_another
from streams.observing.context_segments import Segments
from streams.observing.late_by_segment import LateBySegment
from streams.observing.metrics import MISPLACED_ORPHAN, Metrics
from streams.settings import Settings, TopicSettings
from streams.worker.first_words import FirstClosing
from streams.worker.idle_logs import IdleLogs
from streams.worker.outputs import Outputs, Place, contract_partition
from streams.worker.whole_steps import WholeSteps

WINDOWS_PER_WAIT = 8
"""How finely what is pending is cut: a segment lives at most this part of the wait longer than it must."""


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
        self._join = Join(settings.join)
        window_ms = max(1000, round(settings.join.wait * 1000 / WINDOWS_PER_WAIT))
        spill = None if settings.spill_folder is None else Spill(settings.spill_folder)
        ids, topics = wiring.topic_ids, settings.topics
        self._ids = ids.get(topics.impressions, NO_ID), ids.get(topics.feedback, NO_ID)
        self._journal = JoinJournal(wiring.table, partition, window_ms, spill, self._ids)
        self._late = LateBySegment(wiring.metrics, wiring.segments)
        self._idle = IdleLogs(settings.join.idle, settings.topics.impressions, settings.topics.feedback)
        self._steps = WholeSteps()

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

    async def take_impressions(self, batch: RecordBatch) -> None:
        """Join a stretch of the impressions log."""
        shown: list[ShownImpression] = []
        refused: list[tuple[str, LogRecord, Refusal]] = []
        results: list[Step] = []
        with self._steps:
            for record, admitted in zip(batch.records, self._admission.impressions(batch.records), strict=True):
                if isinstance(admitted, ShownImpression):
                    shown.append(admitted)
                elif isinstance(admitted, Refusal):
                    refused.append((batch.tp.topic, record, admitted))
                else:
                    reached = admitted.watermark
                    results += [self._join.add_impressions(shown), self._join.advance(impressions_time=reached)]
                    shown = []
            results.append(self._join.add_impressions(shown))
            self._first_closing.impressions_came(shown)
            self._idle.records_came(self._join, self._wall_ms())
            await self._settle(results, refused)

    async def take_feedback(self, batch: RecordBatch) -> None:
        """Join a stretch of the feedback log."""
        observed: list[ObservedFeedback] = []
        refused: list[tuple[str, LogRecord, Refusal]] = []
        results: list[Step] = []
        with self._steps:
            for record, admitted in zip(batch.records, self._admission.feedback(batch.records), strict=True):
                if isinstance(admitted, ObservedFeedback):
                    observed.append(admitted)
                elif isinstance(admitted, Refusal):
                    refused.append((batch.tp.topic, record, admitted))
                else:
                    reached = admitted.watermark
                    results += [self._join.add_feedback(observed), self._join.advance(feedback_time=reached)]
                    observed = []
            results.append(self._join.add_feedback(observed))
            self._idle.records_came(self._join, self._wall_ms())
            await self._settle(results, refused)

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
        outputs = self._outputs()
        closed = [pending for step in steps for pending in step.closed]
        self._write_interactions(closed, outputs)
        self._late.closed(closed)
        for step in steps:
            self._late.strays(step.strays)
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

    def _write_interactions(self, closed: list[Pending], outputs: Outputs) -> None:
        floor = floor_of(closed, self._join.floor, self.impressions.offset)
        for model, some in _by_model(closed).items():
            values = encode_interactions(some, self.partition, floor, self._source_topic)
            # A model may have left the configuration while its impressions were pending.
            feature = self._shard_features.get(model)
            if feature is None:
                outputs.interactions(model, model.encode(), values)
                continue
            for pending, value in zip(some, values, strict=True):
                outputs.interactions(model, shard_key(pending, feature), [value])
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
            reason = self._stray_reason(stray)
            late_impression = stray.reason is Outcome.FEEDBACK_LATE_IMPRESSION
            outputs.stray(self.partition, stray, Reason.LATE_IMPRESSION if late_impression else reason)
            self._metrics.join.labels(reason).inc()
            if stray.lateness is not None and stray.reason is Outcome.LATE:
                self._metrics.lateness.observe(max(0, stray.lateness) / 1000)
        for evicted in step.evicted:
            impression = evicted.impression
            place = Place(self._topics.impressions, self.partition, impression.offset)
            refusal = Refusal(
                Reason.EVICTED, f"more than {self._config.max_pending} impressions wait: raise join.max_pending"
            )
            outputs.dead_letter(place, impression.id.encode(), bytes(impression.value), refusal)
            self._metrics.dead_letters.labels(place.topic, refusal.reason).inc()
        for late in step.late:
            impression = late.impression
            place = Place(self._topics.impressions, self.partition, impression.offset)
            detail = (
                f"its window had closed {late.lateness} ms before it was logged, by the event time of its own log: "
                "send sooner, raise join.wait, or replay the past into topics of its own"
            )
            refusal = Refusal(Reason.LATE_IMPRESSION, detail)
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
        self._metrics.early.labels(partition).set(self._join.early)
        if self._join.watermark > BEFORE_TIME:
            self._metrics.watermark.labels(partition).set(self._join.watermark / 1000)


def _by_model(closed: list[Pending]) -> Mapping[str, list[Pending]]:
    models = {pending.impression.model for pending in closed}
    if len(models) == 1:
        return {models.pop(): closed}
    groups = defaultdict[str, list[Pending]](list)
    for pending in closed:
        groups[pending.impression.model].append(pending)
    return groups
