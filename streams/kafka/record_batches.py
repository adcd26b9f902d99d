"""Stretches of a partition's log as they are read, and the cursor that sees that none is left out.

Faust can skip records: when it resumes after a rebalance it clears the queues of its agents, and what was in them is
never fetched again. So a reader asks each batch whether it begins where the last one ended (`Cursor.contiguous`) and,
if it does not, seeks back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from faust.types import TP

from processors.wire.log_records import LogRecord, UnreadRecords

STALE_BATCHES = 64
"""How many batches may have been queued before a seek: more cannot be, so those that follow are not stale."""


class RecordBatch:
    """A stretch of one partition's log, as one poll brought it. Never empty, until it is let go."""

    __slots__ = ("__weakref__", "_held", "records", "tp")

    def __init__(self, tp: TP, records: Sequence[LogRecord]) -> None:
        self.tp = tp
        self.records = records
        self._held: Callable[[], object] | None = None

    def hold(self, until: Callable[[], object]) -> None:
        """Have `until` called when the batch is let go."""
        self._held = until

    def let_go(self) -> None:
        """Drop the records: they have been worked on. An agent has its last batch at hand until the next one comes."""
        self.records = ()
        if self._held is not None:
            self._held()

    @property
    def first_offset(self) -> int:
        """The offset of the first record."""
        first = self.records[0]
        return int(first.first_offset if isinstance(first, UnreadRecords) else first.offset)

    @property
    def next_offset(self) -> int:
        """The offset at which the next batch begins."""
        return int(self.records[-1].offset) + 1

    def since(self, offset: int) -> RecordBatch | None:
        """Return what of the batch lies at or beyond an offset, or None."""
        if self.first_offset >= offset:
            return self
        left = [record for record in self.records if record.offset >= offset]
        return RecordBatch(self.tp, left) if left else None


class Gap(NamedTuple):
    """A stretch of a log that was not delivered: from `offset` on, up to where the next batch begins."""

    offset: int
    end: int


class Cursor:
    """Where the reader of one partition is, and whether a batch may be read next."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self._sought: Gap | None = None
        self._stale = 0

    def contiguous(self, batch: RecordBatch) -> RecordBatch | Gap | None:
        """Return what is to be read of the batch, or the gap to seek, or None where there is nothing to do.

        A gap that is still there after it was `sought` is the log's own (compaction, an aborted
        transaction, retention) and is passed over. What was queued before the seek is dropped, but not for ever: a
        log whose beginning moved on meanwhile has another gap, which is sought in its turn.
        """
        new = batch.since(self.offset)
        if new is None:
            return None
        gap = Gap(self.offset, new.first_offset)
        if gap.offset == gap.end or self._sought == gap:
            self._sought, self._stale = None, 0
            self.offset = new.next_offset
            return new
        queued = self._sought is not None and self._sought.offset == gap.offset and self._sought.end < gap.end
        if queued and self._stale < STALE_BATCHES:
            self._stale += 1
            return None  # queued before the seek, behind the batch that was; what was sought comes after it
        return gap

    def sought(self, gap: Gap) -> None:
        """Take note that the reader has sought a gap."""
        self._sought, self._stale = gap, 0
