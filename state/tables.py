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
from collections.abc import Collection, Iterator, Sequence
from operator import itemgetter
from typing import Any, Protocol

import cramjam
import faust
import msgspec
from faust.types import FutureMessage

from processors.join import ObservedFeedback, Pending

Key = tuple[int, int, str, int]
MARK_WINDOW = -1
"""The `window` of the keys under which marks are kept."""


_value = itemgetter(2)


class Segment(msgspec.Struct, array_like=True):
    """What one step kept for one window.

    Impressions are (offset, effective time, value), feedback is (offset, log time, value); `evicted` are the offsets
    of impressions that were given up.
    """

    impressions: list[tuple[int, int, bytes]] = []
    feedback: list[tuple[int, int, bytes]] = []
    evicted: list[int] = []

    @classmethod
    def of(cls, entries: Sequence[Pending | ObservedFeedback | int]) -> Segment:
        """Return a segment of impressions with the feedback that came before them, feedback, and evicted offsets."""
        impressions = [one for one in entries if type(one) is Pending]
        feedback = [one for one in entries if type(one) is ObservedFeedback]
        feedback += [early for one in impressions if one.feedback for early in one.feedback]
        return cls(
            [(one.impression.offset, one.effective, bytes(one.impression.value)) for one in impressions],
            [(one.offset, one.log_time, one.value) for one in feedback],
            [one for one in entries if type(one) is int],
        )

    def parts(self, most_bytes: int) -> Iterator[Segment]:
        """Yield segments that have all of this one, each with values of at most `most_bytes`, or with a single one."""
        impressions, feedback = self.impressions, self.feedback
        size = sum(map(len, map(_value, impressions))) + sum(map(len, map(_value, feedback)))
        if size <= most_bytes or len(impressions) + len(feedback) == 1:
            yield self
            return
        # One of each must not end up in the same half for ever.
        some, others = (len(impressions) + 1) // 2, len(feedback) // 2
        yield from Segment(impressions[:some], feedback[:others], self.evicted).parts(most_bytes)
        yield from Segment(impressions[some:], feedback[others:]).parts(most_bytes)


class Mark(msgspec.Struct):
    """How far the join of one partition is, and which segments count.

    `writers` holds, for each writer whose segments may still live, the number below which they count. Offsets are
    the next ones to be read; times are in ms.
    """

    epoch: int
    impressions_offset: int
    feedback_offset: int
    impressions_time: int
    feedback_time: int
    watermark: int
    writers: dict[str, int]


class SegmentStore(Protocol):
    """Where a journal keeps its segments and marks."""

    def marks(self, partition: int) -> dict[str, Mark]:
        """Return the marks of a partition by writer."""

    def segments(self, partition: int) -> Iterator[tuple[Key, Segment]]:
        """Return the segments that a partition has now, in no order."""

    def put_segment(self, key: Key, segment: Segment) -> None:
        """Write a segment."""

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
    return bytes(cramjam.zstd.compress(_encode(segment), level=1))


def unpacked(value: bytes) -> Segment:
    """Return the segment of which these are the bytes."""
    return _decode_segment(bytes(cramjam.zstd.decompress(value)))


_decode_mark = msgspec.msgpack.Decoder(Mark).decode


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

    def put_segment(self, key: Key, segment: Segment) -> None:
        """Write a segment."""
        self[key] = packed(segment)

    def put_mark(self, partition: int, writer: str, mark: Mark) -> None:
        """Write a writer's mark."""
        self[partition, MARK_WINDOW, writer, 0] = _encode(mark)

    def marks(self, partition: int) -> dict[str, Mark]:
        """Return the marks of a partition by writer."""
        return {key[2]: _decode_mark(self.data[key]) for key in self.keys_of(partition) if key[1] == MARK_WINDOW}

    def segments(self, partition: int) -> Iterator[tuple[Key, Segment]]:
        """Return the segments that a partition has now, in no order. Each is unpacked when its turn comes."""
        now = [(key, self.data[key]) for key in self.keys_of(partition) if key[1] != MARK_WINDOW]
        return ((key, unpacked(value)) for key, value in now)

    def keys_of(self, partition: int) -> list[Key]:
        """Return the keys of a partition."""
        return [key for key in self.data if key[0] == partition]

    def keep_only(self, partitions: Collection[int]) -> None:
        """Drop the local copies of all other partitions: another worker has them now. Their changelog stays."""
        for key in [key for key in self.data if key[0] not in partitions]:
            del self.data[key]
