"""The join and the learner of one partition between lists: the worker's own code, and only Kafka is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from faust.types import TP

from experiments.bench.pending import PackedSegments
from experiments.bench.workload import LoggedRecord, Record
from streams.kafka.batch_writer import BatchWriter, Headers, KeyAndValue
from streams.kafka.record_batches import RecordBatch
from streams.observing.learning_metrics import LearningMetrics
from streams.observing.metrics import Metrics
from streams.settings import Settings
from streams.worker.outputs import Outputs
from streams.worker.partition_join import JoinWiring, PartitionJoin
from streams.worker.partition_learner import LearningWiring, PartitionLearner


class ForgetfulWriter(BatchWriter):
    """Hands interactions on to the learner and forgets everything else, as one who writes to Kafka may."""

    def __init__(self, interactions: list[tuple[bytes | None, bytes | None]]) -> None:
        self._interactions = interactions

    def extend(self, topic: str, partition: int, records: Iterable[KeyAndValue], headers: Headers = ()) -> None:
        """Keep interactions for the learner."""
        if topic == "interactions":
            self._interactions += records

    async def flush(self) -> None:
        """Return at once: nothing is on the way."""


async def _kept() -> bool:
    """Say that the partition is still ours: there is no group."""
    return True


class WorkerInMemory:
    """The join and the learner of one partition. `settings` leave the topics' names as they are by default."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._written: list[tuple[bytes | None, bytes | None]] = []
        self.metrics = metrics = Metrics()
        self.join = PartitionJoin(0, JoinWiring(settings, PackedSegments(), self._outputs, metrics))
        self.join.restore()
        wiring = LearningWiring(settings, self._outputs, LearningMetrics(metrics), _kept)
        self.learner = PartitionLearner(0, wiring, {}, {})
        self._offsets = dict.fromkeys(("impressions", "feedback", "interactions"), 0)

    def _outputs(self) -> Outputs:
        return Outputs(ForgetfulWriter(self._written), self._settings.topics)

    async def takes(self, shown: Sequence[Record], answers: Sequence[Record]) -> int:
        """Join a stretch of both logs, and learn what came of it; return how many interactions that were."""
        await self.join.take_impressions(self._batch("impressions", shown))
        if answers:
            await self.join.take_feedback(self._batch("feedback", answers))
        self.join.forget()
        interactions = list(self._written)
        self._written.clear()
        if interactions:
            await self.learner.take(self._batch("interactions", interactions))
        return len(interactions)

    async def saves(self) -> None:
        """Write a checkpoint."""
        await self.learner.write_checkpoint()

    def _batch(self, topic: str, records: Sequence[tuple[bytes | None, bytes | None]]) -> RecordBatch:
        first = self._offsets[topic]
        self._offsets[topic] += len(records)
        return RecordBatch(TP(topic, 0), [LoggedRecord(first + n, *one) for n, one in enumerate(records)])
