"""A past of bounded length: the whole of it, the older and the newer in the same grain."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Generic, Self, TypeVar

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
        self.interval = interval
        self._due = float("-inf")

    @classmethod
    def of(cls, interval: float, points: Sequence[tuple[float, T]]) -> Self:
        """Go on from points that were taken before. Raises `ValueError` where they are no past."""
        moments = [moment for moment, _ in points]
        if interval <= 0 or len(points) >= POINTS or any(after < before for before, after in pairwise(moments)):
            raise ValueError(f"{len(points)} points at intervals of {interval} s are not a past, or too long a one")
        history = cls(interval)
        history.points = list(points)
        if points:
            history._due = moments[-1] + 0.9 * interval
        return history

    def add(self, now: float, value: T) -> None:
        """Take in the value of this moment (seconds, never going back) if a point is due."""
        if now < self._due:
            return
        self.points.append((now, value))
        if len(self.points) >= POINTS:
            del self.points[1::2]
            self.interval *= 2
        # A timer that is a little early must not cost a point.
        self._due = self.points[-1][0] + 0.9 * self.interval
