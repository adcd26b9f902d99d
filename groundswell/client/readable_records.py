"""What kafka-python cannot unpack is passed over.

Brokers look into records less than clients do: a header's name may be no UTF-8. kafka-python raises where it meets such
a record, and again whenever it reads on, so that nothing behind it is ever read. A batch comes from one producer, so it
is passed over as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kafka import KafkaConsumer
from kafka.errors import UnsupportedCodecError

Told = Callable[[str], None]
"""Is told what was passed over, and why."""


def pass_over_unreadable(consumer: KafkaConsumer, told: Told) -> KafkaConsumer:
    """Let a consumer pass over batches that it cannot unpack; return it. kafka-python has no setting for it.

    It goes by what 3.0 is like inside. Where a later one is not, the consumer stays as it is, and raises.
    """
    fetcher = getattr(consumer, "_fetcher", None)
    kind = getattr(fetcher, "PartitionRecords", None)
    if fetcher is not None and kind is not None:

        def readable(offset: int, place: Any, records: Any, *arguments: Any, **options: Any) -> Any:
            return kind(offset, place, _ReadableBatches(records, place, told), *arguments, **options)

        fetcher.PartitionRecords = readable
    return consumer


class _ReadableBatches:
    """What one fetch of a partition brought, in batches that can be read."""

    def __init__(self, records: Any, place: Any, told: Told) -> None:
        self._records, self._place, self._told = records, place, told

    def next_batch(self) -> _ReadableBatch | None:
        batch = self._records.next_batch()
        return None if batch is None else _ReadableBatch(batch, self._pass_over)

    def _pass_over(self, batch: Any, error: Exception) -> None:
        topic, partition = self._place
        first = batch.base_offset
        self._told(
            f"the batch at offsets {first} to {getattr(batch, 'last_offset', first)} of {topic}[{partition}] is passed "
            f"over: it cannot be read: {type(error).__name__}: {error}"
        )


class _ReadableBatch:
    """A batch that has no records where they cannot be unpacked."""

    def __init__(self, batch: Any, pass_over: Callable[[Any, Exception], None]) -> None:
        self._batch, self._pass_over = batch, pass_over

    def __getattr__(self, name: str) -> Any:
        """Say of the batch whatever is asked: its offsets, whose it is."""
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        """Return the marker in a batch that controls a transaction."""
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except (MemoryError, OSError, UnsupportedCodecError):
            raise  # of this machine, and no fault of the batch
        except Exception as error:  # whatever it is: what lies behind is read
            self._pass_over(self._batch, error)
            return iter(())
