"""Entries in the order of their time, of which millions wait and thousands are taken at once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Generic, TypeVar

from processors.join.timed_entries import TimedEntries

SPAN_MS = 256

T = TypeVar("T")


def _no_rank(_: object) -> int:
    return 0


class Deadlines(Generic[T]):
    """A priority queue of entries that lie together by spans of time, in no order until their span is due.

    `rank` orders entries of the same time; without it they come in any order. In a heap of all entries each would cost
    a dozen comparisons all over memory; here the heap is one of spans. The first span is sorted once something of it
    is due, unless what was added to it came in order.
    """

    def __init__(self, rank: Callable[[T], Any] = _no_rank) -> None:
        self._rank = rank
        self._spans: dict[int, TimedEntries[T]] = {}
        self._order: list[int] = []
        self._disordered: set[int] = set()
        self._gone: dict[int, set[tuple[int, int]]] = {}
        """By span, times and ids of objects that were removed; they lie there until their span is due."""

    def add(self, time: int, entry: T) -> None:
        """Add an entry. An object must not be here twice at the same time."""
        number = time // SPAN_MS
        gone = self._gone.get(number)
        if gone and (time, id(entry)) in gone:
            gone.remove((time, id(entry)))  # it still lies there
        else:
            self._put(number, TimedEntries([time], [entry]))

    def extend(self, entries: TimedEntries[T]) -> None:
        """Add entries that were never here before. Those of the same time have to be in the order of their rank.

        One that was removed may lie here still. `add` takes its mark away; here nothing looks for marks, and the mark
        would take out the new one as well.
        """
        entries = entries.in_order()
        times, begin = entries.times, 0
        while begin < len(times):
            number = times[begin] // SPAN_MS
            end = bisect_left(times, (number + 1) * SPAN_MS, begin)
            self._put(number, entries.part(begin, end))
            begin = end

    def _put(self, number: int, some: TimedEntries[T]) -> None:
        span = self._spans.get(number)
        if span is None:
            self._spans[number] = some
            heappush(self._order, number)
            return
        last, first = span.times[-1], some.times[0]
        if last > first or (last == first and self._rank(span.entries[-1]) > self._rank(some.entries[0])):
            self._disordered.add(number)
        span.extend(some)

    def remove(self, time: int, entry: T) -> None:
        """Take out an entry that was added at this time and is still here."""
        self._gone.setdefault(time // SPAN_MS, set()).add((time, id(entry)))

    def take_until(self, time: int) -> TimedEntries[T]:
        """Take out all entries up to this time (ms), and return them in order."""
        taken = TimedEntries[T]([], [])
        while self._order and self._order[0] * SPAN_MS <= time:
            span = self._first_span()
            if not self._take(span, bisect_right(span.times, time), taken):
                break
        return taken

    def take_first(self, count: int) -> TimedEntries[T]:
        """Take out the first `count` entries, or all if there are fewer, and return them in order."""
        taken = TimedEntries[T]([], [])
        while self._order and len(taken) < count:
            span = self._first_span()
            self._take(span, min(len(span), count - len(taken)), taken)
        return taken

    def take_weighing(self, least: int, weigh: Callable[[T], int]) -> TimedEntries[T]:
        """Take out as few of the first entries as weigh so much together, or all, and return them in order."""
        taken = TimedEntries[T]([], [])
        while self._order and least > 0:
            span = self._first_span()
            end = 0
            while end < len(span) and least > 0:
                least -= weigh(span.entries[end])
                end += 1
            self._take(span, end, taken)
        return taken

    def _first_span(self) -> TimedEntries[T]:
        """Return the first span, in order and without what was removed."""
        number = self._order[0]
        if gone := self._gone.pop(number, None):
            self._spans[number] = _without(gone, self._spans[number])
        if number in self._disordered:
            self._disordered.remove(number)
            span = self._spans[number]
            ranks = [self._rank(entry) for entry in span.entries]
            # Twice by a number is faster than once by two: they are almost in order, and no pairs are made.
            places = sorted(range(len(span)), key=ranks.__getitem__)
            places.sort(key=span.times.__getitem__)
            self._spans[number] = TimedEntries([span.times[at] for at in places], [span.entries[at] for at in places])
        return self._spans[number]

    def _take(self, span: TimedEntries[T], end: int, taken: TimedEntries[T]) -> bool:
        """Take the first span up to a place in it; return whether nothing is left of it."""
        if end == len(span):
            taken.extend(span)
            del self._spans[heappop(self._order)]
            return True
        taken.extend(span.part(0, end))
        del span.times[:end], span.entries[:end]
        return False


def _without(gone: set[tuple[int, int]], span: TimedEntries[T]) -> TimedEntries[T]:
    left = TimedEntries[T]([], [])
    for time, entry in zip(span.times, span.entries, strict=True):
        if (time, id(entry)) not in gone:
            left.add(time, entry)
    return left
