"""aiokafka while no broker answers: it waits between its attempts, and says so now and then.

By itself it asks for metadata again at once, on a core of its own, and logs each attempt: thousands of lines a second.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from aiokafka.client import AIOKafkaClient

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
    """Let all aiokafka clients of this process be so. Doing it again changes nothing."""
    if not hasattr(AIOKafkaClient._metadata_update, "__wrapped__"):
        AIOKafkaClient._metadata_update = patient(AIOKafkaClient._metadata_update)
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(one, OnceInAWhile) for one in logger.filters):
            logger.addFilter(OnceInAWhile())


def patient(update: MetadataUpdate) -> MetadataUpdate:
    """Return an update of metadata that lets pass some time where it fails; whoever asked for it waits as long."""

    @wraps(update)
    async def updated(client: Any, *arguments: Any) -> bool:
        succeeded = await update(client, *arguments)
        pause = 0.0 if succeeded else min(2 * getattr(client, "_pause", 0.0) or FIRST_PAUSE, LONGEST_PAUSE)
        client._pause = pause
        await asyncio.sleep(pause)
        return succeeded

    return updated


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
