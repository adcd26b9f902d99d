"""A month of the join and the learner on a fast clock: does memory end where it stood after the first days?

People, actions, features and signals come and go all the time; feedback comes late, twice, or for impressions that
never were. It is the worker's own code from record batches to checkpoints; only Kafka is missing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
from aiokafka import ConsumerRecord
from faust.types import TP
from rich.progress import track

from experiments.bench_pending import PackedSegments, resident_bytes
from experiments.bench_result import at_most, conclude
from processors.join import JoinConfig
from streams.batch_writer import BatchWriter, Headers
from streams.joining import JoinWiring, PartitionJoin
from streams.learning import LearningWiring, PartitionLearner
from streams.learning_metrics import LearningMetrics
from streams.metrics import Metrics
from streams.outputs import Outputs
from streams.record_batches import RecordBatch
from streams.settings import Settings

DAYS: Final = 30
WARM_UP: Final = 6
"""Days after which memory has to stand still: by then every bounded store is as full as it gets."""
GROWTH_BAR: Final = 1.05
ACTIONS: Final = 11
PEOPLE_A_DAY: Final = 5_000
BEGIN: Final = 1_767_225_600_000
DAY_MS: Final = 86_400_000
STRETCH: Final = 2_000
FEED: Final = "feed"


class SoakWriter(BatchWriter):
    """Hands interactions on to the learner and forgets everything else, as one who writes to Kafka may."""

    def __init__(self, interactions: list[tuple[bytes | None, bytes | None]]) -> None:
        self._interactions = interactions

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """Keep an interaction for the learner."""
        if topic == "interactions":
            self._interactions.append((key, value))

    def extend(self, topic: str, partition: int, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Forget rewards, policies and checkpoints."""

    async def flush(self) -> None:
        """Return at once: nothing is on the way."""


class Month:
    """What apps send: a day's people see a day's actions, described by a day's campaign."""

    def __init__(self, a_day: int, seed: int) -> None:
        self._rng = random.Random(seed)
        self._a_day = a_day
        self._number = 0

    def day(self, day: int) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Yield the impressions and the feedback of one stretch after another."""
        for first in range(0, self._a_day, STRETCH):
            shown, answers = [], []
            for number in range(first, min(first + STRETCH, self._a_day)):
                at = BEGIN + day * DAY_MS + number * DAY_MS // self._a_day
                shown.append(self._impression(day, at))
                answers += self._feedback(at)
                self._number += 1
            yield shown, answers

    def _impression(self, day: int, at: int) -> bytes:
        rng = self._rng
        actions = [
            {"id": f"item-{day}-{item}", "features": {f"campaign-{day}": 1, "length": rng.randrange(600)}}
            for item in rng.sample(range(200), ACTIONS)
        ]
        return msgspec.json.encode(
            {
                "schema_version": 1,
                "impression_id": f"i{self._number}",
                "occurred_at": at,
                "model": FEED,
                "context": {"user": f"u-{day}-{rng.randrange(PEOPLE_A_DAY)}", f"test-{day}": rng.random() < 0.5},
                "actions": actions,
                "chosen": rng.randrange(ACTIONS),
                "propensity": 1 / ACTIONS,
            }
        )

    def _feedback(self, at: int) -> list[bytes]:
        rng = self._rng
        if rng.random() > 0.6:
            return []
        signal = rng.choice(["click", "like", "dislike", f"new-{self._number % 1_000_000}"])
        late = 30 * 3_600_000 if rng.random() < 0.01 else rng.randrange(1_800_000)
        stranger = rng.random() < 0.01
        message = {
            "schema_version": 1,
            "impression_id": f"nobody-{self._number}" if stranger else f"i{self._number}",
            "feedback_id": f"f{self._number}",
            "occurred_at": at + late,
            "signal": signal,
        }
        encoded = msgspec.json.encode(message)
        return [encoded, encoded] if rng.random() < 0.02 else [encoded]


async def _kept() -> bool:
    """Say that the partition is still ours: there is no group."""
    return True


class SoakedWorker:
    """The join and the learner of one partition, between lists."""

    def __init__(self) -> None:
        self._written: list[tuple[bytes | None, bytes | None]] = []
        settings = Settings.model_validate(
            {
                "join": JoinConfig(wait=3_600, grace=60, backward=600, remember=7_200, idle=None),
                "models": {FEED: {"definitely_negative": ["dislike"]}},
                "topics": {"event_partitions": 1, "interaction_partitions": 1},
            }
        )
        self.metrics = Metrics()
        wiring = JoinWiring(settings, PackedSegments(), self._outputs, self.metrics)
        self.join = PartitionJoin(0, wiring)
        self.join.restore()
        self.learner = PartitionLearner(
            0, LearningWiring(settings, self._outputs, LearningMetrics(self.metrics), _kept), {}, {}
        )
        self._offsets = dict.fromkeys(("impressions", "feedback", "interactions"), 0)

    def _outputs(self) -> Outputs:
        return Outputs(SoakWriter(self._written), Settings().topics)

    async def takes(self, shown: list[bytes], answers: list[bytes]) -> None:
        """Join and learn a stretch."""
        await self.join.take_impressions(self._batch("impressions", [(_id(one), one) for one in shown]))
        if answers:
            await self.join.take_feedback(self._batch("feedback", [(_id(one), one) for one in answers]))
        self.join.forget()
        if self._written:
            interactions = list(self._written)
            self._written.clear()
            await self.learner.take(self._batch("interactions", interactions))

    async def saves(self) -> None:
        """Write a checkpoint."""
        await self.learner.write_checkpoint()

    def _batch(self, topic: str, records: list[tuple[bytes | None, bytes | None]]) -> RecordBatch:
        first = self._offsets[topic]
        self._offsets[topic] += len(records)
        # Stamped far ahead: the fast clock is nobody's clock.
        stamp = BEGIN + 2 * DAYS * DAY_MS
        return RecordBatch(
            TP(topic, 0),
            [ConsumerRecord(topic, 0, first + n, stamp, 1, *one, None, -1, -1, ()) for n, one in enumerate(records)],
        )


def bench_soak(out: Path, a_day: int = 20_000, seed: int = 0) -> int:
    """Let a month pass; return 1 if memory has grown since the first days, else 0."""
    month, worker = Month(a_day, seed), SoakedWorker()
    resident: list[int] = []

    async def days() -> None:
        for day in track(range(DAYS), description="days"):
            for shown, answers in month.day(day):
                await worker.takes(shown, answers)
            await worker.saves()
            resident.append(resident_bytes())

    asyncio.run(days())
    # What is free but not given back comes and goes by a tenth from day to day.
    settled, end = median(resident[WARM_UP : WARM_UP + 10]), median(resident[-10:])
    rows: dict[str, dict[str, Any]] = {
        f"day {day + 1}": {"resident_MB": resident[day] / 1e6} for day in (0, WARM_UP - 1, DAYS // 2, DAYS - 1)
    }
    bar = at_most("memory of the last ten days, of that of days 7 to 16", GROWTH_BAR, end / settled)
    return conclude(
        out, f"{DAYS} days of {a_day:,} impressions", rows, [bar], bench="soak", seed=seed, resident=resident
    )


def _id(message: bytes) -> bytes:
    return msgspec.json.decode(message, type=_Named).impression_id.encode()


class _Named(msgspec.Struct):
    impression_id: str
