"""Batches that unpack to more than they may are passed over by the batch, never unpacked; all others are read."""

from __future__ import annotations

import gzip
import random
import struct
import tracemalloc
from collections.abc import Iterator, Sequence
from itertools import chain

import cramjam
import pytest
from aiokafka import TopicPartition
from aiokafka.codec import snappy_encode
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.types import TP

from processors.admission.event_records import Admission, Refusal
from processors.wire.log_records import LogRecord, UnreadRecords
from streams.kafka.bounded_unpacking import MOSTLY, UnpackingError, _unpacked_snappy, bound_unpacking
from streams.kafka.record_batch_app import UnpackedBytes
from streams.kafka.record_batches import Cursor, RecordBatch
from streams.kafka.whole_batches import RECORD_BYTES, PlainRecords, Polled, one_by_one
from streams.settings import KafkaSettings
from tests.unit.stand_ins import worker_settings

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
PACKED = [name for name in CODECS if name != "none"]
MOST = 6_000_000
BEYOND, WITHIN = b"x" * (MOST + 1), b"x" * (MOST - 10_000)


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Bound unpacking more than a worker does."""
    bound_unpacking(MOST)
    yield
    bound_unpacking(KafkaSettings().max_unpacked_bytes)


def packed(codec: str, values: Sequence[bytes | None], first: int = 0) -> bytes:
    """Return a batch as a broker keeps it."""
    builder = BatchBuilder(1 << 30, CODECS[codec], is_transactional=False)
    for value in values:
        builder.append(timestamp=5, key=b"k", value=value)
    builder.close()
    batch = bytearray(builder._build())
    batch[:8] = struct.pack(">q", first)
    return bytes(batch)


def fetched(*batches: bytes, first: int = 0, most: int = MOST, at_once: int = 10 * MOST) -> PlainRecords:
    """Return what one fetch of these batches brought, read from an offset on."""
    tp = TopicPartition("impressions", 0)
    records = PartitionRecords(tp, MemoryRecords(b"".join(batches)), [], first, None, None, True, 0)
    PlainRecords.instead_of(records, most, at_once)
    assert isinstance(records, PlainRecords)
    return records


def read(records: PlainRecords) -> list[LogRecord]:
    return list(chain.from_iterable(records))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("values", [[b"one", None, b"three"], [b"y" * (MOSTLY + 1)], [WITHIN]])
def test_a_batch_within_the_bound_is_read_whatever_packs_it(codec: str, values: list[bytes | None]) -> None:
    assert [one.value for one in read(fetched(packed(codec, values)))] == values


@pytest.mark.parametrize("codec", PACKED)
def test_a_batch_that_unpacks_to_more_is_passed_over_and_those_beside_it_are_read(codec: str) -> None:
    before, beyond, after = packed(codec, [b"a"]), packed(codec, [b"b", BEYOND, b"c"], 1), packed(codec, [b"d"], 4)
    records = fetched(before, beyond, after)
    first, unread, last = read(records)
    assert (first.value, last.value, last.offset) == (b"a", b"d", 4)
    assert isinstance(unread, UnreadRecords)
    assert (unread.first_offset, unread.offset, unread.too_large) == (1, 3, True)
    assert records.next_fetch_offset == 5


@pytest.mark.parametrize("codec", PACKED)
def test_memory_is_bounded_while_it_is_unpacked(codec: str) -> None:
    bomb = packed(codec, [b"x" * (20 * MOST)])
    records = fetched(bomb)
    tracemalloc.start()
    try:
        (unread,) = read(records)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(unread, UnreadRecords)
    assert peak < 2 * MOST + 2 * len(bomb)


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_of_more_records_than_it_may_hold_is_not_made_objects_of(codec: str) -> None:
    values: list[bytes | None] = [None] * (MOST // RECORD_BYTES + 2)
    (unread,) = read(fetched(packed(codec, values)))
    assert isinstance(unread, UnreadRecords)
    assert unread.offset == len(values) - 1


@pytest.mark.parametrize("codec", PACKED)
def test_a_batch_that_is_no_such_thing_is_set_aside_as_what_raised(codec: str) -> None:
    whole = bytearray(packed(codec, [b"one" * 100]))
    begin = 61
    whole[begin:] = bytes(random.Random(0).randbytes(len(whole) - begin))
    records = fetched(bytes(whole))
    records._check_crcs = False
    (unread,) = read(records)
    assert isinstance(unread, UnreadRecords)
    assert not unread.too_large
    assert "cannot be unpacked" in unread.why


def test_gzip_of_several_members_and_raw_snappy_are_read() -> None:
    from aiokafka.record._crecords import default_records  # noqa: PLC0415

    two = gzip.compress(b"one ") + gzip.compress(b"two")
    assert default_records.gzip_decode(two) == b"one two"
    assert default_records.snappy_decode(bytes(cramjam.snappy.compress_raw(b"raw"))) == b"raw"


@pytest.mark.parametrize("length", [0, -4, 2**31 - 1])
def test_a_block_of_snappy_with_an_impossible_length_ends_the_unpacking(length: int) -> None:
    blocks = bytearray(snappy_encode(b"x" * 100))
    blocks[16:20] = struct.pack("!i", length)
    with pytest.raises(UnpackingError, match="no such length"):
        _unpacked_snappy(MOST, bytes(blocks))


def test_a_fetch_unpacks_no_more_at_once_than_it_may_and_the_rest_is_fetched_again() -> None:
    batches = [packed("zstd", [b"x" * 1_000_000], first) for first in range(5)]
    records = fetched(*batches, at_once=2_500_000)
    assert [one.offset for one in read(records)] == [0, 1, 2]
    assert records.next_fetch_offset == 3
    again = fetched(*batches[3:], first=3, at_once=2_500_000)
    assert [one.offset for one in read(again)] == [3, 4]


def test_reading_goes_on_behind_a_batch_that_was_passed_over_as_behind_any_other() -> None:
    polled = one_by_one(
        list(fetched(packed("zstd", [b"a"]), packed("zstd", [b"b", BEYOND], 1), packed("zstd", [b"c"], 3)))
    )
    cursor = Cursor(0)
    for some in (polled[:1], polled[1:]):
        new = cursor.contiguous(RecordBatch(TP("impressions", 0), some))
        assert isinstance(new, RecordBatch)
    assert cursor.offset == 4
    halfway = one_by_one(list(fetched(packed("zstd", [b"b", BEYOND], 1), first=2)))
    assert RecordBatch(TP("impressions", 0), halfway).first_offset == 2


@pytest.mark.parametrize("topic", ["impressions", "feedback"])
def test_what_was_passed_over_is_refused_with_its_offsets(topic: str) -> None:
    unread = read(fetched(packed("zstd", [b"b", BEYOND], 7)))
    admission = Admission(worker_settings().models, 60_000)
    (refused,) = admission.impressions(unread) if topic == "impressions" else admission.feedback(unread)
    assert isinstance(refused, Refusal)
    assert refused.reason == "too_large"
    assert refused.detail == (
        "the batch at offsets 7 to 8 is passed over: it unpacks to more than 6,000,000 bytes (kafka.max_unpacked_bytes)"
    )


def test_what_batches_take_is_counted_until_nobody_has_them() -> None:
    held, polled = UnpackedBytes(), one_by_one(list(fetched(packed("lz4", [b"x" * 1_000]))))
    assert isinstance(polled, Polled)
    batch = RecordBatch(TP("impressions", 0), polled)
    held.hold(batch, polled.size)
    assert 1_000 < held.bytes < 1_500
    del batch
    assert held.bytes == 0
