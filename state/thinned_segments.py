"""What of a segment is still needed: the values of what waits, and of what does not no more than that it is known.

A segment lives until everything in it is forgotten, long after what it holds was closed, evicted or late. Of such an
impression a restart needs the id and since when it had waited; of feedback that was joined to it nothing.
"""

from __future__ import annotations

from processors.admission.event_records import readmit_feedback, readmit_impression
from processors.join.entries import BEFORE_TIME, LateSince, Pending
from processors.join.fold import Join
from state.segment_table import HOLDER, Rows, Segment


def thinned(segment: Segment, join: Join) -> Segment:
    """Return a segment from which the same join is restored as from this one, without what that does not need.

    The mark that vouches for it, or a later one, has to be of the join as it is. A value that is only held by an
    impression that waits no longer leaves a note of that: the impression itself may stand in another segment, whole.
    """
    shown, closed, late = _thinned_impressions(segment, join)
    joined, held, early = Columns(), Columns(), Columns()
    for offset, time, value in segment.feedback:
        if isinstance(join.known(readmit_feedback(value, offset, time).impression_id), Pending):
            joined.keep(offset, time, value)
    waited_since = dict(zip(segment.evicted, segment.waited_since, strict=True))
    for offset, time, value in segment.held:
        (holder,) = HOLDER.unpack_from(value)
        known = join.known(readmit_feedback(value[HOLDER.size :], offset, time).impression_id)
        if isinstance(known, Pending) and known.impression.offset == holder:
            held.keep(offset, time, value)
        else:
            waited_since[holder] = int(known) if isinstance(known, int) else BEFORE_TIME
    for offset, time, value in segment.early:
        feedback = readmit_feedback(value, offset, time)
        if join.awaits_impression(feedback) or isinstance(join.known(feedback.impression_id), Pending):
            early.keep(offset, time, value)
    return Segment(
        shown.rows(), joined.rows(), held.rows(), early.rows(), list(waited_since), list(waited_since.values()),
        segment.spent, closed.rows(), late.rows(),
    )  # fmt: skip


def _thinned_impressions(segment: Segment, join: Join) -> tuple[Columns, Columns, Columns]:
    """Return the impressions that wait still, and the ids of those that do no longer, and of those that were late."""
    shown, closed, late = Columns(), Columns(), Columns()
    for offset, time, value in segment.impressions:
        impression_id = readmit_impression(value, offset).id
        known = join.known(impression_id)
        if isinstance(known, Pending):
            if known.impression.offset == offset:
                shown.keep(offset, time, value)
        elif known is not None:
            gone = late if isinstance(known, LateSince) else closed
            gone.keep(offset, known, impression_id.encode())
    for rows, kept in ((segment.closed, closed), (segment.late, late)):
        for offset, _, name in rows:
            if isinstance(known := join.known(name.decode()), int):
                kept.keep(offset, known, name)
    return shown, closed, late


class Columns:
    """Rows as they are collected."""

    def __init__(self) -> None:
        self._offsets: list[int] = []
        self._times: list[int] = []
        self._values: list[bytes] = []

    def keep(self, offset: int, time: int, value: bytes) -> None:
        self._offsets.append(offset)
        self._times.append(time)
        self._values.append(value)

    def rows(self) -> Rows:
        return Rows.of(self._offsets, self._times, self._values)
