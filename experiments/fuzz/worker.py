"""The worker that reads what is fuzzed: models of every kind, small, and partitions between lists."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar

import msgspec
from faust.types import TP

from experiments.bench.pending import PackedSegments
from experiments.bench.workload import LoggedRecord
from experiments.fuzz.target import require
from groundswell.events import Action
from groundswell.policy import Policy, PolicySnapshot
from processors.admission.event_records import Reason
from processors.learners.learner_choice import restored_learner
from state import learner_checkpoints
from state.learner_checkpoints import CHECKPOINT_KEY
from state.segment_table import SegmentStore
from streams.kafka.batch_writer import BatchWriter, Headers, KeyAndValue
from streams.kafka.record_batches import RecordBatch
from streams.observing.learning_metrics import LearningMetrics
from streams.observing.metrics import Metrics, samples
from streams.settings import Settings
from streams.worker.outputs import Outputs
from streams.worker.partition_join import JoinWiring, PartitionJoin
from streams.worker.partition_learner import LearningWiring, PartitionLearner

PAPERS: Final = {"reward": {"rule": "iclr", "alpha": 0.1}}
KINDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "plain": {},
    "crossed": {"context_crosses": True, "value_measures": {"watch": "length"}, "several_signals": "count"},
    "sharded": {"sharded_by": "user"},
    "papers": {"sharded_by": "user", **PAPERS},
    "softmax": {"inverse_kinematics": {"form": "softmax", "start": "uniform"}, **PAPERS},
    "spectral": {
        "reward": {"rule": "two-state", "extreme": "meaning"},
        "inverse_kinematics": {"form": "spectral", "user_feature": "user", "users": 3, "signals": 3},
    },
    "river": {"bandit": {"estimator": {"class": "river.linear_model.LinearRegression"}}, **PAPERS},
    "honest": {},
}
"""One model of each way to learn, and one of which nothing but good interactions come."""
CONTEXTS: Final[Sequence[dict[str, Any]]] = ({"user": "u1"}, {"user": "u2", "age": 1e9, "height": -1e9}, {})
ACTIONS: Final = (Action("a"), Action("b", {"length": 1e9}), Action("c", {"kind": "odd"}))

T = TypeVar("T")


@cache
def settings() -> Settings:
    """Return the settings of the worker."""
    models = {name: {"definitely_negative": ["dislike"], "hash_bits": 8, **kind} for name, kind in KINDS.items()}
    return Settings.model_validate(
        {
            "join": {"wait": 0.1, "activation": 0.1, "grace": 0.02, "backward": 0.03, "remember": 0.1},
            "models": models,
            "segments": {name: {"feature": "country"} for name in KINDS},
            "learning": {"publish_interactions": 2},
        }
    )


_loop: Final = asyncio.new_event_loop()


def run(steps: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine comes to, on the one loop of this process."""
    return _loop.run_until_complete(steps)


class Written(BatchWriter):
    """A writer that remembers what was written to which topic."""

    def __init__(self) -> None:
        self.records: dict[str, list[KeyAndValue]] = {}

    def extend(self, topic: str, partition: int, records: Iterable[KeyAndValue], headers: Headers = ()) -> None:
        """Remember records."""
        self.records.setdefault(topic, []).extend(records)

    async def flush(self) -> None:
        """Return at once: nothing is on the way."""

    def newest(self, topic: str) -> dict[bytes, bytes | None]:
        """Return the newest record of each key of a topic."""
        return {key: value for key, value in self.records.get(topic, ()) if key is not None}


async def _kept() -> bool:
    return True


