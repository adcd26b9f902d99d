"""Entries in the order of their time, of which millions wait and thousands are taken at once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Generic, TypeVar

SPAN_MS = 256

T = TypeVar("T")


class Spans(Generic[T]):
    """A priority queue of entries that lie together by spans of time, in no order until their span is due.

    `time` tells the time (ms) of an entry, `rank` what orders entries of the same time. In a heap of all entries each
    would cost a dozen comparisons all over memory; here the heap is one of spans. The first span is sorted once
    something of it is due; what is added to it from then on goes to its place.
    """

    def __init__(self, time: Callable[[T], int], rank: Callable[[T], Any]) -> None:
        self._time = time
        self._rank = rank
        self._spans: dict[int, list[T]] = {}
        self._order: list[int] = []
        self._gone: dict[int, set[int]] = {}
        """By span, the ids of objects that were removed; they lie there until their span is sorted."""
        self._front: int | None = None
        """The span that is sorted, and from where on it has not been taken."""
        self._begin = 0

    def add(self, entry: T) -> None:
        """Add an entry. Its time must not change as long as it is here."""
        number = self._time(entry) // SPAN_MS
        span = self._spans.get(number)
        if span is None:
            self._spans[number] = [entry]
            heappush(self._order, number)
        elif number == self._front:
            insort(span, entry, lo=self._begin, key=self._place)
        elif self._gone and id(entry) in self._gone.get(number, ()):
            self._gone[number].remove(id(entry))  # it still lies there
        else:
            span.append(entry)

    def remove(self, entry: T) -> None:
        """Take out an entry that is here."""
        number = self._time(entry) // SPAN_MS
        if number != self._front:
            self._gone.setdefault(number, set()).add(id(entry))
            return
        span = self._spans[number]
        place = bisect_left(span, self._place(entry), lo=self._begin, key=self._place)
        while span[place] is not entry:
            place += 1
        del span[place]

    def take_until(self, time: int) -> list[T]:
        """Take out all entries up to this time (ms), and return them in order."""
        taken: list[T] = []
        while self._order and self._order[0] * SPAN_MS <= time:
            span = self._sorted_front()
            if not self._take(bisect_right(span, time, lo=self._begin, key=self._time), taken):
                break
        return taken

    def take_first(self, count: int) -> list[T]:
        """Take out the first `count` entries, or all if there are fewer, and return them in order."""
        taken: list[T] = []
        while self._order and len(taken) < count:
            span = self._sorted_front()
            self._take(min(len(span), self._begin + count - len(taken)), taken)
        return taken

    def _sorted_front(self) -> list[T]:
        """Return the first span, sorted."""
        number = self._order[0]
        if number != self._front:
            if self._front is not None:  # something earlier than what had been the first was added
                del self._spans[self._front][: self._begin]
            self._front, self._begin = number, 0
            if gone := self._gone.pop(number, None):
                self._spans[number] = [one for one in self._spans[number] if id(one) not in gone]
            # Twice by a number is faster than once by two: they are almost in order, and no pairs are made.
            self._spans[number].sort(key=self._rank)
            self._spans[number].sort(key=self._time)
        return self._spans[number]

    def _take(self, end: int, taken: list[T]) -> bool:
        """Take the first span up to a place in it; return whether nothing is left of it."""
        span = self._spans[self._order[0]]
        taken += span[self._begin : end]
        if end == len(span):
            del self._spans[heappop(self._order)]
            self._front, self._begin = None, 0
            return True
        self._begin = end
        if 2 * end > len(span):  # so that each entry is moved once, and what was taken is not held for long
            del span[:end]
            self._begin = 0
        return False

    def _place(self, entry: T) -> tuple[int, Any]:
        return self._time(entry), self._rank(entry)
