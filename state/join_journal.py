"""What makes the join of one partition survive: segments, then the mark, in the order that is safe.

A step of the join counts as done when its outputs and its segments are acknowledged and then the mark is; only
then may offsets be committed and segments of forgotten windows be deleted. What lies beyond the mark is ignored
on restore, and its input is read again.

Segments live until all in them is forgotten. Where they take more than they may, what waits no longer is taken out of
them, as of a mark and once a commit has been taken after it, as with what is deleted.
"""

from __future__ import annotations

import secrets
import struct
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from operator import itemgetter
from typing import Final, TypeVar, cast

import msgspec

from processors.admission.event_records import readmit_feedback, readmit_impression
from processors.join.config import JoinConfig
from processors.join.entries import BEFORE_TIME, NEVER, Kept, ObservedFeedback, Payload, ShownImpression, logged_at
from processors.join.fold import Join
from processors.join.timed_entries import TimedEntries
from processors.wire.plain_state import MOST_COUNTED
from state.segment_table import (
    HOLDER,
    MARK_WINDOW,
    JournalError,
    Key,
    Mark,
    Rows,
    Segment,
    SegmentStore,
    packed,
    unpacked,
)
from state.spill import Spill
from state.thinned_segments import thinned

MAX_SEGMENT_BYTES = 500_000
"""Of values, beyond which a segment is cut. One may be larger, and still fits the 1 MB that brokers take by default."""
MAX_OFFSETS = 50_000
"""Of what was given up, beyond which a segment is cut. With a time each they take 900 kB before they are packed."""
SMALL_SEGMENT = 256
"""Entries below which a segment takes in the next window's as well."""

LOOKED_AT: Final = 32
"""Segments of a step that are looked into for what waits no longer, each of which takes a millisecond or two."""
WORTH_WRITING: Final = 0.75
"""Of the bytes of a segment, what may be left for it to be written once more."""
AGAIN_BEYOND: Final = 1.25
"""Of the bytes that are left when all segments have been looked into, how many there are when they are once more."""

T = TypeVar("T")


