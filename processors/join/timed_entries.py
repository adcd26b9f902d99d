"""Entries with the time of each, as two lists: there are thousands in a step, and a pair for each would cost more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class TimedEntries(Generic[T]):
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

    def extend(self, others: TimedEntries[T]) -> None:
        """Add others at the end."""
        self.times += others.times
        self.entries += others.entries

    def part(self, begin: int, end: int) -> TimedEntries[T]:
        """Return the entries from one place to another."""
        return TimedEntries(self.times[begin:end], self.entries[begin:end])

    def in_order(self) -> TimedEntries[T]:
        """Return the same in the order of time; entries of one time stay in the order they have."""
        times = sorted(self.times)
        if times == self.times:
            return self
        places = sorted(range(len(times)), key=self.times.__getitem__)
        return TimedEntries(times, [self.entries[place] for place in places])

    def after(self, time: int) -> TimedEntries[T]:
        """Return what is later than a time."""
        if not self.times or min(self.times) > time:
            return self
        later = [place for place, one in enumerate(self.times) if one > time]
        return TimedEntries([self.times[place] for place in later], [self.entries[place] for place in later])

    def by(self, length: int) -> Mapping[int, list[T]]:
        """Return the entries by the number of the stretch of `length` (ms) in which their time lies."""
        if not self.times:
            return {}
        first = min(self.times) // length
        if max(self.times) // length == first:
            return {first: self.entries}
        stretches = defaultdict[int, list[T]](list)
        for time, entry in zip(self.times, self.entries, strict=True):
            stretches[time // length].append(entry)
        return stretches
