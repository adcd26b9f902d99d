"""Reads topics without a consumer group, as an app reads policies and an audit reads everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord


class TopicReader:
    """Reads topics from their beginning (or from where they end now); each record is returned once.

    `security` is what the client needs beyond the address.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *topics: str,
        from_beginning: bool = True,
        security: Mapping[str, Any] | None = None,
    ) -> None:
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            group_id=None,
            enable_auto_commit=False,
            max_poll_records=5000,
            # Few large answers instead of many small ones: nobody here is in a hurry.
            fetch_min_bytes=65_536,
            fetch_max_wait_ms=200,
            **(security or {}),
        )
        partitions = [
            TopicPartition(topic, number)
            for topic in topics
            for number in sorted(self._consumer.partitions_for_topic(topic) or ())
        ]
        self._consumer.assign(partitions)
        if from_beginning:
            self._consumer.seek_to_beginning(*partitions)
        else:
            self._consumer.seek_to_end(*partitions)

    def new(self) -> Iterator[ConsumerRecord]:
        """Yield what has arrived since the last call; does not wait."""
        for records in self._consumer.poll(timeout_ms=0).values():
            yield from records

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._consumer.close()
