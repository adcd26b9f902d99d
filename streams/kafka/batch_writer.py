"""Writes records in ready-made batches and waits for the broker's acknowledgement."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

Headers = Sequence[tuple[str, bytes]]
KeyAndValue = tuple[bytes | None, bytes | None]


class NotWrittenError(Exception):
    """Kafka did not take what was to be written; the message says where, why and what to do."""


class BatchWriter:
    """Collects records for several partitions; `flush` sends them all and returns when all are acknowledged.

    Order within a partition is kept. Not to be shared between tasks: each step of a partition has its own.
    """

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._batches: defaultdict[tuple[str, int], list[BatchBuilder]] = defaultdict(list)

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """Add a record. One that alone exceeds the largest batch is a batch of its own."""
        self.extend(topic, partition, [(key, value)], headers)

    def extend(self, topic: str, partition: int, records: Iterable[KeyAndValue], headers: Headers = ()) -> None:
        """Add records, in order."""
        batches, attached, left = self._batches[topic, partition], list(headers), iter(records)
        without_room = _fill(batches[-1], left, attached) if batches else next(left, None)
        while without_room is not None:
            if batches:
                # Compressed while the processor still has it at hand, and small until it is sent.
                batches[-1]._build()
            # One that is empty has room for anything.
            batches.append(self._producer.create_batch())
            without_room = _fill(batches[-1], chain([without_room], left), attached)

    async def flush(self) -> None:
        """Send everything and wait until it is acknowledged. Raises `NotWrittenError`."""
        waiting = self._batches
        self._batches = defaultdict(list)
        await asyncio.gather(*(self._send(tp, batches) for tp, batches in waiting.items()))

    async def _send(self, tp: tuple[str, int], batches: list[BatchBuilder]) -> None:
        topic, partition = tp
        sent = []
        try:
            for batch in batches:
                batch.close()
                sent.append(await self._producer.send_batch(batch, topic, partition=partition))
            await asyncio.gather(*sent)
        except KafkaError as error:
            largest = max(batch.size() for batch in batches)
            raise NotWrittenError(f"{topic}[{partition}]: {_advice(error, largest)}") from error


def _fill(batch: BatchBuilder, records: Iterator[KeyAndValue], headers: list[tuple[str, bytes]]) -> KeyAndValue | None:
    """Add records to a batch until there is no room for one; return that one, or None where all are in."""
    # What is behind the batch's own `append`, which takes longer to get there than that takes.
    append, offset, now = batch._builder.append, batch.record_count(), int(time.time() * 1000)
    without_room = None
    try:
        for key, value in records:
            if append(offset, now, key, value, headers) is None:
                without_room = key, value
                break
            offset += 1
    finally:  # what the records are made of may raise, and the batch holds those before
        batch._relative_offset = offset
    return without_room


def _advice(error: KafkaError, largest: int) -> str:
    if isinstance(error, MessageSizeTooLargeError):
        return (
            f"Kafka refuses a batch of {largest:,} bytes: raise the topic's max.message.bytes above "
            "kafka.max_batch_bytes, or lower that"
        )
    return (
        f"Kafka did not take what was written, and it was tried again in vain: {error!r}. `groundswell doctor` looks "
        "at the brokers and the topic"
    )
