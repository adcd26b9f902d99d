"""What a client library cannot unpack is passed over as a whole, told, and everything beside it is read."""

from __future__ import annotations

import inspect
import struct
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from kafka import KafkaConsumer
from kafka import TopicPartition as Place
from kafka.consumer.fetcher import Fetcher
from kafka.errors import UnsupportedCodecError
from kafka.record.memory_records import MemoryRecords as PlainMemoryRecords
from structlog.testing import capture_logs

from experiments.fuzz.signatures import batch
from groundswell.client.readable_records import pass_over_unreadable as let_pass_over
from processors.wire.log_records import UnreadRecords
from streams.kafka.bounded_unpacking import bound_unpacking
from streams.kafka.readable_records import SILENCE, UnreadableLog, pass_over_unreadable
from streams.kafka.whole_batches import PlainRecords
from streams.settings import KafkaSettings

MOST = 2_000_000


def at(offset: int, whole: bytes) -> bytes:
    """Return a batch as it lies at an offset of a log."""
    return struct.pack(">q", offset) + whole[8:]


def packed(value: bytes, count: int) -> bytes:
    """Return a compressed batch."""
    builder = BatchBuilder(1 << 30, 4, is_transactional=False)
    for _ in range(count):
        builder.append(timestamp=5, key=b"k", value=value)
    builder.close()
    return bytes(builder._build())


def readable(number: int) -> bytes:
    return batch(b"key", b"%d" % number, [(b"ok", b"")])


UNREADABLE = {
    "a header's name is no UTF-8": batch(b"key", b"value", [(b"\xff", b"")]),
    "a header's name is no UTF-8, behind others": batch(b"key", b"value", [(b"ok", b""), (b"caf\xe9", None)]),
}
TOO_LARGE = {
    "it unpacks to gigabytes": packed(bytes(MOST), 3),
    "it holds millions of records": packed(b"", MOST // 100),
}


@pytest.fixture
def told() -> Iterator[list[tuple[str, int, UnreadRecords]]]:
    """Let aiokafka pass over what it cannot read, and say what it passed over."""
    heard: list[tuple[str, int, UnreadRecords]] = []
    bound_unpacking(MOST)
    pass_over_unreadable(MOST, lambda *one: heard.append(one))
    yield heard
    bound_unpacking(KafkaSettings().max_unpacked_bytes)
    fetcher.PartitionRecords = PartitionRecords


def fetched(*batches: bytes, first: int = 0) -> Any:
    """Return what one fetch brought to a consumer of aiokafka's."""
    place = TopicPartition("policies", 1)
    return fetcher.PartitionRecords(place, MemoryRecords(b"".join(batches)), [], first, None, None, True, 0)


@pytest.mark.parametrize("unread", [pytest.param(one, id=why) for why, one in (UNREADABLE | TOO_LARGE).items()])
def test_aiokafka_reads_what_lies_beside_a_batch_that_it_cannot_unpack(told: Any, unread: bytes) -> None:
    last = 1 + struct.unpack_from(">i", unread, 23)[0]
    records = fetched(readable(0), at(1, unread), at(last + 1, readable(2)))
    assert [(one.offset, one.key, one.value) for one in records] == [
        (0, b"key", b"0"), (last, None, None), (last + 1, b"key", b"2")
    ]  # fmt: skip
    assert records.next_fetch_offset == last + 2
    ((topic, partition, stands_for),) = told
    assert (topic, partition, stands_for.first_offset, stands_for.offset) == ("policies", 1, 1, last)


def test_at_the_end_of_a_log_whoever_waits_for_its_last_offset_sees_it(told: Any) -> None:
    records = fetched(next(iter(UNREADABLE.values())))
    assert [one.offset for one in records] == [0]
    assert records.next_fetch_offset == 1


def test_of_a_topic_that_is_read_in_batches_it_is_told_where_its_records_are_let_in(told: Any) -> None:
    records = fetched(readable(0), at(1, next(iter(UNREADABLE.values()))), at(2, readable(2)))
    PlainRecords.instead_of(records, MOST, MOST)
    kinds = [[type(one) is UnreadRecords for one in unpacked] for unpacked in records]
    assert kinds == [[False], [True], [False]]
    assert told == []


def test_a_log_does_not_grow_as_fast_as_such_batches_are_written() -> None:
    counted: list[str] = []
    clock = iter([0.0, 1.0, 2.0, SILENCE + 1])
    tell = UnreadableLog(counted.append, lambda: next(clock))
    with capture_logs() as lines:
        for topic in ("policies", "checkpoints", "policies", "policies"):
            tell(topic, 0, UnreadRecords(3, 5, 0, "it cannot be read", too_large=False))
    assert [(line["topic"], line["offset"], line["why"]) for line in lines] == [
        (topic, 3, "it cannot be read") for topic in ("policies", "checkpoints", "policies")
    ]
    assert counted == ["policies", "checkpoints", "policies", "policies"]


class Consumer:
    """As much of kafka-python's consumer as knows how what was fetched is unpacked."""

    def __init__(self) -> None:
        self._fetcher = SimpleNamespace(PartitionRecords=Fetcher.PartitionRecords)

    def read(self, *batches: bytes) -> tuple[list[Any], Any]:
        """Return the records of one fetch, and what they came out of."""
        records = PlainMemoryRecords(b"".join(batches))
        part = self._fetcher.PartitionRecords(0, Place("policies", 0), records, None, None, on_drain=lambda _: None)
        return part.take(100), part


@pytest.mark.parametrize("unread", [pytest.param(one, id=why) for why, one in UNREADABLE.items()])
def test_kafka_python_reads_what_lies_beside_a_batch_that_it_cannot_unpack(unread: bytes) -> None:
    heard: list[str] = []
    consumer: Any = let_pass_over(Consumer(), heard.append)
    read, part = consumer.read(readable(0), at(1, unread), at(2, readable(2)), at(3, unread))
    assert [(one.offset, one.value) for one in read] == [(0, b"0"), (2, b"2")]
    assert part.next_fetch_offset == 4
    assert [line[: line.index(" is")] for line in heard] == [
        "the batch at offsets 1 to 1 of policies[0]", "the batch at offsets 3 to 3 of policies[0]"
    ]  # fmt: skip
    assert "UnicodeDecodeError" in heard[0]


def test_a_codec_that_is_not_installed_is_no_fault_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kafka.codec.has_zstd", lambda: False)
    consumer: Any = let_pass_over(Consumer(), pytest.fail)
    with pytest.raises(UnsupportedCodecError):
        consumer.read(packed(b"x" * 1_000, 1))


def test_kafka_python_is_inside_as_passing_over_supposes() -> None:
    consumer = KafkaConsumer.__new__(KafkaConsumer)
    assert let_pass_over(consumer, pytest.fail) is consumer, "one that is otherwise stays as it is"
    assert "self._fetcher = Fetcher(" in inspect.getsource(KafkaConsumer)
    assert "self.PartitionRecords(fetch_offset, tp, records," in inspect.getsource(Fetcher)
