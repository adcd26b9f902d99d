"""What aiokafka cannot unpack is passed over, on the topics whose records it hands out one by one.

Brokers look into records less than clients do: a header's name may be no UTF-8, and a batch may unpack to gigabytes.
aiokafka raises where it meets such a one, and again whenever it reads on. A batch comes from one producer, so it is
passed over as a whole. In its place stands a record without key and value: whoever waits for its offset sees that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords

from processors.wire.log_records import LogRecord, UnreadRecords
from streams.kafka.record_batch_app import LOG_APPEND_TIME
from streams.kafka.whole_batches import WholeBatch, WholeBatches
from streams.observing.logs import get_log

SILENCE: Final = 60.0
"""Seconds between two lines of one topic: a log must not grow as fast as such batches are written."""
LOG = get_log(__name__)


class Told(Protocol):
    """Is told of a batch that is passed over: its topic and partition, its offsets, and why."""

    def __call__(self, topic: str, partition: int, unread: UnreadRecords) -> None: ...


class UnreadableLog:
    """Counts the batches of a topic that are passed over, and tells the first and, after a while, the next.

    `clock` is in seconds and never goes back.
    """

    def __init__(self, count: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._count, self._clock = count, clock
        self._told: dict[str, float] = {}

    def __call__(self, topic: str, partition: int, unread: UnreadRecords) -> None:
        """Take notice of a batch."""
        self._count(topic)
        now = self._clock()
        if now - self._told.get(topic, -SILENCE) >= SILENCE:
            self._told[topic] = now
            LOG.warning(
                "what nobody can read is passed over",
                topic=topic,
                partition=partition,
                offset=unread.first_offset,
                last_offset=unread.offset,
                why=unread.why,
            )


def pass_over_unreadable(most_bytes: int, told: Told) -> None:
    """Let all of aiokafka's consumers in this process pass over what they cannot unpack; it has no setting for it.

    What a batch unpacks to is bounded by `bound_unpacking`; one of which the records alone, at `RECORD_BYTES` each,
    would take more than `most_bytes` is passed over as well.
    """

    def readable(*arguments: Any) -> PartitionRecords:
        return ReadableRecords(most_bytes, told, *arguments)

    fetcher.PartitionRecords = readable


class ReadableBatch(WholeBatch):
    """A batch of the broker's that has one record in the place of all of them where these cannot be unpacked."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the records one by one, or what stands for them."""
        for records in super().__iter__():
            yield from records


class ReadableBatches(WholeBatches):
    """What one fetch brought, in batches that can be read."""

    def next_batch(self) -> ReadableBatch:
        """Return the next batch."""
        return ReadableBatch(self._records.next_batch(), self._most_bytes)


class ReadableRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka ships no types
    """The records of one fetch, but for those that cannot be unpacked."""

    def __init__(self, most_bytes: int, told: Told, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._most_bytes, self._told = most_bytes, told

    def _unpack_records(self) -> Iterator[Any]:
        # Not where `PlainRecords` has taken the place of this before anything was read.
        if isinstance(self, ReadableRecords):
            self._records: Any = ReadableBatches(self._records, self._most_bytes)
        yield from PartitionRecords._unpack_records(self)

    def _consumer_record(self, tp: TopicPartition, record: LogRecord) -> ConsumerRecord:
        if not isinstance(record, UnreadRecords):
            return super()._consumer_record(tp, record)
        self._told(tp.topic, tp.partition, record)
        return ConsumerRecord(
            tp.topic, tp.partition, record.offset, record.timestamp, LOG_APPEND_TIME, None, None, None, -1, -1, ()
        )
