"""Entries in the order of their time, of which millions wait and thousands are taken at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Generic, TypeVar

SPAN_MS = 256

T = TypeVar("T")


class Spans(Generic[T]):
    """A priority queue of entries that lie together by spans of time, in no order until they are taken.

    `time` tells the time (ms) of an entry, `rank` what orders entries of the same time. In a heap of all entries each
    would cost a dozen comparisons all over memory; here the heap is one of spans.
    """

    def __init__(self, time: Callable[[T], int], rank: Callable[[T], Any]) -> None:
        self._time = time
        self._rank = rank
        self._spans: dict[int, list[T]] = {}
        self._order: list[int] = []

    def add(self, time: int, entry: T) -> None:
        """Add an entry, whose time this is."""
        number = time // SPAN_MS
        span = self._spans.get(number)
        if span is None:
            self._spans[number] = [entry]
            heappush(self._order, number)
        else:
            span.append(entry)

    def remove(self, time: int, entry: T) -> None:
        """Take out an entry that was added with this time. It takes as long as there are entries in the span."""
        self._spans[time // SPAN_MS].remove(entry)

    def take_until(self, time: int) -> list[T]:
        """Take out all entries up to this time (ms), and return them in order."""
        if not self._order or self._order[0] * SPAN_MS > time:
            return []
        taken: list[T] = []
        while self._order and self._order[0] * SPAN_MS <= time:
            taken += self._spans.pop(heappop(self._order))
        self._sort(taken)
        return self._cut(taken, bisect_right(taken, time, key=self._time))

    def take_first(self, count: int) -> list[T]:
        """Take out the first `count` entries, or all if there are fewer, and return them in order."""
        taken: list[T] = []
        while self._order and len(taken) < count:
            taken += self._spans.pop(heappop(self._order))
        self._sort(taken)
        return self._cut(taken, count)

    def _sort(self, taken: list[T]) -> None:
        # Twice by a number is faster than once by two: they are almost in order, and no pairs are made.
        taken.sort(key=self._rank)
        taken.sort(key=self._time)

    def _cut(self, taken: list[T], end: int) -> list[T]:
        for entry in taken[end:]:
            self.add(self._time(entry), entry)
        del taken[end:]
        return taken