class Learning:
    """The learners of partition 0, from a checkpoint or from nothing."""

    def __init__(self, checkpoint: Mapping[bytes, bytes | None] | None = None) -> None:
        self.written, self.metrics = Written(), Metrics()
        observed = LearningMetrics(self.metrics, settings().segments)
        wiring = LearningWiring(settings(), lambda: Outputs(self.written, settings().topics), observed, _kept)
        self.learner = PartitionLearner(0, wiring, checkpoint or {}, {})

    def takes(self, values: Sequence[bytes | None]) -> None:
        """Learn from a stretch of the log of interactions."""
        first = self.learner.interactions.offset
        records = [LoggedRecord(first + place, b"", value) for place, value in enumerate(values)]
        found = self.learner.interactions.contiguous(RecordBatch(TP("interactions", 0), records))
        if isinstance(found, RecordBatch):
            run(self.learner.take(found))

    def saves(self) -> None:
        """Write a checkpoint."""
        run(self.learner.write_checkpoint())

    @property
    def states(self) -> dict[str, bytes]:
        """What has been learned, by model, as the bytes of a state."""
        return {name: msgspec.msgpack.encode(one.state()) for name, one in self.learner._learners.items()}

    @property
    def included(self) -> dict[str, int]:
        """How many interactions have been learned, by model."""
        return {name: one.interactions_included for name, one in self.learner._learners.items()}


class Joining:
    """The join of partition 0, from what a table holds or from nothing, and what is learned of it."""

    def __init__(self, table: SegmentStore | None = None) -> None:
        self.written, self.metrics, self.learning = Written(), Metrics(), Learning()
        self._wiring = JoinWiring(
            settings(), table or PackedSegments(), lambda: Outputs(self.written, settings().topics), self.metrics
        )
        self.join = self.restored()

    def restored(self) -> PartitionJoin:
        """Return the join as a worker would find it that starts now."""
        join = PartitionJoin(0, self._wiring)
        join.restore()
        return join

    def takes(self, shown: Sequence[LoggedRecord], answered: Sequence[LoggedRecord]) -> None:
        """Join a stretch of both logs."""
        for topic, records, cursor, take in (
            ("impressions", shown, self.join.impressions, self.join.take_impressions),
            ("feedback", answered, self.join.feedback, self.join.take_feedback),
        ):
            cursor.offset = records[-1].offset + 1 if records else cursor.offset
            run(take(RecordBatch(TP(topic, 0), records)))

    def learns(self) -> int:
        """Learn what was joined; return how many interactions that are."""
        values = [value for _, value in self.written.records.get("interactions", ())]
        if values:
            self.learning.takes(values)
        return len(values)


def check_learned(learning: Learning) -> None:
    """Require of learners that they can be gone on from after a restart, and decided by."""
    for name, learner in learning.learner._learners.items():
        restored_learner(settings().models[name], msgspec.msgpack.decode(learning.states[name]))
        check_decides(learner.snapshot(None))
    learning.saves()
    head = learning.written.newest("checkpoints")
    if head.get(CHECKPOINT_KEY) is not None:
        learner_checkpoints.stored(head)
        again = Learning(head)
        require(again.included == learning.included, f"{again.included} after a restart, {learning.included} before")
    check_metrics(learning.metrics)


def check_decides(snapshot: PolicySnapshot) -> None:
    """Require of a policy that it gives probabilities, whoever comes."""
    for context in CONTEXTS:
        found = Policy(snapshot).probabilities(context, ACTIONS)
        require(math.isclose(math.fsum(found), 1.0), f"probabilities {found} of {context}")
        require(all(0.0 <= one <= 1.0 for one in found), f"probabilities {found} of {context}")
    require(0 <= snapshot.occupancy <= 1, f"occupancy {snapshot.occupancy}")


def check_metrics(metrics: Metrics) -> None:
    """Require that nothing was set aside because it raised, and that nothing failed that only looks on."""
    for labels, value in samples(metrics.dead_letters):
        require(not (value and labels["reason"] == Reason.POISON), f"{value:g} records of {labels['topic']} raised")
    for labels, value in samples(metrics.observing_failures):
        require(not value, f"what only looks on failed: {labels}")
