"""The flow: what comes on the topics goes to the join or the learner of its partition."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from faust.types import TP, StreamT

from processors.wire.log_records import LogRecord
from streams.kafka.reading_progress import Reading, ReadingWatch, end_of_log, lag
from streams.kafka.record_batches import Cursor, Gap, RecordBatch
from streams.observing.logs import bound_contextvars, get_log
from streams.worker.partition_join import PartitionJoin
from streams.worker.partition_learner import PartitionLearner
from streams.worker.whole_steps import Worked
from streams.worker.worker_app import Groundswell

LOG = get_log(__name__)
TICK = 0.25
"""Seconds between looks at the clock: for idle logs, policies and checkpoints that are due."""
COMMIT_SECONDS = 1.0
CONCURRENCY = 8
"""How many batches of a topic stand in line at once, while a step holds as many again at most. Those of one partition
are read as one."""


def add_agents(app: Groundswell) -> None:
    """Connect topics, join and learners."""
    add_join_agents(app)
    add_learning_agent(app)


def add_join_agents(app: Groundswell) -> None:
    """Connect the topics of events with the joins."""
    held = app.partitions

    @app.agent(app.impressions, name="join-impressions", concurrency=CONCURRENCY)
    async def join_impressions(batches: StreamT[RecordBatch]) -> None:
        async for batch in batches:
            async with held.turn(batch, held.join_lock(batch.tp.partition)) as waiting:
                if join := held.joins.get(batch.tp.partition):
                    await _read(app, batch.tp, waiting, join.impressions, join.take_impressions)

    @app.agent(app.feedback, name="join-feedback", concurrency=CONCURRENCY)
    async def join_feedback(batches: StreamT[RecordBatch]) -> None:
        async for batch in batches:
            async with held.turn(batch, held.join_lock(batch.tp.partition)) as waiting:
                if join := held.joins.get(batch.tp.partition):
                    await _read(app, batch.tp, waiting, join.feedback, join.take_feedback)


def add_learning_agent(app: Groundswell) -> None:
    """Connect the topic of interactions with the learners."""
    held = app.partitions

    @app.agent(app.interactions, name="learn", concurrency=CONCURRENCY)
    async def learn(batches: StreamT[RecordBatch]) -> None:
        async for batch in batches:
            async with held.turn(batch, held.learner_lock(batch.tp.partition)) as waiting:
                if learner := held.learners.get(batch.tp.partition):
                    await _read(app, batch.tp, waiting, learner.interactions, learner.take)


async def _read(
    app: Groundswell,
    tp: TP,
    waiting: list[RecordBatch],
    cursor: Cursor,
    take: Callable[[RecordBatch, Worked], Awaitable[int | None]],
) -> None:
    """Hand on what is new of the batches as one, and seek back if something between them was skipped.

    After a death without an error it is handed on in steps (`careful_steps.py`).

    What takes them may say where to read on instead, which is sought as well.

    A failure ends the worker: its state in memory may be ahead of what is durable, and a restart puts that right.
    """
    new: list[LogRecord] = []
    gap: Gap | None = None
    for batch in waiting:
        match cursor.contiguous(batch):
            case RecordBatch() as part:
                new += part.records
            case Gap() as gap:
                break  # what follows comes again after what is sought
    step: Sequence[LogRecord] = new
    try:
        # The cursor is beyond what is handed on, and beyond nothing else: what vouches for it, vouches for that.
        for step in app.careful.steps(tp, new):
            cursor.offset = step[-1].offset + 1
            app.metrics.received.labels(tp.topic).inc(len(step))
            async with app.careful.step(tp, step) as worked:
                with (
                    bound_contextvars(topic=tp.topic, partition=tp.partition),
                    app.metrics.batch_seconds.labels(tp.topic).time(),
                ):
                    again = await take(RecordBatch(tp, step), worked)
            if again is not None:
                await app.consumer.seek(tp, again)
                return
        if gap:
            await _seek_back(app, tp, gap.offset, gap.end)
            cursor.sought(gap)
    except Exception as error:
        offset = step[0].offset if step else cursor.offset
        LOG.exception("a step failed", topic=tp.topic, partition=tp.partition, offset=offset)
        await app.crash(error)
        raise


async def _seek_back(app: Groundswell, tp: TP, offset: int, seen: int) -> None:
    LOG.warning(
        "records were skipped: seeking back", topic=tp.topic, partition=tp.partition, expected=offset, seen=seen
    )
    app.metrics.gaps.labels(tp.topic).inc()
    await app.consumer.seek(tp, offset)


def add_clock(app: Groundswell) -> None:
    """Let time pass for logs that are idle, policies and checkpoints that are due, and commits."""
    held, topics = app.partitions, app.settings.topics
    watches: defaultdict[TP, ReadingWatch] = defaultdict(ReadingWatch)
    to_commit: dict[TP, int] = {}
    committed: dict[TP, int] = {}

    @app.timer(TICK, name="clock")  # type: ignore[untyped-decorator]  # Faust leaves its decorators untyped
    async def tick() -> None:
        app.refusals.let_time_pass()
        if not app.flowing:
            app.liveness.wait()
            return
        app.liveness.begin()
        for partition in list(held.joins):
            async with held.join_lock(partition), app.careful.nothing_else():
                if join := held.joins.get(partition):
                    await _tick_join(partition, join)
        for partition in list(held.learners):
            async with held.learner_lock(partition), app.careful.nothing_else():
                if learner := held.learners.get(partition):
                    await _tick_learner(partition, learner)
        await app.reach_consumer()
        app.liveness.beat()

    @app.timer(COMMIT_SECONDS, name="commits")  # type: ignore[untyped-decorator]  # Faust leaves its decorators untyped
    async def commit() -> None:
        new = {tp: offset for tp, offset in to_commit.items() if offset > committed.get(tp, 0)}
        forgetful = {partition: join for partition, join in held.joins.items() if join.can_forget}
        async with app.careful.nothing_else():
            if not (app.flowing and (new or forgetful)) or not await app.commit_offsets(new or to_commit):
                return
        committed.update(new)
        for partition, join in forgetful.items():
            if held.joins.get(partition) is join:
                join.forget()

    async def _tick_join(partition: int, join: PartitionJoin) -> None:
        cursors = {topics.impressions: join.impressions, topics.feedback: join.feedback}
        caught_up = [topic for topic, cursor in cursors.items() if await _is_caught_up(TP(topic, partition), cursor)]
        await join.let_time_pass(time.monotonic(), caught_up)
        to_commit.update({TP(topic, partition): cursor.offset for topic, cursor in cursors.items()})

    async def _tick_learner(partition: int, learner: PartitionLearner) -> None:
        await _is_caught_up(TP(topics.interactions, partition), learner.interactions)
        await learner.let_time_pass(time.monotonic())
        to_commit[TP(topics.interactions, partition)] = learner.durable_offset

    async def _is_caught_up(tp: TP, cursor: Cursor) -> bool:
        end = await end_of_log(app.consumer, tp, cursor.offset)
        if end is None:
            return False
        # Asked only where it matters: it takes a turn of the thread that reads.
        fetched = cursor.offset if cursor.offset >= end else await app.consumer.position(tp)
        handed_out = app.handed_out.get(tp, 0)
        reading = watches[tp].look(time.monotonic(), cursor.offset, handed_out, fetched or 0, end)
        app.metrics.lag.labels(tp.topic, str(tp.partition)).set(lag(reading, cursor.offset, end))
        if reading is Reading.LOST and not held.waiting(tp):
            await _seek_back(app, tp, cursor.offset, end)
        return reading is Reading.CAUGHT_UP
