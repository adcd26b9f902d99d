"""Which interactions have been learned: exact deduplication in bounded memory.

The identity of an interaction is the place of its impression, (partition, offset) of a topic with an id. Each
interaction carries the lowest offset of its partition that was still pending when it was written; whatever lies below
that floor has been written before, so it is enough to remember the floor and the sparse set of offsets above it.
(Offsets of dead letters and duplicates never come: a plain contiguous mark would wait for them for ever.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from operator import attrgetter
from typing import Any

from msgspec import Struct

from groundswell.events import LogNumber, Source
from processors.wire.plain_state import read_as, require

_log = attrgetter("partition", "topic")


class LedgerState(Struct):
    """What `Ledger.state` holds: lists of (partition, ...)."""

    floors: list[tuple[LogNumber, LogNumber]]
    above: list[tuple[LogNumber, list[LogNumber]]]
    topics: list[tuple[LogNumber, str, str]] = []
    others: list[tuple[LogNumber, str, LogNumber, list[LogNumber]]] = []


class Ledger:
    """The floors and the sparse sets of one learner, by partition of the impressions topic.

    A topic that was made again has an account of its own, by its id; those of the ones before are kept. What comes
    without an id was written before ids were known, and is of the first topic.
    """

    def __init__(self) -> None:
        self._topics: dict[int, str] = {}
        """The topic of the account that is open, of each partition where it is known."""
        self._first: dict[int, str] = {}
        self._others: dict[tuple[int, str], tuple[int, set[int]]] = {}
        """Floors and sparse sets of the accounts that are not open."""
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
        return list(
            chain.from_iterable(
                self._admit(partition, topic, together) for (partition, topic), together in groupby(sources, key=_log)
            )
        )

    def has(self, partition: int, offset: int, topic: str = "") -> bool:
        """Say whether the interaction of an impression at this place was entered, or would not be new."""
        current = self._topics.get(partition, "")
        topic = topic or self._first.get(partition, "")
        if current and topic != current:
            floor, above = self._others.get((partition, topic), (0, set()))
        else:
            floor, above = self._floors.get(partition, 0), self._above.get(partition, set())
        return offset < floor or offset in above

    def _admit(self, partition: int, topic: str, sources: Iterable[Source]) -> Iterator[bool]:
        self._open(partition, topic)
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

    def _open(self, partition: int, topic: str) -> None:
        """Let the account of a topic be the one that is open."""
        topic = topic or self._first.get(partition, "")
        current = self._topics.setdefault(partition, topic)
        self._first.setdefault(partition, topic)
        if not current:
            self._topics[partition] = self._first[partition] = topic
        elif topic != current:
            self._others[partition, current] = self._floors.pop(partition, 0), self._pruned(partition)
            self._topics[partition] = topic
            floor, self._above[partition] = self._others.pop((partition, topic), (0, set()))
            self._full.pop(partition, None)
            if floor:
                self._floors[partition] = floor

    def _pruned(self, partition: int) -> set[int]:
        """Forget what lies below the floor of a partition; return what lies above."""
        floor = self._floors.get(partition, 0)
        above = self._above[partition] = {one for one in self._above[partition] if one >= floor}
        self._full[partition] = 2 * len(above)
        return above

    def __len__(self) -> int:
        """Return how many offsets are remembered."""
        return sum(map(len, self._above.values())) + sum(len(above) for _, above in self._others.values())

    def state(self) -> dict[str, object]:
        """Return the whole truth of the ledger, in an order that depends on nothing else."""
        state: dict[str, object] = {
            "floors": sorted(self._floors.items()),
            "above": [(one, sorted(above)) for one in sorted(self._above) if (above := self._pruned(one))],
        }
        if any(self._topics.values()):
            state["topics"] = [(one, topic, self._first[one]) for one, topic in sorted(self._topics.items())]
            state["others"] = [(*log, floor, sorted(above)) for log, (floor, above) in sorted(self._others.items())]
        return state

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions that there is an account of."""
        return frozenset([*self._floors, *self._above, *(partition for partition, _ in self._others)])

    def beyond(self, ends: Mapping[int, int], topic: str) -> str | None:
        """Return what the ledger has of offsets that the topic of impressions has not got to, or None.

        `ends` has the next offset of each partition of the topic with the id `topic`, empty where it is not known.
        What comes at such offsets would count as learned, and never be.
        """
        accounts = [
            (partition, self._topics.get(partition, ""), self._floors.get(partition, 0), above)
            for partition, above in [*self._above.items(), *((one, set()) for one in self._floors)]
        ]
        accounts += [(partition, of, floor, above) for (partition, of), (floor, above) in self._others.items()]
        for partition, of, floor, above in accounts:
            end = ends.get(partition, 0)
            if topic and of not in {"", topic}:
                continue
            largest = max(floor - 1, max(above, default=-1))
            if largest >= end:
                return f"it has learned the impression at [{partition}]@{largest}, where the log ends at {end}"
        return None

    def unfounded(self, sources: Sequence[Source], ends: Mapping[int, int], topic: str) -> dict[int, str]:
        """Return which of these interactions no join can have written, and why; `ends` and `topic` are as above.

        An impression is logged before its interaction is written, and what vouches for others vouches not for itself.
        Entered in the ledger, such a one would have impressions count as learned that nobody has logged yet.
        """
        doubtful = [
            (place, one)
            for place, one in enumerate(sources)
            if one.offset >= ends.get(one.partition, 0) or one.floor > one.offset
        ]
        return {place: why for place, one in doubtful if (why := self._unfounded(one, ends, topic))}

    def _unfounded(self, source: Source, ends: Mapping[int, int], topic: str) -> str | None:
        partition, offset = source.partition, source.offset
        if source.floor > offset:
            return f"it says of itself, at offset {offset}, that all before {source.floor} has been written before"
        if topic and (source.topic or self._first.get(partition, "")) not in {"", topic}:
            return None
        return f"it is of the impression at [{partition}]@{offset}, where the log ends at {ends.get(partition, 0)}"

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Ledger:
        """Return the ledger whose `state` this is. Raises `MalformedError` where it is none."""
        ledger, what = cls(), "the ledger"
        read = read_as(LedgerState, state, what)
        ledger._floors = dict(read.floors)
        ledger._above = {partition: set(above) for partition, above in read.above}
        for partition, topic, first in read.topics:
            ledger._topics[partition], ledger._first[partition] = topic, first
        for partition, topic, floor, above in read.others:
            ledger._others[partition, topic] = floor, set(above)
        kept = len(ledger._floors), len(ledger._above), len(ledger._topics), len(ledger._others)
        told = len(read.floors), len(read.above), len(read.topics), len(read.others)
        require(kept == told, f"{what}: a partition has two accounts")
        return ledger
