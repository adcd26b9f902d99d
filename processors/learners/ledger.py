"""Which interactions have been learned: exact deduplication in bounded memory.

The identity of an interaction is the place of its impression, (partition, offset). Each interaction carries the
lowest offset of its partition that was still pending when it was written; whatever lies below that floor has
been written before, so it is enough to remember the floor and the sparse set of offsets above it. (Offsets of
dead letters and duplicates never come: a plain contiguous mark would wait for them for ever.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from groundswell.events import Source

_partition = attrgetter("partition")


class Ledger:
    """The floors and the sparse sets of one learner, by partition of the impressions topic."""

    def __init__(self) -> None:
        self._floors: dict[int, int] = {}
        self._above: dict[int, set[int]] = {}
        self._full: dict[int, int] = {}
        """How many offsets a set takes until those below the floor are looked for: twice as many as were above it the
        last time. To look at each rise of the floor would cost all that lies above it."""

    def admit(self, source: Source) -> bool:
        """Enter an interaction; say whether it is new."""
        return self.admit_all([source])[0]

    def admit_all(self, sources: Sequence[Source]) -> list[bool]:
        """Enter interactions one after the other; say of each whether it is new."""
        return [
            new for partition, together in groupby(sources, key=_partition) for new in self._admit(partition, together)
        ]

    def has(self, partition: int, offset: int) -> bool:
        """Say whether the interaction of an impression at this place was entered, or would not be new."""
        return offset < self._floors.get(partition, 0) or offset in self._above.get(partition, ())

    def _admit(self, partition: int, sources: Iterable[Source]) -> Iterator[bool]:
        floor = self._floors.get(partition, 0)
        above = self._above.setdefault(partition, set())
        for source in sources:
            offset = source.offset
            new = offset >= floor and offset not in above
            if new:
                above.add(offset)
            if source.floor > floor:
                floor = self._floors[partition] = source.floor
                if len(above) > self._full.get(partition, 0):
                    above = self._pruned(partition)
            yield new

    def _pruned(self, partition: int) -> set[int]:
        """Forget what lies below the floor of a partition; return what lies above."""
        floor = self._floors.get(partition, 0)
        above = self._above[partition] = {one for one in self._above[partition] if one >= floor}
        self._full[partition] = 2 * len(above)
        return above

    def __len__(self) -> int:
        """Return how many offsets are remembered."""
        return sum(map(len, self._above.values()))

    def state(self) -> dict[str, object]:
        """Return the whole truth of the ledger, in an order that depends on nothing else."""
        return {
            "floors": sorted(self._floors.items()),
            "above": [(one, sorted(above)) for one in sorted(self._above) if (above := self._pruned(one))],
        }

    @classmethod
    def restore(cls, state: dict[str, list[tuple[int, object]]]) -> Ledger:
        """Return the ledger whose `state` this is."""
        ledger = cls()
        ledger._floors = {int(partition): int(floor) for partition, floor in state["floors"]}  # type: ignore[call-overload]
        ledger._above = {int(partition): set(above) for partition, above in state["above"]}  # type: ignore[call-overload]
        return ledger
