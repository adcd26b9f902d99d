"""Where things are written, and what it takes that a broker takes them."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given
from hypothesis import strategies as st

from processors.admission.event_records import Refusal
from streams.kafka.batch_writer import BatchWriter
from streams.settings import TopicSettings
from streams.worker.outputs import MAX_DEAD_LETTER_VALUE, Outputs, Place, contract_partition
from tests.unit.stand_ins import Log

BROKERS_LIMIT = 1_048_588


@given(st.binary(max_size=40), st.integers(1, 50))
def test_a_key_lies_where_other_clients_put_it(key: bytes, partitions: int) -> None:
    placed = DefaultPartitioner()(key, list(range(partitions)), list(range(partitions)))
    assert contract_partition(key, partitions) == placed


@pytest.mark.parametrize(
    ("key", "murmur2"),
    # The values of UtilsTest.testMurmur2 in Apache Kafka.
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    ],
)
def test_keys_lie_where_java_clients_put_them(key: bytes, murmur2: int) -> None:
    assert contract_partition(key, 1_000) == (murmur2 & 0x7FFFFFFF) % 1_000


def dead_letter(key: bytes | None, value: bytes | None, detail: str = "why") -> Any:
    log = Log()
    outputs = log.outputs()
    outputs.dead_letter(Place("impressions", 3, 17), key, value, Refusal("schema", detail))
    asyncio.run(outputs.flush())
    (written,) = log.written
    return written


def test_a_dead_letter_is_the_original_with_why_and_where_in_its_headers() -> None:
    written = dead_letter(b"\xff", b"\x00")
    assert (written.topic, written.key, written.value) == ("dead-letter", b"\xff", b"\x00")
    assert written.headers == {
        "reason": b"schema", "detail": b"why", "topic": b"impressions", "partition": b"3", "offset": b"17",
    }  # fmt: skip


@pytest.mark.parametrize(("key", "value"), [(None, None), (b"", b""), (None, b"x"), (b"k", None)])
def test_what_was_missing_stays_missing(key: bytes | None, value: bytes | None) -> None:
    written = dead_letter(key, value)
    assert (written.key, written.value) == (key, value)


def test_of_what_is_too_large_the_beginning_is_kept_and_the_size_is_told() -> None:
    value = random.Random(0).randbytes(3_000_000)
    written = dead_letter(b"k" * 500_000, value, detail="\U0001f600" * 5_000)
    assert value.startswith(written.value)
    assert written.headers["cut_from"] == b"3000000"
    size = len(written.key) + len(written.value) + sum(len(name) + len(one) for name, one in written.headers.items())
    assert MAX_DEAD_LETTER_VALUE < size < BROKERS_LIMIT - 1_000


class Broker:
    """As much of a producer as a batch writer uses; acknowledges when told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int, list[bytes]]] = []
        self.acknowledge = asyncio.Event()

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(1_000, compression_type=0)

    async def send_batch(self, batch: BatchBuilder, topic: str, partition: int) -> asyncio.Future[None]:
        records = DefaultRecordBatch(bytes(batch._build()))
        self.sent.append((topic, partition, [bytes(one.value or b"") for one in records]))

        async def acknowledged() -> None:
            await self.acknowledge.wait()

        return asyncio.ensure_future(acknowledged())


def test_records_are_sent_in_batches_in_order_and_flush_waits_for_the_acknowledgement() -> None:
    async def scenario() -> None:
        broker = Broker()
        writer = BatchWriter(broker)
        values = [b"%d" % number * 30 for number in range(10, 60)]
        large = b"x" * 5_000
        for value in values[:20]:
            writer.append("rewards", 1, b"k", value)
        writer.extend("rewards", 1, [(b"k", value) for value in values[20:40]])
        for value in values[40:]:
            writer.append("rewards", 1, b"k", value)
        writer.append("rewards", 2, None, large)
        writer.extend("rewards", 3, [(b"k", large), (b"k", b"v"), (b"k", large)])
        writer.append("rewards", 2, b"k", None)
        flushed = asyncio.ensure_future(writer.flush())
        done, _ = await asyncio.wait([flushed], timeout=0.05)
        assert not done, "nothing is acknowledged yet"
        broker.acknowledge.set()
        await flushed
        of_one = [records for topic, partition, records in broker.sent if partition == 1]
        assert [value for records in of_one for value in records] == values
        assert 1 < len(of_one) < len(values)
        assert next(records for _, partition, records in broker.sent if partition == 2) == [large]
        assert [records for _, partition, records in broker.sent if partition == 3] == [[large], [b"v"], [large]]

    asyncio.run(scenario())


def test_what_the_broker_answers_comes_out_of_flush() -> None:
    class Refusing(Broker):
        async def send_batch(self, batch: BatchBuilder, topic: str, partition: int) -> asyncio.Future[None]:
            failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            failed.set_exception(OSError("the disk is full"))
            return failed

    async def scenario() -> None:
        outputs = Outputs(BatchWriter(Refusing()), TopicSettings())
        outputs.interactions("feed", b"feed", [b"{}"])
        with pytest.raises(OSError, match="disk is full"):
            await outputs.flush()

    asyncio.run(scenario())
