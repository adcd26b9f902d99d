"""How far event time is on topics that a log is to be replayed into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from kafka.errors import TopicAuthorizationFailedError

from streams.kafka.topic_inspector import TopicInspector
from streams.replay.examination import ReplayError
from streams.settings import KafkaSettings

TAIL = 500
"""How many of the last records of a partition are looked at: event time is that of the newest, out of order or not."""


class _Moment(msgspec.Struct):
    occurred_at: int | None = None
    watermark: int | None = None


_decode = msgspec.json.Decoder(_Moment).decode


def newest_events(kafka: KafkaSettings, topics: Mapping[str, Sequence[int]]) -> int | None:
    """Return the largest event time (ms) at the ends of these partitions, watermarks included; None where is none.

    An event that is ahead of its record's own timestamp counts as that, as for the join. Raises `ReplayError` where
    Kafka does not let us read.
    """
    newest: int | None = None
    try:
        with TopicInspector(kafka) as logs:
            for topic, partitions in topics.items():
                for partition, (first, end) in logs.bounds(topic, len(partitions)).items():
                    for record in logs.read(topic, partition, max(first, end - TAIL)):
                        at = _moment(record.value, int(record.timestamp))
                        if at is not None:
                            newest = at if newest is None else max(newest, at)
    except TopicAuthorizationFailedError as error:
        raise ReplayError(
            f"whether the topics already hold newer events is not known: this user may not read {error}. Give it Read "
            "(docs/security.md), or use --anyway"
        ) from error
    return newest


def in_words(ms: int) -> str:
    """Return an event time for people."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _moment(value: bytes | None, stamped: int) -> int | None:
    try:
        found = _decode(value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found.watermark if found.occurred_at is None else min(found.occurred_at, stamped)
