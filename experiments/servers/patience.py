"""How long to wait for what does not come: by the time in which the processes that it takes had the machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

LONGEST: Final = 900.0
"""Seconds after which no machine is busy enough to go on."""
Waited = Callable[[int], float]


class Patience:
    """Is at an end after so many `seconds` in which nothing got on, and none of the processes waited for a processor;
    or after `longest` ones, whatever they waited for. `clock` is in seconds, `waited` that of `waited_seconds`.
    """

    def __init__(
        self,
        seconds: float,
        processes: Collection[int],
        *,
        longest: float = LONGEST,
        clock: Callable[[], float] = time.monotonic,
        waited: Waited | None = None,
    ) -> None:
        self.seconds = seconds
        self._processes, self._longest = processes, longest
        self._clock, self._waited_of = clock, waited or waited_seconds
        self._progress: object = None
        self._looked, self._waited = clock(), self._waited_by_all()
        self._idle = self._passed = 0.0

    def is_at_an_end(self, progress: object = None) -> bool:
        """Say so, given how far things are by now: whatever is another thing than before has got on."""
        now, waited = self._clock(), self._waited_by_all()
        passed, lost = now - self._looked, max(0.0, waited - self._waited)
        self._looked, self._waited = now, waited
        self._passed += passed
        self._idle += max(0.0, passed - lost)
        if progress != self._progress:
            self._progress, self._idle, self._passed = progress, 0.0, 0.0
        return self._idle > self.seconds or self._passed > self._longest

    def _waited_by_all(self) -> float:
        return sum(self._waited_of(pid) for pid in self._processes)


def waited_seconds(pid: int) -> float:
    """Return for how long the threads of a process have waited for a processor; 0 where nobody tells (Linux does)."""
    nanoseconds = 0
    for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError, ValueError, IndexError):  # it has ended since
            nanoseconds += int(thread.read_text().split()[1])
    return nanoseconds / 1e9
