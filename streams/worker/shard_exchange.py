"""How the shards of a model mix: through the checkpoints that each of them writes.

A shard's checkpoint says what it learned from interactions of its own (`processors/learners/shard_mixing.py`). Every
worker follows all checkpoints, and the learners of sharded models take in what the other partitions' hold. So nothing
is mixed that is not durable, and whoever comes or goes, the newest checkpoints are all there is to know.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

from processors.learners.learner_choice import restored_learner
from processors.learners.shard_learner import ShardLearner
from processors.learners.shard_mixing import Contribution
from processors.models.config import ModelConfig
from processors.wire.plain_state import StateError
from state import learner_checkpoints
from state.learner_checkpoints import CheckpointError, IncompleteError
from streams.kafka.security import connection_arguments
from streams.observing.logs import get_log
from streams.worker.model_worth import checked_worth
from streams.worker.worker_app import Groundswell

LOG = get_log(__name__)
LOOK_SECONDS = 0.5
Shared = TypeVar("Shared")


def add_shard_exchange(app: Groundswell) -> None:
    """Let the shards of this worker take in what others learned, where any model is sharded."""
    if not any(model.sharded_by is not None for model in app.settings.models.values()):
        return

    @app.task  # type: ignore[untyped-decorator]  # Faust leaves its decorators untyped
    async def follow() -> None:
        await ShardExchange(app).run()


class ShardExchange:
    """Follows the checkpoints of all partitions, and hands each learner what the others contributed."""

    def __init__(self, app: Groundswell) -> None:
        self._app = app
        self._models = {name: model for name, model in app.settings.models.items() if model.sharded_by is not None}
        self._newest: defaultdict[int, dict[bytes, bytes | None]] = defaultdict(dict)
        self._contributions: dict[int, dict[str, Contribution]] = {}
        self._worths: dict[int, dict[str, Mapping[str, Any]]] = {}
        topics = app.settings.topics
        self._beliefs = {
            partition: app.belief("checkpoints", topics.checkpoints, partition)
            for partition in range(topics.interaction_partitions)
        }
        self._changed: set[int] = set()
        self._next = 0.0

    async def run(self) -> None:
        """Follow them until the worker stops, from the oldest that is left."""
        topics, arguments = self._app.settings.topics, connection_arguments(self._app.settings.kafka)
        consumer = AIOKafkaConsumer(**arguments, enable_auto_commit=False, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topics.checkpoints, one) for one in range(topics.interaction_partitions)])
            while not self._app.should_stop:
                await self._look(consumer)
        finally:
            await consumer.stop()

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        records = await consumer.getmany(timeout_ms=round(1000 * LOOK_SECONDS))
        for tp, stretch in records.items():
            believes = self._beliefs[tp.partition]
            self._newest[tp.partition].update(
                {record.key: record.value for record in stretch if record.key is not None and believes(record)}
            )
        self._changed.update(tp.partition for tp in records)
        if not self._app.flowing or time.monotonic() < self._next:
            return
        changed, self._changed = sorted(self._changed), set()
        self._contributions |= await asyncio.to_thread(self._read, changed)
        await self._hand_out()
        self._next = time.monotonic() + self._app.settings.learning.checkpoint_seconds

    def _read(self, partitions: list[int]) -> dict[int, dict[str, Contribution]]:
        """Return what the newest whole checkpoints of these partitions contribute to each model."""
        result: dict[int, dict[str, Contribution]] = {}
        for partition in partitions:
            try:
                stored = learner_checkpoints.stored(self._newest[partition])
            except IncompleteError:
                continue  # the rest of it comes
            except CheckpointError as error:
                self._disbelieve("what it contributed before still counts", partition, error)
                continue
            if stored is None:
                result[partition], self._worths[partition] = {}, {}  # deleted: that partition learns anew
            else:
                result[partition] = self._contributed(partition, stored.checkpoint)
                self._worths[partition] = self._worth_told(partition, stored.checkpoint)
        return result

    def _contributed(self, partition: int, checkpoint: learner_checkpoints.Checkpoint) -> dict[str, Contribution]:
        contributed = {}
        for name, model in self._models.items():
            if name in checkpoint.models:
                try:
                    contributed[name] = _contribution(model, checkpoint.models[name])
                except StateError as error:
                    self._disbelieve("not mixed in", partition, error, model=name)
        return contributed

    def _worth_told(self, partition: int, checkpoint: learner_checkpoints.Checkpoint) -> dict[str, Mapping[str, Any]]:
        told = {}
        for name, model in self._models.items():
            if name in checkpoint.worths:
                try:
                    told[name] = checked_worth(model, checkpoint.worths[name])
                except StateError as error:
                    self._disbelieve("what its signals are worth is not mixed in", partition, error, model=name)
        return told

    def _disbelieve(self, says: str, partition: int, why: Exception, **about: str) -> None:
        self._app.learning.disbelieved(self._app.settings.topics.checkpoints)
        LOG.warning(says, partition=partition, why=str(why), **about)

    async def _hand_out(self) -> None:
        """Give it to the learners of this worker, each under its lock."""
        held = self._app.partitions
        for partition in list(held.learners):
            async with held.learner_lock(partition), self._app.careful.nothing_else():
                if learner := held.learners.get(partition):
                    for model in self._models:
                        learner.take_in(model, self._of_others(model, partition, self._contributions))
                        learner.take_worths(model, self._of_others(model, partition, self._worths))

    @staticmethod
    def _of_others(model: str, partition: int, contributions: Mapping[int, Mapping[str, Shared]]) -> list[Shared]:
        return [
            contributed[model]
            for other, contributed in sorted(contributions.items())
            if other != partition and model in contributed
        ]


def _contribution(model: ModelConfig, state: dict[str, object]) -> Contribution:
    learner = restored_learner(model, state)
    assert isinstance(learner, ShardLearner)
    return learner.contribution()