class JoinJournal:
    """The durable side of one partition's join. `restore` comes first; it also opens a new writer.

    It restores what the table held when the journal was made, and may do so in a thread of its own.

    With a `spill`, the values of what is pending go there as soon as they are in a segment.
    """

    def __init__(
        self,
        table: SegmentStore,
        partition: int,
        window_ms: int,
        spill: Spill | None = None,
        topics: tuple[str, str] = ("", ""),
        most_bytes: int = MOST_COUNTED,
    ) -> None:
        """`topics` are the ids of impressions and feedback: a mark that names none is of these.

        Beyond `most_bytes` of segments, and what waiting feedback takes, they are thinned.
        """
        self._topics = topics
        self._most_bytes = most_bytes
        self._spill = spill
        self._table = table
        self._partition = partition
        self._window_ms = window_ms
        # Taken here, so that `restore` looks at nothing that may change meanwhile.
        self._marks, self._segments = table.marks(partition), table.segments(partition)
        self._mark = Mark(0, 0, 0, BEFORE_TIME, BEFORE_TIME, BEFORE_TIME, {})
        self._writer = ""
        self._number = 0
        self._windows: defaultdict[int, dict[Key, int]] = defaultdict(dict)
        """The segments of each window, and the bytes that each takes, or will when it has been thinned."""
        self.bytes = 0
        """The bytes that all segments take, packed."""
        self._thinned: dict[Key, bytes] = {}
        """What is to be written in the place of segments when a commit has been taken."""
        self._bare: set[Key] = set()
        """Segments in which nothing waits any more."""
        self._to_look_into: deque[Key] = deque()
        self._look_beyond = 0
        self._superseded: list[str] = []
        self._forgotten_before: int | None = None

    def restore(self, join: Join) -> Mark:
        """Refold into an empty join what the newest mark vouches for; return that mark. Raises `JournalError`."""
        try:
            return self._restored(join)
        except (msgspec.MsgspecError, struct.error, KeyError, RecursionError, TypeError, ValueError) as error:
            raise JournalError(
                f"partition {self._partition}: what waits cannot be restored: the changelog holds what is no "
                f"impression and no feedback ({type(error).__name__}: {error}). See who may write there"
            ) from error

    def _restored(self, join: Join) -> Mark:
        marks = self._marks
        if marks:
            self._mark = max(marks.values(), key=_newness)
        mark = self._mark
        impressions_topic, feedback_topic = self._topics
        mark.impressions_topic = mark.impressions_topic or impressions_topic
        mark.feedback_topic = mark.feedback_topic or feedback_topic
        mark.source_topic = mark.source_topic or mark.impressions_topic
        join.restore_times(mark.impressions_time, mark.feedback_time, mark.watermark)
        impressions: list[tuple[int, int, bytes | Payload]] = []
        gone: list[tuple[int, int, int, bytes]] = []
        feedback: list[tuple[int, int, bytes]] = []
        held: list[tuple[int, int, bytes]] = []
        early: list[tuple[int, int, bytes]] = []
        evicted: dict[int, int] = {}
        spent: set[int] = set()
        put_aside: Callable[[bytes], bytes | Payload] = bytes if self._spill is None else self._spill.put
        for key, value in self._segments:
            _, _, writer, number = key
            self._hold(key, len(value))
            if number < mark.writers.get(writer, 0):
                segment = unpacked(key, value)
                if segment.is_bare():
                    self._bare.add(key)
                impressions += [(offset, at, put_aside(shown)) for offset, at, shown in segment.impressions]
                feedback += segment.feedback
                held += segment.held
                early += segment.early
                evicted.update(zip(segment.evicted, segment.waited_since, strict=True))
                spent.update(segment.spent)
                gone += [(offset, since, since, name) for offset, since, name in segment.closed]
                gone += [(offset, NEVER, since, name) for offset, since, name in segment.late]
        impressions.sort(key=itemgetter(0))
        shown = (
            (_readmitted(value, offset), effective, evicted.get(offset)) for offset, effective, value in impressions
        )
        ids_alone = [(_known_alone(name, offset), effective, since) for offset, effective, since, name in sorted(gone)]
        join.restore_impressions(merge(shown, ids_alone, key=_place) if gone else shown)
        held_by = [_with_holder(*one) for one in sorted(held)]
        join.restore_held(held_by)
        waiting = {one[0] for one in early} - spent
        others = sorted(feedback + [one for one in early if one[0] in waiting])
        readmitted = ((None, readmit_feedback(value, offset, log_time)) for offset, log_time, value in others)
        for holder, observed in merge(held_by, readmitted, key=_offset):
            join.restore_feedback(observed, early=observed.offset in waiting, held_by=holder)
        self._open_writer(marks)
        return mark

    def _open_writer(self, earlier: dict[str, Mark]) -> None:
        self._mark.epoch = min(self._mark.epoch + 1, MOST_COUNTED)  # or no start could read what is written here
        self._writer = f"{self._mark.epoch}-{secrets.token_hex(4)}"
        self._superseded = list(earlier)

    def keep(self, kept: Kept, forgotten_before: int = BEFORE_TIME) -> None:
        """Write what a step kept and is not forgotten yet. It counts only when `mark` has returned.

        A segment is for one window. Only where a step spans many windows with little in each, as when the past is
        replayed, do small neighbours share one and live as long as the last of them.
        """
        for window, shown in self._windows_of(kept.impressions, forgotten_before):
            self._write_impressions(window, [pending.impression for pending in shown], list(map(logged_at, shown)))
        for window, observed in self._windows_of(kept.feedback, forgotten_before):
            for rows in _feedback_rows(observed):
                self._put(window, Segment(feedback=rows))
        for window, held in self._windows_of(kept.held, forgotten_before):
            for rows in _feedback_rows([one for _, one in held], [HOLDER.pack(offset) for offset, _ in held]):
                self._put(window, Segment(held=rows))
        for window, early in self._windows_of(kept.early, forgotten_before):
            for rows in _feedback_rows(early):
                self._put(window, Segment(early=rows))
        for window, evicted in self._windows_of(kept.evicted, forgotten_before):
            for some in _chunks(evicted):
                offsets, waited_since = map(list, zip(*some, strict=True))
                self._put(window, Segment(evicted=offsets, waited_since=waited_since))
        for window, spent in self._windows_of(kept.spent, forgotten_before):
            for part in _chunks(spent):
                self._put(window, Segment(spent=part))

    def _windows_of(self, kept: TimedEntries[T], forgotten_before: int) -> Iterator[tuple[int, list[T]]]:
        """Yield the entries of each window, or of several where they are few, with the last of these windows."""
        windows = kept.after(forgotten_before).by(self._window_ms)
        last, entries = max(windows, default=0), list[T]()
        for window in sorted(windows):
            entries = entries + windows[window] if entries else windows[window]
            if len(entries) >= SMALL_SEGMENT or window == last:
                yield window, entries
                entries = []

    def _write_impressions(self, window: int, shown: list[ShownImpression], times: list[int]) -> None:
        offsets = [one.offset for one in shown]
        values = cast("list[bytes]", [one.value for one in shown])  # they are put elsewhere below, and not before
        for rows in Rows.parts(offsets, times, values, MAX_SEGMENT_BYTES):
            self._put(window, Segment(impressions=rows))
        if self._spill is not None:
            for impression, value in zip(shown, values, strict=True):
                impression.value = self._spill.put(value)

    def _put(self, window: int, segment: Segment) -> None:
        key = (self._partition, window, self._writer, self._number)
        self._number += 1
        value = packed(segment)
        self._table.put_segment(key, value)
        self._hold(key, len(value))

    def _hold(self, key: Key, size: int) -> None:
        """Take notice of what a segment takes, or will take."""
        window = self._windows[key[1]]
        self.bytes += size - window.get(key, 0)
        window[key] = size

    async def mark(
        self, join: Join, impressions_offset: int, feedback_offset: int, reached_at: tuple[int, int] = (0, 0)
    ) -> None:
        """Wait for the segments, then write the mark and wait for it. Call it when the outputs are acknowledged.

        `reached_at` is when both logs reached the times they are at, in ms of the wall clock; 0: not known.
        """
        await self._table.acknowledged(self._partition)
        mark = self._mark
        mark.impressions_offset, mark.feedback_offset = impressions_offset, feedback_offset
        mark.impressions_time, mark.feedback_time = join.impressions_time, join.feedback_time
        mark.impressions_reached_at, mark.feedback_reached_at = reached_at
        mark.watermark = join.watermark
        mark.writers[self._writer] = self._number
        self._table.put_mark(self._partition, self._writer, mark)
        await self._table.acknowledged(self._partition)
        self._forgotten_before = join.forgotten_before
        self._thin(join)

    def _thin(self, join: Join) -> None:
        """Look into some segments for what waits no longer, where all take more than they may.

        The join has to be that of the mark: what waits no longer then is not needed whatever comes.
        """
        most = self._most_bytes + join.early_bytes
        if self.bytes <= most:
            return
        if not self._to_look_into and self.bytes > self._look_beyond:
            keys = (key for window in self._windows.values() for key in window if key not in self._bare)
            self._to_look_into.extend(sorted(keys))
        looked_at, vouched = 0, self._mark.writers
        while self._to_look_into and looked_at < LOOKED_AT and self.bytes > most:
            key = self._to_look_into.popleft()
            _, window, writer, number = key
            size = self._windows[window].get(key) if window in self._windows else None
            if size is None or number >= vouched.get(writer, 0):
                continue  # it is gone meanwhile, or of one that had lost the partition, and nobody looks into it
            looked_at += 1
            value = self._thinned.get(key) or self._table.segment(key)
            segment = thinned(unpacked(key, value), join)
            left = b"" if segment == Segment() else packed(segment)
            if segment.is_bare():
                self._bare.add(key)
            if len(left) <= WORTH_WRITING * size:
                self._thinned[key] = left
                self._hold(key, len(left))
            if not self._to_look_into:
                self._look_beyond = round(AGAIN_BEYOND * self.bytes)

    async def begin_anew(self, impressions_offset: int, feedback_offset: int, source_topic: str) -> None:
        """Let what is restored next be an empty join that reads on from there, in the topics of this journal.

        Of what was kept nothing counts any more.
        """
        mark = self._mark
        mark.writers, (mark.impressions_topic, mark.feedback_topic) = {}, self._topics
        mark.source_topic = source_topic
        await self.mark(Join(JoinConfig()), impressions_offset, feedback_offset)

    @property
    def can_forget(self) -> bool:
        """Whether there is anything that the mark makes needless."""
        return self._forgotten_before is not None and bool(
            self._superseded or self._thinned or self._needless_windows()
        )

    def forget(self) -> None:
        """Delete the segments of windows that the mark has left behind, what was thinned, and the marks it supersedes.

        Call it when the broker has taken a commit: it takes none of a worker that has lost its partition, which
        would delete what the partition's new owner still needs.
        """
        if self._forgotten_before is None:
            return
        for window in self._needless_windows():
            for key, size in self._windows.pop(window).items():
                self._thinned.pop(key, None)
                self._bare.discard(key)
                self.bytes -= size
                del self._table[key]
        for key, left in self._thinned.items():
            if left:
                self._table.put_segment(key, left)
            else:
                self._bare.discard(key)
                del self._windows[key[1]][key]
                del self._table[key]
        self._thinned = {}
        for writer in self._superseded:
            del self._table[self._partition, MARK_WINDOW, writer, 0]
        self._superseded = []
        if len(self._mark.writers) > 1:
            living = {key[2] for keys in self._windows.values() for key in keys} | {self._writer}
            self._mark.writers = {w: n for w, n in self._mark.writers.items() if w in living}

    def _needless_windows(self) -> list[int]:
        before = self._forgotten_before
        return [] if before is None else [w for w in self._windows if (w + 1) * self._window_ms <= before]


