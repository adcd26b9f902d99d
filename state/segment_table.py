"""The windowed Faust table in which the join keeps what is pending, in segments.

One entry is one segment: what one step of the join had to keep for one window of closing times. Its key is
(partition, window, writer, number), so closing a window deletes its segments and a writer that lost its
partition without knowing can overwrite nothing. Beside them one mark per partition and writer says how far the
writer got. Faust's own windows are not used: their expiry goes by the wall clock, and their close callback
loses windows.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from struct import Struct
from typing import Annotated, Any, Final, Protocol

import cramjam
import faust
import msgspec
import numpy as np
from faust.types import EventT, FutureMessage
from msgspec import Meta
from numpy.typing import NDArray

from processors.join.entries import BEFORE_TIME
from processors.wire.bounded_unpacking import UnpackError, unpacked_zstd
from processors.wire.plain_state import MOST_COUNTED, Count

Key = tuple[int, int, str, int]
MARK_WINDOW = -1
"""The `window` of the keys under which marks are kept."""

MOST_UNPACKED: Final = 64 << 20
"""Bytes of a segment: thirty times what a worker puts in one."""
MOST_OFFSETS: Final = 1 << 20
"""Of what was given up in a segment, twenty times as many as a worker puts in one: a byte may take 40 in memory."""
HOLDER: Final = Struct("<q")
"""Of an impression, before the value of feedback that it holds."""
Time = Annotated[int, Meta(ge=BEFORE_TIME, le=MOST_COUNTED)]

ZSTD_LEVEL = -2
"""Takes three quarters of the time of level 1, for 20 bytes more of an impression of 355."""


class JournalError(Exception):
    """What was kept of a join cannot be gone on from; the message says what of it, why, and what to do."""


class Rows(msgspec.Struct, array_like=True, frozen=True):
    """Records as columns: 8 bytes for an offset and for a time, 4 for a value's length, and the values, joined."""

    offsets: bytes = b""
    times: bytes = b""
    lengths: bytes = b""
    values: bytes = b""

    @classmethod
    def of(cls, offsets: list[int], times: list[int], values: list[bytes]) -> Rows:
        """Return all of these records as columns."""
        return next(cls.parts(offsets, times, values, sum(map(len, values))), cls())

    @classmethod
    def parts(cls, offsets: list[int], times: list[int], values: list[bytes], most_bytes: int) -> Iterator[Rows]:
        """Yield these records in parts with values of at most `most_bytes`, or with a single one."""
        lengths = np.fromiter(map(len, values), "<i4", len(values))
        ends, places, moments = np.cumsum(lengths, dtype=np.int64), np.array(offsets, "<i8"), np.array(times, "<i8")
        begin = 0
        while begin < len(values):
            most = most_bytes + (int(ends[begin - 1]) if begin else 0)
            end = max(begin + 1, int(np.searchsorted(ends, most, "right")))
            part = slice(begin, end)
            yield cls(places[part].tobytes(), moments[part].tobytes(), lengths[part].tobytes(), b"".join(values[part]))
            begin = end

    def fit(self) -> bool:
        """Say whether the columns are of as many records, hold offsets and times, and lengths of the values."""
        count = len(self.offsets) // 8
        if (len(self.offsets), len(self.times), len(self.lengths)) != (8 * count, 8 * count, 4 * count):
            return False
        lengths, offsets = np.frombuffer(self.lengths, "<i4"), np.frombuffer(self.offsets, "<i8")
        within = (
            _all_within(lengths, 0, len(self.values))
            and _all_within(offsets, 0, MOST_COUNTED)
            and _all_within(np.frombuffer(self.times, "<i8"), BEFORE_TIME, MOST_COUNTED)
        )
        return within and int(lengths.sum(dtype=np.int64)) == len(self.values)

    def __iter__(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield (offset, time, value) of each record."""
        offsets, times = np.frombuffer(self.offsets, "<i8").tolist(), np.frombuffer(self.times, "<i8").tolist()
        ends = np.cumsum(np.frombuffer(self.lengths, "<i4"), dtype=np.int64).tolist()
        begin = 0
        for offset, time, end in zip(offsets, times, ends, strict=True):
            yield offset, time, self.values[begin:end]
            begin = end


def _all_within(column: NDArray[np.int_], least: int, most: int) -> bool:
    return len(column) == 0 or bool(column.min() >= least and column.max() <= most)


class Segment(msgspec.Struct, array_like=True):
    """What one step kept for one window.

    The times of impressions are those from which they count, those of feedback its log times. Before each value of
    `held` stand 8 bytes: the offset of the impression that has it. `evicted` are the offsets of impressions that were
    given up or late, and `waited_since` the times since when each had waited; `spent` are the offsets of early feedback
    that waits no longer. `closed` are impressions that wait no longer, and `late` those that never did: of these their
    ids alone were kept, as values, and since when they had waited, as times.
    """

    impressions: Rows = Rows()
    feedback: Rows = Rows()
    held: Rows = Rows()
    early: Rows = Rows()
    evicted: Annotated[list[Count], Meta(max_length=MOST_OFFSETS)] = []
    waited_since: Annotated[list[Time], Meta(max_length=MOST_OFFSETS)] = []
    spent: Annotated[list[Count], Meta(max_length=MOST_OFFSETS)] = []
    closed: Rows = Rows()
    late: Rows = Rows()

    def is_bare(self) -> bool:
        """Say whether it holds nothing that could be taken out of it."""
        return not (self.impressions.offsets or self.feedback.offsets or self.held.offsets or self.early.offsets)


class Mark(msgspec.Struct):
    """How far the join of one partition is, and which segments count.

    `writers` holds, for each writer whose segments may still live, the number below which they count. Offsets are
    the next ones to be read; times are in ms. `..._reached_at` is when a log reached its time, by the wall clock, so
    that an idle one goes on from there; 0 in the marks of older builds. `..._topic` are the ids of the topics in which
    the offsets are, and `source_topic` what interactions carry as that of the impressions; empty where not known.
    """

    epoch: Count
    impressions_offset: Count
    feedback_offset: Count
    impressions_time: Time
    feedback_time: Time
    watermark: Time
    writers: dict[str, Count]
    impressions_reached_at: Count = 0
    feedback_reached_at: Count = 0
    impressions_topic: str = ""
    feedback_topic: str = ""
    source_topic: str = ""


class SegmentStore(Protocol):
    """Where a journal keeps its segments and marks."""

    def marks(self, partition: int) -> dict[str, Mark]:
        """Return the marks of a partition by writer. Raises `JournalError`."""

    def segments(self, partition: int) -> Iterator[tuple[Key, bytes]]:
        """Return the segments that a partition has now, in no order, packed: `unpacked` is for those that count."""

    def segment(self, key: Key) -> bytes:
        """Return the segment under a key, packed."""

    def put_segment(self, key: Key, value: bytes) -> None:
        """Write a segment, packed."""

    def put_mark(self, partition: int, writer: str, mark: Mark) -> None:
        """Write a writer's mark."""

    def __delitem__(self, key: Key) -> None:
        """Delete a segment or a mark."""

    async def acknowledged(self, partition: int) -> None:
        """Wait until everything written of this partition is durable. Raises what writing raised."""


_encode = msgspec.msgpack.Encoder().encode
_decode_segment = msgspec.msgpack.Decoder(Segment).decode


def packed(segment: Segment) -> bytes:
    """Return a segment as it is kept: what waits is there twice, in the fold and here, and here nobody reads it."""
    return bytes(cramjam.zstd.compress(_encode(segment), level=ZSTD_LEVEL))


def unpacked(key: Key, value: bytes) -> Segment:
    """Return the segment under a key, of which these are the bytes. Raises `JournalError` where they are none."""
    try:
        segment = _decode_segment(unpacked_zstd(value, MOST_UNPACKED))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, UnpackError) as error:
        raise JournalError(_not_kept(key, error)) from error
    rows = (segment.impressions, segment.feedback, segment.held, segment.early, segment.closed, segment.late)
    if not all(one.fit() for one in rows) or len(segment.evicted) != len(segment.waited_since):
        raise JournalError(_not_kept(key, "its columns do not fit"))
    return segment


