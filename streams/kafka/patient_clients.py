"""aiokafka while no broker answers, or lacks a topic or a leader: it waits between its attempts, and says so seldom.

By itself it asks for metadata again at once, on a core of its own, and logs each attempt: thousands of lines a second.
And by asking it would make the topics that are not there, where brokers allow that, with a partition each.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from functools import partial, wraps
from typing import Any

from aiokafka import client
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.protocol.metadata import MetadataRequest

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between attempts; they double."""
SILENCE = 10.0
"""Seconds in which a message is not repeated."""
_DISTINCT = 1_000
_LOGGERS = (
    "aiokafka", "aiokafka.conn", "aiokafka.consumer.consumer", "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator", "aiokafka.producer.sender",
)  # fmt: skip

MetadataUpdate = Callable[..., Awaitable[bool]]


def make_clients_patient() -> None:
    """Let all aiokafka clients of this process be so, and make no topics. Doing it again changes nothing."""
    if not hasattr(AIOKafkaClient._metadata_update, "__wrapped__"):
        AIOKafkaClient._metadata_update = patient(AIOKafkaClient._metadata_update)
    client.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(one, OnceInAWhile) for one in logger.filters):
            logger.addFilter(OnceInAWhile())


def patient(update: MetadataUpdate) -> MetadataUpdate:
    """Return an update of metadata that lets pass some time where it does not bring what is asked for: it fails, or
    topics are not there or not led. Whoever asked for it waits as long.
    """

    @wraps(update)
    async def updated(self: Any, cluster: ClusterMetadata, topics: Collection[str] | None, *rest: Any) -> bool:
        succeeded = await update(self, cluster, topics, *rest)
        brought = succeeded and all(_is_led(cluster, topic) for topic in topics or ())
        pause = 0.0 if brought else min(2 * getattr(self, "_pause", 0.0) or FIRST_PAUSE, LONGEST_PAUSE)
        self._pause = pause
        await asyncio.sleep(pause)
        return succeeded

    return updated


def _is_led(cluster: ClusterMetadata, topic: str) -> bool:
    partitions = cluster.partitions_for_topic(topic)
    return bool(partitions) and partitions == cluster.available_partitions_for_topic(topic)


class OnceInAWhile(logging.Filter):
    """Lets each message pass once in so many seconds; those of which `kind` says the same are one message."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        silence: float = SILENCE,
        kind: Callable[[logging.LogRecord], str] = logging.LogRecord.getMessage,
    ) -> None:
        super().__init__()
        self._clock, self._silence, self._kind = clock, silence, kind
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record may pass."""
        message, now = self._kind(record), self._clock()
        if now - self._said.get(message, -self._silence) < self._silence:
            return False
        if len(self._said) >= _DISTINCT:
            self._said.clear()
        self._said[message] = now
        return True