def _readmitted(value: bytes | Payload, offset: int) -> ShownImpression:
    impression = readmit_impression(bytes(value), offset)
    impression.value = value
    return impression


def _known_alone(name: bytes, offset: int) -> ShownImpression:
    """Return an impression of which no more is known than its id; it does not wait."""
    return ShownImpression(name.decode(), BEFORE_TIME, "", offset, b"")


def _place(shown: tuple[ShownImpression, int, int | None]) -> int:
    return shown[0].offset


def _chunks(entries: list[T]) -> Iterator[list[T]]:
    return (entries[begin : begin + MAX_OFFSETS] for begin in range(0, len(entries), MAX_OFFSETS))


def _feedback_rows(observed: list[ObservedFeedback], holders: Sequence[bytes] = ()) -> Iterator[Rows]:
    offsets, log_times = [one.offset for one in observed], [one.log_time for one in observed]
    values = [one.value for one in observed]
    if holders:
        values = [holder + value for holder, value in zip(holders, values, strict=True)]
    return Rows.parts(offsets, log_times, values, MAX_SEGMENT_BYTES)


def _with_holder(offset: int, log_time: int, value: bytes) -> tuple[int, ObservedFeedback]:
    (holder,) = HOLDER.unpack_from(value)
    return holder, readmit_feedback(value[HOLDER.size :], offset, log_time)


def _offset(held_by: tuple[int | None, ObservedFeedback]) -> int:
    return held_by[1].offset


def _newness(mark: Mark) -> tuple[int, int, int]:
    # Two workers that took a partition over from the same mark write the same epoch.
    return mark.epoch, mark.watermark, mark.impressions_offset + mark.feedback_offset
