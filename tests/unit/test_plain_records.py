"""Records of the topics that are read in batches reach agents as aiokafka unpacks them."""

from __future__ import annotations

from asyncio import run
from itertools import chain
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from streams.record_batches import PlainRecords, RecordBatchApp, RecordBatchThread

WRITTEN = [(b"k1", b"one"), (None, b"two"), (b"k3", None)]


def fetched(topic: str, first: int = 0) -> tuple[PartitionRecords, FetchResult]:
    """Return what one fetch of `WRITTEN` brought, read from an offset on."""
    builder = BatchBuilder(10_000, 0, is_transactional=False)
    for key, value in WRITTEN:
        builder.append(timestamp=5, key=key, value=value)
    builder.close()
    tp = TopicPartition(topic, 0)
    records = PartitionRecords(tp, MemoryRecords(bytes(builder._build())), [], first, None, None, True, 0)
    return records, FetchResult(tp, assignment=None, partition_records=records, backoff=0)


@pytest.mark.parametrize("first", [0, 1])
def test_what_agents_use_of_a_record_is_the_same_either_way(first: int) -> None:
    full, _ = fetched("impressions", first)
    plain, _ = fetched("impressions", first)
    PlainRecords.instead_of(plain)
    unpacked = full, chain.from_iterable(plain)
    both = [[(one.offset, one.timestamp, one.key, one.value) for one in records] for records in unpacked]
    assert both[0] == both[1]
    assert [(key, value) for _, _, key, value in both[1]] == WRITTEN[first:]
    assert plain.next_fetch_offset == full.next_fetch_offset == len(WRITTEN)


def test_only_the_topics_read_in_batches_are_unpacked_so(monkeypatch: pytest.MonkeyPatch) -> None:
    results = {TopicPartition(topic, 0): fetched(topic)[1] for topic in ("impressions", "changelog")}
    waited_for = SimpleNamespace(_fetcher=SimpleNamespace(_records=results))
    thread = RecordBatchThread.__new__(RecordBatchThread)
    thread.app = cast(RecordBatchApp, SimpleNamespace(batched_topics={"impressions"}))

    async def unpack(*_: Any, **__: Any) -> dict[str, list[Any]]:
        return {tp.topic: list(result._partition_records) for tp, result in results.items()}

    monkeypatch.setattr(AIOKafkaConsumerThread, "_fetch_records", unpack)
    found = run(thread._fetch_records(cast(Any, waited_for)))
    assert all(isinstance(record, ConsumerRecord) for record in found["changelog"])
    assert not any(isinstance(record, ConsumerRecord) for record in found["impressions"])