encode_mark: Callable[[Mark], bytes] = _encode
_decode_mark = msgspec.msgpack.Decoder(Mark).decode


def decode_mark(key: Key, value: bytes) -> Mark:
    """Return the mark under a key, of which these are the bytes. Raises `JournalError` where they are none."""
    try:
        mark = _decode_mark(value)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise JournalError(_not_kept(key, error)) from error
    if mark.watermark > min(mark.impressions_time, mark.feedback_time):
        raise JournalError(_not_kept(key, "its watermark is ahead of the logs"))
    return mark


def _not_kept(key: Key, why: object) -> str:
    partition, window, writer, number = key
    kind = "mark" if window == MARK_WINDOW else "segment"
    return (
        f"partition {partition}: the {kind} [{partition},{window},{writer!r},{number}] of the changelog is not what a "
        f"worker keeps: {why}. Delete its record to go on without it, which loses what it held, and see who may write "
        "there"
    )


def as_key(value: object) -> Key | None:
    """Return the key of a segment or a mark, None where the value is none."""
    match value:
        case [int(partition), int(window), str(writer), int(number)] if (
            partition >= 0 and MARK_WINDOW <= window <= MOST_COUNTED and 0 <= number <= MOST_COUNTED
        ):
            return partition, window, writer, number
    return None


