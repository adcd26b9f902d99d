"""Whether a log has been read to its end, or something that was handed out never arrived."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Protocol

from faust.types import TP

from streams.kafka.topics import ADOPT

PATIENCE = 5.0
"""Seconds that what was handed out may take to be read, at first."""


class LogTruncatedError(Exception):
    """A log is shorter than what has been read of it; the message says what to do."""


class LogEnds(Protocol):
    """What tells where logs end: a Faust consumer."""

    def highwater(self, tp: TP) -> int | None:
        """Return what the newest fetch told, or None before the first."""

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Ask the broker."""


async def end_of_log(ends: LogEnds, tp: TP, read: int) -> int | None:
    """Return the next offset to be written to a log read up to offset `read`; None where nothing is known of it yet.

    A broker looks where the log ends before it reads from it, so a fetch may bring records from beyond the end that
    it tells of; where that seems to be, the broker is asked once more. Raises `LogTruncatedError` where it still is.
    """
    end = ends.highwater(tp)
    if end is None or end >= read:
        return end
    end = (await ends.highwaters(tp))[tp]
    if end < read:
        raise LogTruncatedError(
            f"{tp.topic}[{tp.partition}] ends at {end}, but has been read up to {read}: it was deleted "
            f"and made again, or cut. {ADOPT}"
        )
    return end


class Reading(Enum):
    """How it stands with the reading of one partition."""

    CAUGHT_UP = "caught up"
    UNDER_WAY = "under way"
    LOST = "lost"


def lag(reading: Reading, offset: int, end: int) -> int:
    """Return how many records are not yet read of a log whose next record to be read is `offset`, and written `end`.

    Markers of transactions count as records until they are known for what they are.
    """
    return 0 if reading is Reading.CAUGHT_UP else end - offset


class ReadingWatch:
    """Watches the reader of one partition from one look to the next.

    A gap in what is delivered shows with the batch behind it. At the end of a log there is none: so where there is
    more and nothing comes for a while, it is taken for lost, and fetched once more at worst. Patience doubles each
    time, since a reader may just be slow.
    """

    def __init__(self) -> None:
        self._patience = PATIENCE
        self._since: tuple[int, float] | None = None
        self._sought: tuple[int, int] | None = None

    def look(self, now: float, offset: int, handed_out: int, fetched: int, end: int) -> Reading:
        """Say how reading stands at `now` (seconds, of a clock that never goes back).

        `offset` is the next to be read, `handed_out` and `fetched` the next to be handed out and to be fetched, `end`
        the next to be written. Between the last record and `end` there may be offsets without a record, such as the
        marker that ends a transaction: they are known by being fetched again without anything to hand out.
        """
        if offset >= end:
            self._patience, self._since = PATIENCE, None
            return Reading.CAUGHT_UP
        if self._sought == (offset, end) and offset >= handed_out and fetched >= end:
            return Reading.CAUGHT_UP
        if self._since is None or self._since[0] != offset:
            self._since = (offset, now)
        elif now - self._since[1] >= self._patience:
            self._patience, self._since = 2 * self._patience, None
            self._sought = (offset, end)
            return Reading.LOST
        return Reading.UNDER_WAY
