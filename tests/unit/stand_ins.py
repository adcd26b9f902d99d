"""Stand-ins for what surrounds a partition: records as a poll brings them, and a writer that remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aiokafka import ConsumerRecord
from faust.types import TP

from processors.join.config import JoinConfig
from streams.kafka.batch_writer import BatchWriter, Headers, KeyAndValue
from streams.kafka.record_batches import RecordBatch
from streams.settings import Settings, TopicSettings
from streams.worker.outputs import Outputs
from tests.factories import MODEL


class Time:
    """A clock that is set by hand."""

    def __init__(self, now: float = 50_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def worker_settings(join: dict[str, Any] | None = None, **learning: Any) -> Settings:
    """Return settings of one model whose join is quick to close."""
    times = {"wait": 0.1, "grace": 0.02, "backward": 0.03, "remember": 0.1, "idle": 5.0, **(join or {})}
    models = {MODEL: {"definitely_negative": ["dislike"], "hash_bits": 10}}
    return Settings.model_validate({"join": JoinConfig(**times), "models": models, "learning": learning})


def record(topic: str, offset: int, key: bytes | None, value: bytes | None, partition: int = 0) -> ConsumerRecord:
    """Return a record as the consumer returns it, stamped long after any event time of the tests."""
    return ConsumerRecord(topic, partition, offset, 2**41, 1, key, value, None, -1, -1, ())


def batch(records: Sequence[ConsumerRecord]) -> RecordBatch:
    """Return records as one batch."""
    return RecordBatch(TP(records[0].topic, records[0].partition), records)


async def always() -> bool:
    """Say that a partition is still this worker's."""
    return True


class Written(NamedTuple):
    """A record as it was written."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


class RefusedError(Exception):
    """What a broker answers that takes nothing."""


class Log:
    """Everything that writers wrote and had acknowledged, and the order in which things happened."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.written: list[Written] = []
        self.refusing = False

    def outputs(self) -> Outputs:
        """Return outputs for one step."""
        return Outputs(RememberingWriter(self), TopicSettings())

    def of(self, topic: str) -> list[Written]:
        """Return what was written to a topic."""
        return [one for one in self.written if one.topic == topic]

    def newest(self, topic: str) -> dict[bytes, bytes | None]:
        """Return the newest record of each key of a topic."""
        return {one.key: one.value for one in self.of(topic) if one.key is not None}


class RememberingWriter(BatchWriter):
    """A writer whose broker is a `Log`."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._waiting: list[Written] = []

    def extend(self, topic: str, partition: int, records: Iterable[KeyAndValue], headers: Headers = ()) -> None:
        self._waiting += [Written(topic, partition, key, value, dict(headers)) for key, value in records]

    async def flush(self) -> None:
        await asyncio.sleep(0)
        if self._log.refusing and self._waiting:
            raise RefusedError
        self._log.written += self._waiting
        self._log.happened += [f"written to {topic}" for topic in dict.fromkeys(one.topic for one in self._waiting)]
        self._waiting = []


def cut(records: Sequence[ConsumerRecord], places: Iterable[int]) -> list[RecordBatch]:
    """Return the records in batches that end at these places."""
    ends = sorted({*(place for place in places if 0 < place < len(records)), len(records)})
    return [batch(records[start:end]) for start, end in zip([0, *ends], ends, strict=False) if start < end]