class SegmentTable(faust.Table[Key, bytes]):
    """A table that can be written from anywhere, because its keys name their partition, and that can be waited for."""

    def __init__(self, app: faust.App, *, partitions: int, **options: Any) -> None:
        super().__init__(
            app,
            name="pending",
            partitions=partitions,
            value_type=bytes,
            **options,
        )
        self._unacknowledged: defaultdict[int, list[FutureMessage]] = defaultdict(list)
        self.disbelieved = 0
        """How many records of the changelog were passed over, as no worker can have written them."""

    def apply_changelog_batch(self, batch: Iterable[EventT[Any]]) -> None:
        """Take in what lies on the changelog, but for what no worker can have written there."""
        kept = []
        for event in batch:
            key = as_key(event.key)
            if key is not None and key[0] == event.message.partition and isinstance(event.value, bytes | None):
                kept.append(event)
            elif event.key is not None or event.value is not None:  # or it stands for what cannot be read
                self.disbelieved += 1
        super().apply_changelog_batch(kept)

    def partition_for_key(self, key: Key) -> int:
        """Return the partition that the key names."""
        return key[0]

    def send_changelog(self, partition: int | None, key: Key, *arguments: Any, **options: Any) -> FutureMessage:
        """Send a change, and remember it for `acknowledged`."""
        future = super().send_changelog(partition, key, *arguments, **options)
        self._unacknowledged[key[0]].append(future)
        return future

    async def acknowledged(self, partition: int) -> None:
        """Wait until the broker has acknowledged every change of a partition so far. Raises what sending raised."""
        await asyncio.gather(*self._unacknowledged.pop(partition, ()))

    def segment(self, key: Key) -> bytes:
        """Return the segment under a key, packed."""
        value: bytes = self.data[key]
        return value

    def put_segment(self, key: Key, value: bytes) -> None:
        """Write a segment, packed."""
        self[key] = value

    def put_mark(self, partition: int, writer: str, mark: Mark) -> None:
        """Write a writer's mark."""
        self[partition, MARK_WINDOW, writer, 0] = encode_mark(mark)

    def marks(self, partition: int) -> dict[str, Mark]:
        """Return the marks of a partition by writer."""
        return {key[2]: decode_mark(key, self.data[key]) for key in self.keys_of(partition) if key[1] == MARK_WINDOW}

    def segments(self, partition: int) -> Iterator[tuple[Key, bytes]]:
        """Return the segments that a partition has now, in no order, packed."""
        return iter([(key, self.data[key]) for key in self.keys_of(partition) if key[1] != MARK_WINDOW])

    def keys_of(self, partition: int) -> list[Key]:
        """Return the keys of a partition."""
        return [key for key in self.data if key[0] == partition]

    def keep_only(self, partitions: Collection[int]) -> None:
        """Drop the local copies of all other partitions: another worker has them now. Their changelog stays."""
        for key in [key for key in self.data if key[0] not in partitions]:
            del self.data[key]
