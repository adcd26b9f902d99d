"""Whether the worker still gets anywhere, or is stuck and had better be started again."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_WAIT = 1800.0
"""Seconds that a rebalance and the recovery after it may take."""


class Liveness:
    """Beats with each round of the worker's clock, which looks after every partition and asks the reading thread.

    A step that does not come to its end, a lock that nobody gives back, a thread that does not answer: each keeps the
    round from ending. `clock` is in seconds and never goes back.
    """

    def __init__(self, stuck_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._stuck_seconds = stuck_seconds
        self._clock = clock
        self._waiting = True
        self._since = clock()

    def begin(self) -> None:
        """Note that there is something to look after: from now on a round may be stuck, the first one too."""
        if self._waiting:
            self.beat()

    def beat(self) -> None:
        """Note that a round has ended."""
        self._waiting, self._since = False, self._clock()

    def wait(self) -> None:
        """Note that there is nothing to look after: partitions are yet to come, or to be recovered."""
        if not self._waiting:
            self._waiting, self._since = True, self._clock()

    def trouble(self) -> str | None:
        """Return why the worker should be started again, or None while it need not."""
        silent = self._clock() - self._since
        if self._waiting:
            return f"no partition has come for {silent:.0f} s" if silent > LONGEST_WAIT else None
        return f"stuck: nothing has come to its end for {silent:.0f} s" if silent > self._stuck_seconds else None
