"""Looks at topics from outside of any group, for people who want to know what lies on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from groundswell.client.readable_records import pass_over_unreadable
from streams.kafka.security import connection_arguments
from streams.kafka.topics import TopicError
from streams.observing.logs import get_log
from streams.settings import KafkaSettings

LOG = get_log(__name__)
PATIENCE = 15.0
"""Seconds for one partition."""


class TopicInspector:
    """`with TopicInspector(kafka) as logs:` looks; it commits nothing and joins no group."""

    def __init__(self, kafka: KafkaSettings) -> None:
        consumer = KafkaConsumer(
            **connection_arguments(kafka),
            group_id=None,
            enable_auto_commit=False,
            max_poll_records=5_000,
            isolation_level="read_committed",
            allow_auto_create_topics=False,
        )
        self._consumer = pass_over_unreadable(consumer, LOG.warning)

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has, 0 where there is none, or none that may be seen."""
        return len(self._consumer.partitions_for_topic(topic) or ())

    def require(self, *topics: str) -> None:
        """Raise `TopicError` where one of the topics is not there."""
        for topic in topics:
            if not self.partitions(topic):
                raise TopicError(f"there is no topic {topic} that this client may see: run `groundswell topics create`")

    def bounds(self, topic: str, partitions: int) -> dict[int, tuple[int, int]]:
        """Return the first offset and the one after the last, by partition."""
        places = [TopicPartition(topic, number) for number in range(partitions)]
        first, end = self._consumer.beginning_offsets(places), self._consumer.end_offsets(places)
        return {place.partition: (first[place], end[place]) for place in places}

    def read(self, topic: str, partition: int, start: int, *, as_they_come: bool = False) -> Iterator[ConsumerRecord]:
        """Yield the records from an offset to the end as of now.

        Raises TimeoutError where that takes more than `PATIENCE`, what is done with the records included; of a log that
        is read `as_they_come` where none comes for so long.
        """
        place, consumer = TopicPartition(topic, partition), self._consumer
        end = consumer.end_offsets([place])[place]
        consumer.assign([place])
        consumer.seek(place, start)
        deadline = time.monotonic() + PATIENCE
        while consumer.position(place) < end:
            for records in consumer.poll(timeout_ms=500).values():
                yield from (record for record in records if record.offset < end)
                if as_they_come:
                    deadline = time.monotonic() + PATIENCE
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{topic}[{partition}] cannot be read to its end within {PATIENCE:.0f} s: see "
                    "whether its brokers are up (`groundswell doctor`), and try again"
                )

    def since(self, topic: str, partitions: int, moment: int) -> list[tuple[int, int]]:
        """Return, for each partition, how many records are not older than a moment, and the time of the first of them.

        Times in ms since 1970, by the records' own timestamps; the time means nothing where there is no such record.
        """
        places = {TopicPartition(topic, number): moment for number in range(partitions)}
        ends = self._consumer.end_offsets(list(places))
        found = self._consumer.offsets_for_times(places)
        return [
            (0, 0) if (first := found.get(place)) is None else (ends[place] - first.offset, int(first.timestamp))
            for place in places
        ]

    def newest(
        self, topic: str, partition: int, wanted: Callable[[ConsumerRecord], bool] = lambda record: True
    ) -> dict[bytes, ConsumerRecord]:
        """Return the newest wanted record of each key of a compacted topic."""
        first, _ = self.bounds(topic, partition + 1)[partition]
        records = self.read(topic, partition, first)
        return {record.key: record for record in records if record.key is not None and wanted(record)}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()
