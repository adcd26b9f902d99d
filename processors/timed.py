"""Entries with the time of each, as two lists: there are thousands in a step, and a pair for each would cost more."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Timed(Generic[T]):
    """Entries and their times (ms): `times[n]` is that of `entries[n]`."""

    __slots__ = ("entries", "times")

    def __init__(self, times: list[int], entries: list[T]) -> None:
        self.times = times
        self.entries = entries

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self.times)

    def add(self, time: int, entry: T) -> None:
        """Add an entry at the end."""
        self.times.append(time)
        self.entries.append(entry)

    def extend(self, others: Timed[T]) -> None:
        """Add others at the end."""
        self.times += others.times
        self.entries += others.entries

    def part(self, begin: int, end: int) -> Timed[T]:
        """Return the entries from one place to another."""
        return Timed(self.times[begin:end], self.entries[begin:end])

    def in_order(self) -> Timed[T]:
        """Return the same in the order of time; entries of one time stay in the order they have."""
        times = sorted(self.times)
        if times == self.times:
            return self
        places = sorted(range(len(times)), key=self.times.__getitem__)
        return Timed(times, [self.entries[place] for place in places])

    def after(self, time: int) -> Timed[T]:
        """Return what is later than a time. It has to be in order."""
        begin = bisect_right(self.times, time)
        return self.part(begin, len(self)) if begin else self

    def stretches(self, length: int) -> Iterator[tuple[int, Timed[T]]]:
        """Cut this, which has to be in order, at multiples of `length` (ms): yield (number, part) of each that is."""
        times, begin = self.times, 0
        while begin < len(times):
            number = times[begin] // length
            end = bisect_left(times, (number + 1) * length, begin)
            yield number, self if end - begin == len(times) else self.part(begin, end)
            begin = end
