"""Records of a log as they came, and as many of them as are worked on together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

MOST_RECORDS: Final = 2_000
MOST_BYTES: Final = 4_000_000
"""Of the values of a part. What is held of a part while it is looked into takes some thirty times as much, at worst."""


class LogRecord(Protocol):
    """A record as it came; its timestamp (ms) is the broker's, or the producer's where the topic is stamped so."""

    @property
    def offset(self) -> int: ...

    @property
    def timestamp(self) -> int: ...

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...


@dataclass(slots=True)
class UnreadRecords:
    """Records of a log that stand there and were not unpacked; in the place of the last of them.

    They begin at `first_offset`. `why` says what is the matter; `too_large` whether it is that they unpack to too much.
    `came` is what came, where that is known and only not to be looked into.
    """

    first_offset: int
    offset: int
    timestamp: int
    why: str
    too_large: bool
    key: None = None
    value: None = None
    came: LogRecord | None = None


def as_it_came(record: LogRecord) -> LogRecord:
    """Return a record with its key and value, also where it is not to be looked into."""
    return record.came if isinstance(record, UnreadRecords) and record.came is not None else record


def parts(records: Sequence[LogRecord]) -> Iterator[Sequence[LogRecord]]:
    """Yield the records in parts of at most `MOST_RECORDS` and `MOST_BYTES`, or of a single one.

    A poll brings as many as lie on the broker; worked on all at once they would neither fit the caches nor, where they
    are large, the memory.
    """
    for begin in range(0, len(records), MOST_RECORDS):
        part = records[begin : begin + MOST_RECORDS]
        sizes = [len(record.value or b"") for record in part]
        if sum(sizes) <= MOST_BYTES:
            yield part
        else:
            yield from _cut(part, sizes)


def _cut(records: Sequence[LogRecord], sizes: Sequence[int]) -> Iterator[Sequence[LogRecord]]:
    begin = size = 0
    for place, more in enumerate(sizes):
        if place > begin and size + more > MOST_BYTES:
            yield records[begin:place]
            begin, size = place, 0
        size += more
    yield records[begin:]
