"""Records by the batch, as the broker keeps them, where aiokafka passes them on one by one.

To pass them on one by one, and to make a `ConsumerRecord` of each, takes twice as long as to unpack them.

What a batch takes unpacked is bounded while it is unpacked (`bounded_unpacking.py`); in the place of one that is beyond
stands what says so. Of a fetch no more is unpacked at once than `at_once` bytes: what is left of it is fetched again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from inspect import GEN_CREATED, getgeneratorstate
from itertools import chain
from typing import Any, Final, cast

from aiokafka.consumer.fetcher import PartitionRecords

from processors.wire.evidence import NO_EVIDENCE, in_words
from processors.wire.log_records import LogRecord, UnreadRecords
from streams.kafka.bounded_unpacking import UnpackingError, last_unpacked, too_large

RECORD_BYTES: Final = 200
"""What a record takes beside its key and value, roughly."""


class Unpacked(list[LogRecord]):
    """The records of one batch as the broker keeps them, for aiokafka to pass on as if they were one record."""

    size = 0
    """The bytes that they take."""

    @property
    def offset(self) -> int:
        """The offset of the last one."""
        return self[-1].offset


class WholeBatch:
    """A batch of the broker's that aiokafka takes for its records one after the other, and gets at once.

    Of a batch that controls a transaction aiokafka takes the `next` record, over any other it iterates.
    """

    def __init__(self, batch: Any, most_bytes: int) -> None:
        self._batch = batch
        self._most_bytes = most_bytes

    def __getattr__(self, name: str) -> Any:
        """Say of the batch whatever aiokafka asks: whether it is whole, whose it is, where it ends."""
        return getattr(self._batch, name)

    def __next__(self) -> LogRecord:
        """Return the marker in a batch that controls a transaction."""
        return cast(LogRecord, next(self._batch))

    def __iter__(self) -> Iterator[Unpacked]:
        """Yield all records at once, or what stands for them where they cannot be unpacked."""
        try:
            records = self._unpacked()
        except UnpackingError as error:
            batch = self._batch
            first, last = batch.base_offset, batch.next_offset - 1
            records = Unpacked([UnreadRecords(first, last, batch.max_timestamp, str(error), error.too_large)])
        if records:
            yield records

    def _unpacked(self) -> Unpacked:
        # Only those of a format of before 2017 do not say how many they are; they come one by one.
        if RECORD_BYTES * getattr(self._batch, "last_offset_delta", 0) > self._most_bytes:
            raise too_large(self._most_bytes)
        try:
            records = Unpacked(self._batch)
        except (UnpackingError, *NO_EVIDENCE):
            raise
        except Exception as error:  # a header's name may be no UTF-8: brokers take any bytes, aiokafka does not
            raise UnpackingError(f"it cannot be read: {in_words(error)}", too_large=False) from error
        records.size = last_unpacked() + RECORD_BYTES * len(records)
        return records


class WholeBatches:
    """What one fetch brought, in whole batches."""

    def __init__(self, records: Any, most_bytes: int) -> None:
        self._records = records
        self._most_bytes = most_bytes

    def has_next(self) -> bool:
        """Say whether there is another batch."""
        return bool(self._records.has_next())

    def next_batch(self) -> WholeBatch:
        """Return the next batch."""
        return WholeBatch(self._records.next_batch(), self._most_bytes)


class PlainRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka ships no types
    """The records of one fetch by the batch, as they were unpacked."""

    @classmethod
    def instead_of(cls, records: PartitionRecords, most_bytes: int, at_once: int) -> None:
        """Make this of the records of a fetch, unless some of them have been read.

        A batch unpacks to at most `most_bytes`; beyond `at_once` bytes nothing more of the fetch is unpacked.
        """
        if getgeneratorstate(records._records_iterator) == GEN_CREATED and not isinstance(records, cls):
            records.__class__ = cls
            records._left = at_once - records._records.size_in_bytes()
            records._records = WholeBatches(records._records, most_bytes)

    def __next__(self) -> Unpacked:
        """Return the next batch, or say that this is all: aiokafka goes on with a fetch of what follows."""
        if self._left <= 0:
            raise StopIteration
        records = cast(Unpacked, super().__next__())
        self._left -= records.size
        return records

    def _consumer_record(self, tp: Any, record: Unpacked) -> Unpacked:
        first = self.next_fetch_offset  # the broker sends all of a batch of which the end was asked for
        if isinstance(unread := record[0], UnreadRecords):
            unread.first_offset = max(first, unread.first_offset)
            return record
        if record[0].offset >= first:
            return record
        wanted = Unpacked([one for one in record if one.offset >= first])
        wanted.size = record.size
        return wanted


class Polled(list[LogRecord]):
    """The records that one poll brought of a partition."""

    size = 0
    """The bytes that they take, where they are read in batches."""


def one_by_one(records: Sequence[LogRecord] | Sequence[Unpacked]) -> list[LogRecord]:
    """Return the records in what one fetch brought, in whole batches or not."""
    first = records[0]
    if not isinstance(first, Unpacked):
        return cast(list[LogRecord], records)
    batches = cast(Sequence[Unpacked], records)
    polled = Polled(chain.from_iterable(batches))
    polled.size = sum([batch.size for batch in batches])
    return polled
