"""The Faust app of one worker: its topics and table, and what it knows of the partitions that it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from faust.types import TP

from groundswell.chunks import is_chunk
from groundswell.signatures import Kind
from state.learner_checkpoints import CheckpointError, wrong_contents
from state.segment_table import SegmentTable
from streams.kafka.access_rights import changelog_topic
from streams.kafka.batch_writer import BatchWriter
from streams.kafka.compacted_reader import log_ends, read_newest
from streams.kafka.record_batch_app import RecordBatchApp
from streams.kafka.signing import Belief, Signing
from streams.kafka.topic_watch import TopicWatch
from streams.kafka.topics import NO_ID
from streams.observing.conditions import Conditions
from streams.observing.learning_metrics import LearningMetrics
from streams.observing.liveness import Liveness
from streams.observing.logs import get_log
from streams.observing.metrics import Metrics
from streams.observing.refusal_log import RefusalLog
from streams.settings import Settings
from streams.worker.believed_checkpoints import refuse_unsigned
from streams.worker.careful_steps import CarefulSteps
from streams.worker.faust_options import faust_options
from streams.worker.held_partitions import HeldPartitions
from streams.worker.impressions_log import ImpressionsLog
from streams.worker.outputs import Outputs
from streams.worker.partition_join import JoinWiring, PartitionJoin
from streams.worker.partition_learner import LearningWiring, PartitionLearner

LOG = get_log(__name__)


class Groundswell(RecordBatchApp):
    """The Faust app of one worker, with what is known of the partitions it holds."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(
            settings.kafka.group,
            most_unpacked=settings.kafka.max_unpacked_bytes,
            **faust_options(settings),
            **options,
        )
        self.settings = settings
        self.signing = Signing.of(settings.signatures)
        self.signing.require_both()
        self.failure: BaseException | None = None
        """Why the worker ends, where it does not because it was told to."""
        self.metrics = Metrics()
        self.conditions = Conditions(self.metrics)
        self.learning = LearningMetrics(self.metrics, settings.segments, self.conditions, settings.models)
        self.partitions = HeldPartitions()
        self.careful = CarefulSteps(self.commit_offsets, self.committed, self.notes, self.conditions)
        self.liveness = Liveness(settings.http.stuck_seconds)
        self.topic_ids: dict[str, str] = {}
        """The ids that the topics had when the worker started."""
        topics = settings.topics
        self.impressions = self.batched_topic(topics.impressions, topics.event_partitions)
        self.feedback = self.batched_topic(topics.feedback, topics.event_partitions)
        self.interactions = self.batched_topic(topics.interactions, topics.interaction_partitions)
        self.refusals = RefusalLog()
        # One at a time, also where a rebalance abandons a restore in the middle: two folds may be too much for memory.
        self._restoring = ThreadPoolExecutor(1, thread_name_prefix="restore")
        self._table = SegmentTable(self, partitions=topics.event_partitions)
        self.tables.add(self._table)
        self._join_wiring = JoinWiring(settings, self._table, self._outputs, self.metrics, topic_ids=self.topic_ids)
        self.clock_gaps, self.chosen_indices = self._join_wiring.clock_gaps, self._join_wiring.chosen_indices
        self._learning_wiring = LearningWiring(
            settings,
            self._outputs,
            self.learning,
            self.membership.kept,
            self.topic_ids,
            self._newest_checkpoint,
            ImpressionsLog(topics.impressions, self.topic_ids, self._impression_ends, self._impressions_id),
        )
        self.early_tasks: list[Callable[[], Awaitable[None]]] = []
        """What runs from the start on: Faust begins tasks and timers once it has partitions, which may never be."""
        self.on_partitions_revoked.connect(self._let_go)
        self.on_before_shutdown.connect(self._let_go)

    async def on_first_start(self) -> None:
        """Make no folder, as Faust does here: nothing that lasts is kept on this machine."""

    async def on_start(self) -> None:
        """Begin what has not to wait for partitions."""
        await super().on_start()
        for task in self.early_tasks:
            self.add_future(task())

    async def crash(self, reason: BaseException) -> None:
        """End the worker; what fails in the course of it is not the reason."""
        self.failure = self.failure or reason
        await super().crash(reason)

    def _outputs(self) -> Outputs:
        return Outputs(BatchWriter(self.kafka_producer), self.settings.topics, self.refusals, self.signing)

    def belief(self, kind: Kind, topic: str, partition: int) -> Belief:
        """Return what says which records of a partition are believed, and counts those that are not."""
        return self.signing.belief(kind, partition, lambda: self.learning.disbelieved(topic))

    async def take_over(self, assignment: Collection[TP]) -> None:
        """Go on from what was left beside the offsets of partitions, and note that they are held."""
        await self.careful.take_over(assignment, await self.newest_commits(assignment), self.topic_ids)

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        """Commit low-water marks of partitions that were taken over: it replaces what others left beside the offset."""
        return await super().commit_offsets({tp: offset for tp, offset in offsets.items() if tp in self.notes})

    async def known_positions(self, assignment: set[TP]) -> Mapping[TP, int]:
        """Restore the assigned partitions from what is durable, and say where to read on.

        Joins are folded again from the table at each assignment, even those that were never taken away: the
        table is the truth, and another worker may have held a partition without this one noticing.
        """
        topics, held = self.settings.topics, self.partitions
        positions: dict[TP, int] = {}
        held.keep_only(assignment, topics)
        event_partitions = sorted(tp.partition for tp in assignment if tp.topic == topics.impressions)
        self._table.keep_only(event_partitions)
        self._say_disbelieved()
        for partition in event_partitions:
            async with held.join_lock(partition):
                LOG.info("restoring a join", partition=partition)  # it may be the last that is heard of this worker
                join = PartitionJoin(partition, self._join_wiring)
                await asyncio.get_running_loop().run_in_executor(self._restoring, join.restore)
                held.joins[partition] = join
                positions[TP(topics.impressions, partition)] = join.impressions.offset
                positions[TP(topics.feedback, partition)] = join.feedback.offset
                LOG.info(
                    "join restored",
                    partition=partition,
                    impressions=join.impressions.offset,
                    feedback=join.feedback.offset,
                )
        interaction_partitions = sorted(tp.partition for tp in assignment if tp.topic == topics.interactions)
        policies = await self._published_policies() if set(interaction_partitions) - set(held.learners) else {}
        for partition in interaction_partitions:
            async with held.learner_lock(partition):
                if partition not in held.learners:
                    LOG.info("restoring learners", partition=partition)
                    newest = await self._newest_checkpoint(partition)
                    learner = PartitionLearner(partition, self._learning_wiring, newest, policies)
                    await self._refuse_unlearnable(learner)
                    held.learners[partition] = learner
                    LOG.info(
                        "learners restored",
                        partition=partition,
                        offset=learner.interactions.offset,
                        policy_version=learner.policy_versions,
                    )
                positions[TP(topics.interactions, partition)] = held.learners[partition].interactions.offset
        return positions

    def _say_disbelieved(self) -> None:
        """Count what lies on the changelog and no worker can have written there."""
        count, self._table.disbelieved = self._table.disbelieved, 0
        if count:
            topic = changelog_topic(self.settings.kafka)
            self.metrics.disbelieved.labels(topic).inc(count)
            LOG.warning("records that no worker can have written were passed over", topic=topic, count=count)

    async def _refuse_unlearnable(self, learner: PartitionLearner) -> None:
        """Raise `CheckpointError` where what comes next would count as learned already, and nothing be learned."""
        topics, partition = self.settings.topics, learner.partition
        if learner.ledger_partitions:
            ends = await log_ends(self.settings.kafka, topics.impressions, range(topics.event_partitions))
            known = self.topic_ids.get(topics.impressions, NO_ID)
            # One that is away, or another under its name, has other ends.
            if (why := learner.unlearnable(ends, known)) and await self._impressions_id() == known:
                raise CheckpointError(f"partition {partition}: {wrong_contents(why)}")

    async def _impression_ends(self) -> Mapping[int, int]:
        """Return the next offset of each partition of impressions, held or not."""
        topics = self.settings.topics
        partitions = [TP(topics.impressions, partition) for partition in range(topics.event_partitions)]
        return {tp.partition: end for tp, end in (await self.consumer.highwaters(*partitions)).items()}

    async def _impressions_id(self) -> str | None:
        """Return the id that the topic of impressions has now, None where it is away."""
        topic = self.settings.topics.impressions
        watch = TopicWatch(self.settings.kafka, [topic])
        try:
            seen = (await watch.look()).get(topic)
        finally:
            watch.close()
        return None if seen is None else seen.id

    async def _newest_checkpoint(self, partition: int) -> Mapping[bytes, bytes | None]:
        """Return the newest record of each key of a partition of checkpoints that is believed."""
        topic = self.settings.topics.checkpoints
        belief = self.belief("checkpoints", topic, partition)
        newest = await read_newest(self.settings.kafka, topic, partition, belief)
        refuse_unsigned(newest, belief)
        return newest

    async def _published_policies(self) -> dict[bytes, bytes | None]:
        """Return the newest record of each model: a policy, or the manifest of one in chunks."""
        topic = self.settings.topics.policies
        belief = self.belief("policies", topic, 0)
        return await read_newest(
            self.settings.kafka, topic, 0, lambda record: not is_chunk(record.key) and belief(record)
        )

    async def _let_go(self, *_: Any, **__: Any) -> None:
        """Finish what is being done, write last checkpoints, and forget what this worker knew of its partitions."""
        held, topics = self.partitions, self.settings.topics
        for partition in list(held.joins):
            async with held.join_lock(partition):
                del held.joins[partition]
                self.metrics.drop_event_partition(partition)
                self.metrics.drop_lag(topics.impressions, partition)
                self.metrics.drop_lag(topics.feedback, partition)
        for partition in list(held.learners):
            async with held.learner_lock(partition):
                learner = held.learners.pop(partition)
                await learner.write_checkpoint()
                await self.commit_offsets({TP(topics.interactions, partition): learner.durable_offset})
                learner.close()
                self.metrics.drop_lag(topics.interactions, partition)
                LOG.info(
                    "learners let go",
                    partition=partition,
                    offset=learner.durable_offset,
                    policy_version=learner.policy_versions,
                )
        await self.careful.let_go(well=self.failure is None)
