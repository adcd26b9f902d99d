"""A past of bounded length: the whole of it, the older and the newer in the same grain."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")

POINTS = 240
"""How many points a past has at most; it has half of them right after it was thinned."""


class BoundedHistory(Generic[T]):
    """Points taken at even intervals since the beginning. When there are `POINTS`, every other one is dropped and
    the interval doubles, so that a minute and a month take the same room.
    """

    def __init__(self, interval: float) -> None:
        """Begin with a point every `interval` seconds."""
        self.points: list[tuple[float, T]] = []
        self._interval = interval
        self._due = float("-inf")

    def add(self, now: float, value: T) -> None:
        """Take in the value of this moment (seconds, never going back) if a point is due."""
        if now < self._due:
            return
        self.points.append((now, value))
        if len(self.points) >= POINTS:
            del self.points[1::2]
            self._interval *= 2
        # A timer that is a little early must not cost a point.
        self._due = now + 0.9 * self._interval
