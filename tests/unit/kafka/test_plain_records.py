"""Records of the topics that are read in batches reach agents as aiokafka unpacks them."""

from __future__ import annotations

from asyncio import Future, get_running_loop, run
from itertools import chain
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from experiments.fuzz.signatures import batch
from processors.wire.log_records import UnreadRecords
from streams.kafka.record_batch_app import RecordBatchApp, RecordBatchThread
from streams.kafka.whole_batches import PlainRecords

MOST = 1_000_000
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
    PlainRecords.instead_of(plain, MOST, MOST)
    unpacked = full, chain.from_iterable(plain)
    both = [[(one.offset, one.timestamp, one.key, one.value) for one in records] for records in unpacked]
    assert both[0] == both[1]
    assert [(key, value) for _, _, key, value in both[1]] == WRITTEN[first:]
    assert plain.next_fetch_offset == full.next_fetch_offset == len(WRITTEN)


@pytest.mark.parametrize("headers", [[(b"\xff", b"x")], [(b"ok", None), (b"caf\xe9", b"")]])
def test_in_the_place_of_a_batch_that_aiokafka_cannot_read_stands_what_says_so(headers: Any) -> None:
    tp = TopicPartition("impressions", 0)
    records = PartitionRecords(tp, MemoryRecords(batch(b"key", b"value", headers)), [], 0, None, None, True, 0)
    PlainRecords.instead_of(records, MOST, MOST)
    (stand_in,) = chain.from_iterable(records)
    assert isinstance(stand_in, UnreadRecords)
    assert (stand_in.first_offset, stand_in.offset, stand_in.too_large) == (0, 0, False)
    assert "it cannot be read: UnicodeDecodeError" in stand_in.why
    assert records.next_fetch_offset == 1


class Fetcher:
    """What has been fetched, and a first record that comes as soon as somebody waits for it."""

    def __init__(self, *there: str, to_come: str | None = None) -> None:
        self._records: dict[TopicPartition, FetchResult] = {}
        self._to_come = to_come
        self._subscriptions = SimpleNamespace(reassignment_in_progress=False)
        for topic in there:
            self._come(topic)

    def _come(self, topic: str) -> None:
        self._records[TopicPartition(topic, 0)] = fetched(topic)[1]

    def _create_fetch_waiter(self) -> Future[None]:
        waiter = get_running_loop().create_future()
        if self._to_come is not None:
            self._come(self._to_come)
            waiter.set_result(None)
        return waiter


def polled(monkeypatch: pytest.MonkeyPatch, fetcher: Fetcher) -> dict[str, list[Any]]:
    """Return what one poll brings, by topic, of which only impressions are read in batches."""
    thread = RecordBatchThread.__new__(RecordBatchThread)
    thread.app = cast(RecordBatchApp, SimpleNamespace(batched_topics={"impressions": 1}, most_unpacked=MOST))

    async def unpack(*_: Any, **__: Any) -> dict[str, list[Any]]:
        return {tp.topic: list(result._partition_records) for tp, result in fetcher._records.items()}

    monkeypatch.setattr(AIOKafkaConsumerThread, "_fetch_records", unpack)
    consumer = cast(Any, SimpleNamespace(_fetcher=fetcher))
    found: dict[str, list[Any]] = run(thread._fetch_records(consumer, set(), timeout=0.01))
    return found


def test_only_the_topics_read_in_batches_are_unpacked_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found = polled(monkeypatch, Fetcher("impressions", "changelog"))
    assert all(isinstance(record, ConsumerRecord) for record in found["changelog"])
    assert not any(isinstance(record, ConsumerRecord) for record in found["impressions"])


def test_what_comes_while_it_is_waited_for_is_unpacked_so_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    found = polled(monkeypatch, Fetcher(to_come="impressions"))
    assert not any(isinstance(record, ConsumerRecord) for record in found["impressions"])


def test_a_poll_does_not_wait_for_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    fetcher = Fetcher(to_come="impressions")
    fetcher._subscriptions.reassignment_in_progress = True
    assert polled(monkeypatch, fetcher) == {}


def test_a_poll_ends_where_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert polled(monkeypatch, Fetcher()) == {}
