"""Says which records are refused, without a line for each: a log must not grow as fast as garbage comes in."""

from __future__ import annotations

import time
from collections.abc import Callable

from processors.admission.event_records import Refusal
from streams.observing.logs import get_log

SILENCE = 60.0
"""Seconds between two lines about the same reason on the same topic."""
MAX_TEXT = 200
LOG = get_log(__name__)


class RefusalLog:
    """Tells the first refusal of each topic and reason, and after a while the next, with how many were between.

    Where none comes any more, `let_time_pass` tells how many there were. `clock` is in seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}
        self._untold: dict[tuple[str, str], int] = {}
        self._newest: dict[tuple[str, str], str] = {}

    def refused(self, topic: str, partition: int, offset: int, key: bytes | None, refusal: Refusal) -> None:
        """Take notice of a record that was refused. Its key should be the impression's id."""
        kind, now = (topic, refusal.reason), self._clock()
        self._newest[kind] = f"{refusal.detail[:MAX_TEXT]}; {topic}[{partition}]@{offset}"
        if now - self._told.get(kind, -SILENCE) < SILENCE:
            self._untold[kind] = self._untold.get(kind, 0) + 1
            return
        self._told[kind] = now
        LOG.warning(
            "refused: it is in dead-letter",
            topic=topic,
            partition=partition,
            offset=offset,
            impression_id=None if key is None else key[:MAX_TEXT].decode(errors="backslashreplace"),
            reason=str(refusal.reason),
            detail=refusal.detail[:MAX_TEXT],
            untold_since=self._untold.pop(kind, 0),
        )

    def newest(self, topic: str, reason: str) -> str:
        """Return why the last one of its kind was refused and where it lies, or nothing where none is known."""
        return self._newest.get((topic, reason), "")

    def let_time_pass(self) -> None:
        """Tell of those kinds of which some have been kept back for long enough; call it now and then."""
        now = self._clock()
        for kind in [one for one in self._untold if now - self._told[one] >= SILENCE]:
            topic, reason = kind
            self._told[kind] = now
            LOG.warning(
                "refused: more are in dead-letter", topic=topic, reason=str(reason), untold_since=self._untold.pop(kind)
            )
