"""Records by the batch, as the broker keeps them, where aiokafka passes them on one by one.

To pass them on one by one, and to make a `ConsumerRecord` of each, takes twice as long as to unpack them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from inspect import GEN_CREATED, getgeneratorstate
from itertools import chain
from typing import Any, cast

from aiokafka.consumer.fetcher import PartitionRecords

from processors.wire.log_records import LogRecord


class Unpacked(list[LogRecord]):
    """The records of one batch as the broker keeps them, for aiokafka to pass on as if they were one record."""

    @property
    def offset(self) -> int:
        """The offset of the last one."""
        return self[-1].offset


class WholeBatch:
    """A batch of the broker's that aiokafka takes for its records one after the other, and gets at once.

    Of a batch that controls a transaction aiokafka takes the `next` record, over any other it iterates.
    """

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        """Say of the batch whatever aiokafka asks: whether it is whole, whose it is, where it ends."""
        return getattr(self._batch, name)

    def __next__(self) -> LogRecord:
        """Return the marker in a batch that controls a transaction."""
        return cast(LogRecord, next(self._batch))

    def __iter__(self) -> Iterator[Unpacked]:
        """Yield all records at once."""
        if records := Unpacked(self._batch):
            yield records


class WholeBatches:
    """What one fetch brought, in whole batches."""

    def __init__(self, records: Any) -> None:
        self._records = records

    def has_next(self) -> bool:
        """Say whether there is another batch."""
        return bool(self._records.has_next())

    def next_batch(self) -> WholeBatch:
        """Return the next batch."""
        return WholeBatch(self._records.next_batch())


class PlainRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka ships no types
    """The records of one fetch by the batch, as they were unpacked."""

    @classmethod
    def instead_of(cls, records: PartitionRecords) -> None:
        """Make this of the records of a fetch, unless some of them have been read."""
        if getgeneratorstate(records._records_iterator) == GEN_CREATED and not isinstance(records, cls):
            records.__class__ = cls
            records._records = WholeBatches(records._records)

    def _consumer_record(self, tp: Any, record: Unpacked) -> Unpacked:
        first = self.next_fetch_offset  # the broker sends all of a batch of which the end was asked for
        return record if record[0].offset >= first else Unpacked([one for one in record if one.offset >= first])


def one_by_one(records: Sequence[LogRecord] | Sequence[Unpacked]) -> list[LogRecord]:
    """Return the records in what one fetch brought, in whole batches or not."""
    first = records[0]
    if not isinstance(first, Unpacked):
        return cast(list[LogRecord], records)
    return list(chain.from_iterable(cast(Sequence[Unpacked], records)))
