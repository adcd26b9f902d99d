"""Marks and segments on the changelog: refused with one error, or gone on from.

An input is msgpack: a list of changes (`changed.py`) to a good document, which holds `marks` by writer and `segments`
with their keys, of partition 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from random import Random
from typing import Any, Final

import cramjam
import msgspec
from msgspec import Struct

from experiments.bench.pending import PackedSegments
from experiments.bench.workload import LoggedRecord
from experiments.fuzz.changed import changed, more_or_fewer
from experiments.fuzz.drawn import described
from experiments.fuzz.messages import T0, feedback, impression
from experiments.fuzz.mutation import from_msgpack
from experiments.fuzz.target import Target, require
from experiments.fuzz.worker import Joining
from groundswell.events import LATEST, LIKELY_SECONDS
from processors.wire.envelopes import decode_interaction
from state.segment_table import (
    MARK_WINDOW,
    ZSTD_LEVEL,
    JournalError,
    Key,
    Mark,
    Segment,
    as_key,
    decode_mark,
    encode_mark,
    unpacked,
)
from streams.kafka.topics import TopicChangedError
from streams.worker.partition_join import PartitionJoin

TOLD: Final = (JournalError, TopicChangedError)
"""What a worker says of a changelog that it does not go on from."""
WRITER: Final = "1-writer"
FOREVER: Final = 60_000
"""Milliseconds beyond which nothing waits that has just come."""


class _Document(Struct):
    """A changelog with the types that its parts have when they are restored."""

    marks: dict[str, Mark]
    segments: list[tuple[Key, Segment]]


class _Packed(Struct):
    """The same with everything in it as it is packed."""

    marks: dict[str, msgspec.Raw]
    segments: list[tuple[Key, msgspec.Raw]]


class Changelog(PackedSegments):
    """A table that holds what lies on a changelog, marks as bytes, too."""

    def __init__(self, records: Iterable[tuple[Key, bytes]] = ()) -> None:
        super().__init__()
        self.kept.update(records)

    def marks(self, partition: int) -> dict[str, Mark]:
        """Return the marks by writer."""
        return {key[2]: decode_mark(key, value) for key, value in self.kept.items() if key[1] == MARK_WINDOW}

    def segments(self, partition: int) -> Iterator[tuple[Key, bytes]]:
        """Return the segments, packed."""
        return iter([(key, value) for key, value in self.kept.items() if key[1] != MARK_WINDOW])

    def put_mark(self, partition: int, writer: str, mark: Mark) -> None:
        """Keep a mark."""
        self.kept[partition, MARK_WINDOW, writer, 0] = encode_mark(mark)

    def __delitem__(self, key: Key) -> None:
        """Delete a segment or a mark."""
        del self.kept[key]


@cache
def base() -> bytes:
    """Return the document of a good changelog, packed: some of it waits, some has closed, some came early."""
    table = Changelog()
    joining = Joining(table)
    for number, model in enumerate(("plain", "sharded")):
        shown = [
            impression(10 * number, model),
            impression(10 * number + 1, model, deferred=True),
            impression(10 * number + 2, model),
        ]
        answers = [feedback(10 * number), feedback(10 * number + 1), feedback(10 * number + 4, "early")]
        joining.takes(_records(shown, 3 * number), _records(answers, 3 * number))
    # The same in each process: a writer has a name that is drawn, and a mark the time of the wall clock.
    (mark,) = table.marks(0).values()
    mark.writers = {WRITER: max(mark.writers.values())}
    mark.impressions_reached_at = mark.feedback_reached_at = T0
    segments = [((0, key[1], WRITER, key[3]), unpacked(key, value)) for key, value in table.segments(0)]
    document = _Document({WRITER: mark}, segments)
    return msgspec.msgpack.encode(document)


def _records(messages: Iterable[dict[str, Any]], first: int) -> list[LoggedRecord]:
    return [
        LoggedRecord(first + place, one["impression_id"].encode(), msgspec.json.encode(one), one["occurred_at"])
        for place, one in enumerate(messages)
    ]


def table(data: bytes) -> Changelog:
    """Return the table that an input stands for. Raises `ValueError` where it stands for none."""
    changes = from_msgpack(data)
    packed = changed(base(), changes if isinstance(changes, list) else [])
    # What is in a record stays packed: it may be too large to be made anything of.
    found = msgspec.msgpack.decode(packed, type=_Packed)
    keyed = [((0, MARK_WINDOW, writer, 0), mark) for writer, mark in found.marks.items()]
    keyed += [(key, segment) for key, segment in found.segments if key[0] == 0 and as_key(list(key)) is not None]
    return Changelog(
        (key, bytes(one) if key[1] == MARK_WINDOW else bytes(cramjam.zstd.compress(bytes(one), level=ZSTD_LEVEL)))
        for key, one in keyed
    )


def check(data: bytes) -> None:
    """A worker says that it cannot go on from it, or does: what comes is joined once, and a restart finds the same."""
    try:
        kept = table(data)
    except (ValueError, OverflowError, TypeError, RecursionError, msgspec.MsgspecError):
        return  # what stands for no changelog
    try:
        joining = Joining(kept)
    except TOLD as error:
        require(bool(str(error)), "it is refused without a word")
        return
    join = joining.join
    now = max(T0, join._join.impressions_time, join._join.feedback_time) + 1
    if now < LATEST - 2 * FOREVER and not LIKELY_SECONDS.start - 2 * FOREVER <= now < LIKELY_SECONDS.stop:
        _check_joins(joining, "honest-" + sha256(data).hexdigest(), now)
    found, there = _state(joining.restored()), _state(join)
    require(found == there, f"{found} after a restart, {there} before")
    if join.can_forget:
        join.forget()
    joining.restored()


def _check_joins(joining: Joining, name: str, now: int) -> None:
    join = joining.join
    shown = impression(1, "honest", impression_id=name, occurred_at=now)
    answer = feedback(1, impression_id=name, occurred_at=now + 1)
    joining.takes(_records([shown], join.impressions.offset), _records([answer], join.feedback.offset))
    end = msgspec.json.encode({"schema_version": 1, "watermark": now + FOREVER})
    logs = (join.impressions, join.feedback)
    joining.takes(*([LoggedRecord(one.offset, None, end, now + FOREVER)] for one in logs))
    written = [value or b"" for _, value in joining.written.records.get("interactions", ())]
    values = [value for value in written if name.encode() in value]
    require(bool(values), "the good one was not written")  # what a step wrote that was begun anew is among it
    signals = decode_interaction(values[-1]).signals
    require(signals == ["click"], f"the good one came to {signals}")


def _state(join: PartitionJoin) -> tuple[int, int, int, int]:
    fold = join._join
    return len(fold), fold.early, fold.pending_bytes, fold.watermark


def seeds() -> Iterable[bytes]:
    """Yield the good changelog, and one without its marks."""
    yield msgspec.msgpack.encode([])
    yield msgspec.msgpack.encode([[[0, "marks"], {}]])


def mutated(data: bytes, rng: Random) -> bytes | None:
    """Return an input with a change more, or less."""
    try:
        return msgspec.msgpack.encode(more_or_fewer(base(), from_msgpack(data), described(_Document), rng))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError, IndexError):
        return None


TARGET: Final = Target("changelog", check, seeds, mutated)
