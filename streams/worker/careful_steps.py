"""Steps after a death without an error: announced, one at a time, and as narrow as the trail says.

Workers keep no disk. What one leaves for the next goes along with the group's commits: the metadata of each partition's
committed offset is its `Trail` (`processors/admission/deaths.py`). A worker that takes a partition over reads it, and
notes that the partition is held; letting go of it, it notes that too. As long as nobody dies that is all.

Where the one before has died, this worker announces each step before it works on the records, and takes it back when it
has, for `CAREFUL_SECONDS` and as long as anything is suspected. Meanwhile it does one thing at a time, of all its
partitions: what it dies of is what was announced, or nothing that was. What comes after, writing what came of the
records, closing windows, publishing, checkpoints, is announced by nobody, so that a worker that dies of these blames no
record.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from faust.types import TP

from processors.admission.deaths import ALONE_DEATHS, Stretch, Trail
from processors.wire.log_records import LogRecord, UnreadRecords
from streams.kafka.topics import NO_ID
from streams.observing.conditions import DEATHS_AT_ONE_PLACE, Conditions
from streams.observing.logs import get_log
from streams.worker.whole_steps import Worked, unannounced

LOG = get_log(__name__)
CAREFUL_SECONDS: Final = 300.0
"""For which steps are announced after a death: longer than it takes to be again where the one before had been."""
WHY: Final = f"{ALONE_DEATHS} workers in a row died, without an error, while it alone was worked on"
"""What is said of a record that is set aside."""


class CarefulSteps:
    """The trails of the partitions that one worker holds.

    `commit` commits offsets, with what stands in `notes` beside them, and says whether the group has taken them;
    `committed` are those that it has taken. `clock` is in seconds and never goes back.
    """

    def __init__(
        self,
        commit: Callable[[Mapping[TP, int]], Awaitable[bool]],
        committed: Mapping[TP, int],
        notes: MutableMapping[TP, str],
        conditions: Conditions,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._commit = commit
        self._committed = committed
        self._notes = notes
        self._conditions = conditions
        self._clock = clock
        self._holder = secrets.token_hex(4)
        self._trails: dict[TP, Trail] = {}
        self._turn = asyncio.Lock()
        self._careful_until = -1.0

    async def take_over(
        self, partitions: Collection[TP], found: Mapping[TP, tuple[int, str]], topic_ids: Mapping[str, str]
    ) -> None:
        """Go on from the trails that were found beside the offsets of partitions, and note that these are held."""
        died_in: dict[str, Stretch | None] = {}
        for tp in sorted(partitions):
            before = Trail.read(found[tp][1]) if tp in found else Trail()
            trail = self._trails[tp] = before.taken_over(topic_ids.get(tp.topic, NO_ID), self._holder)
            self._notes[tp] = trail.written()
            if before.died(self._holder):
                died_in[_place(tp)] = before.step
            for offset in trail.blamed[len(before.blamed) :]:
                LOG.error("to be set aside: " + WHY, topic=tp.topic, partition=tp.partition, offset=offset)
            self._say(tp)
        if died_in:
            self._careful_until = self._clock() + CAREFUL_SECONDS
            LOG.warning(
                "who held these partitions ended without letting go of them: for a while each step is announced, and "
                "one is done at a time",
                partitions=sorted(died_in),
                died_in={place: step for place, step in died_in.items() if step},
            )
        await self._commit({tp: found[tp][0] if tp in found else 0 for tp in partitions})

    async def let_go(self, well: bool) -> None:
        """Let go of all partitions. Where this worker does not end well, what was announced stays."""
        trails, self._trails = self._trails, {}
        for tp, trail in trails.items():
            self._conditions.say(DEATHS_AT_ONE_PLACE, None, _place(tp))
            if well:
                self._notes[tp] = trail.let_go().written()
        if well and trails:
            await self._commit({tp: self._committed[tp] for tp in trails if tp in self._committed})
        for tp in trails:
            self._notes.pop(tp, None)

    def steps(self, tp: TP, records: Sequence[LogRecord]) -> Iterator[Sequence[LogRecord]]:
        """Yield the records of each step; where a record is to be set aside, what says so in its place."""
        left = self._without_blamed(tp, records)
        while left:
            taken = self._in_one_step(tp, left)
            yield left[:taken]
            left = left[taken:]

    def _without_blamed(self, tp: TP, records: Sequence[LogRecord]) -> Sequence[LogRecord]:
        blamed = self._trails[tp].blamed if tp in self._trails else ()
        if not blamed:
            return records
        return [
            UnreadRecords(one.offset, one.offset, one.timestamp, WHY, too_large=False, came=one)
            if one.offset in blamed
            else one
            for one in records
        ]

    def _in_one_step(self, tp: TP, records: Sequence[LogRecord]) -> int:
        if not self._careful or tp not in self._trails:
            return len(records)
        end = self._trails[tp].end_of_step(records[0].offset)
        return max(1, sum(record.offset < end for record in records))

    @asynccontextmanager
    async def step(self, tp: TP, records: Sequence[LogRecord]) -> AsyncIterator[Worked]:
        """Announce a step where that is due; yield what takes it back when the records have been worked on."""
        if not self._careful or tp not in self._trails:
            yield unannounced
            return
        async with self._turn:
            await self._note(tp, self._trails[tp].announced(_stretch(records)))
            worked = partial(self._worked, tp)
            yield worked
            await worked()

    @asynccontextmanager
    async def nothing_else(self) -> AsyncIterator[None]:
        """Do what no record is to blame for while nothing is announced."""
        if not self._careful:
            yield
            return
        async with self._turn:
            yield

    @property
    def _careful(self) -> bool:
        return self._clock() < self._careful_until or any(trail.suspect for trail in self._trails.values())

    async def _worked(self, tp: TP) -> None:
        trail = self._trails.get(tp)
        if trail is not None and trail.step is not None:
            await self._note(tp, trail.lived_through())
            self._say(tp)

    async def _note(self, tp: TP, trail: Trail) -> None:
        self._trails[tp], self._notes[tp] = trail, trail.written()
        if tp in self._committed:
            await self._commit({tp: self._committed[tp]})

    def _say(self, tp: TP) -> None:
        trail, says = self._trails[tp], None
        if trail.suspect is not None:
            first, end = trail.suspect
            where = f"at offset {first}" if end - first == 1 else f"between offsets {first} and {end - 1}"
            says = f"workers died without an error {where} of {_place(tp)}; steps there are narrower now"
        self._conditions.say(DEATHS_AT_ONE_PLACE, says, _place(tp))


def _stretch(records: Sequence[LogRecord]) -> Stretch:
    return records[0].offset, records[-1].offset + 1


def _place(tp: TP) -> str:
    return f"{tp.topic}[{tp.partition}]"
