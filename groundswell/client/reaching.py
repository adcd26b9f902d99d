"""Reaching Kafka: how long each attempt may take, and what is said, and how often, while no broker answers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from kafka.errors import KafkaError

UNREACHABLE: Final = "Kafka cannot be reached: %s"
FIRST_SECONDS, LONGEST_SECONDS = 3.0, 30.0
"""How long the first attempt takes, and the longest: a broker that is slow gets twice the time at each."""
SILENCE_SECONDS: Final = 60.0
"""For so long nothing is said again."""


class Attempts:
    """The attempts to reach Kafka by one client with these arguments, from the first to one that succeeds."""

    def __init__(
        self, log: logging.Logger, arguments: Mapping[str, Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log, self._arguments, self._clock = log, arguments, clock
        self._seconds = FIRST_SECONDS
        self._said_at: float | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the client for the next attempt; an app's own time-out is left alone."""
        return {"bootstrap_timeout_ms": round(1000 * self._seconds), **self._arguments}

    def succeeded(self) -> None:
        """Begin anew when it is to be reached the next time."""
        self._seconds = FIRST_SECONDS

    def failed(self, error: Exception) -> str:
        """Return what to say of an attempt that failed. It is logged now and then."""
        self._seconds = min(2 * self._seconds, LONGEST_SECONDS)
        why = f"{str(error) or type(error).__name__}; trying again"
        if isinstance(error, KafkaError):
            servers = self._arguments["bootstrap_servers"]
            why = (
                f"no broker answers at {servers if isinstance(servers, str) else ','.join(servers)} ({error}). See "
                "whether it runs, has this address, and takes this security_protocol and user; trying again"
            )
        now = self._clock()
        if self._said_at is None or now - self._said_at >= SILENCE_SECONDS:
            self._said_at = now
            self._log.warning(UNREACHABLE, why)
        return UNREACHABLE % why
