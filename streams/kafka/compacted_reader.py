"""Reads a compacted topic's partition to its end, and asks where logs end, outside of any group."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.kafka.security import connection_arguments
from streams.settings import KafkaSettings


async def read_newest(
    kafka: KafkaSettings, topic: str, partition: int, wanted: Callable[[ConsumerRecord], bool] = lambda record: True
) -> dict[bytes, bytes | None]:
    """Return the newest wanted record of each key as of now. What has no key, or cannot be read, is passed over."""
    consumer = AIOKafkaConsumer(**connection_arguments(kafka), enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        tp = TopicPartition(topic, partition)
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        await consumer.seek_to_beginning(tp)
        newest: dict[bytes, bytes | None] = {}
        while await consumer.position(tp) < end:
            for record in (await consumer.getmany(tp, timeout_ms=1000)).get(tp, ()):
                if record.key is not None and wanted(record):
                    newest[record.key] = record.value
        return newest
    finally:
        await consumer.stop()


async def log_ends(kafka: KafkaSettings, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """Return the next offset of each of these partitions, which have to exist."""
    consumer = AIOKafkaConsumer(**connection_arguments(kafka), enable_auto_commit=False)
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(topic, partition) for partition in partitions])
        return {tp.partition: end for tp, end in ends.items()}
    finally:
        await consumer.stop()
