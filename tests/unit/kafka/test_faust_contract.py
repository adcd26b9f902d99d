"""What `streams` takes for granted of Faust and aiokafka beyond their public interface.

Where one of these fails after an upgrade, read `streams/kafka/record_batch_app.py`, `state/segment_table.py` and
`streams/kafka/batch_writer.py` against the new version before the pin is moved.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import tomllib
from asyncio import Event
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer.fetcher import Fetcher, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import OffsetAndMetadata
from faust.app.base import App
from faust.tables import base, recovery, table
from faust.transport import consumer as transport_consumer
from faust.transport.drivers.aiokafka import (
    AIOKafkaConsumerThread,
    Consumer,
    ConsumerRebalanceListener,
    Producer,
    Transport,
)
from faust.types import TP, ConsumerMessage, ProcessingGuarantee
from mode.utils.logging import CompositeLogger

from state.segment_table import SegmentTable
from streams.app import create_app
from streams.kafka.batch_writer import _fill
from streams.kafka.record_batch_app import RecordBatchApp, RecordBatchConsumer, RecordBatchTransport
from tests.unit.stand_ins import batch, record, worker_settings

PROJECT = Path(__file__).resolve().parents[3]


def test_the_version_is_the_one_that_was_read() -> None:
    dependencies = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    (pinned,) = [one.partition("==")[2] for one in dependencies if one.startswith("faust-streaming==")]
    assert version("faust-streaming") == pinned == "0.15.3"


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        (Consumer._drain_messages, ["self", "fetcher"]),
        (Consumer._wait_next_records, ["self", "timeout"]),
        (Consumer._to_message, ["self", "tp", "record"]),
        (Consumer._commit, ["self", "offsets"]),
        (Consumer.perform_seek, ["self"]),
        (Consumer.seek, ["self", "partition", "offset"]),
        (Consumer._seek, ["self", "partition", "offset"]),
        (Consumer._get_active_partitions, ["self"]),
        (Consumer.pause_partitions, ["self", "tps"]),
        (Consumer.resume_partitions, ["self", "tps"]),
        (AIOKafkaConsumerThread._fetch_records, ["self", "consumer", "active_partitions", "timeout", "max_records"]),
        (AIOKafkaConsumerThread.seek, ["self", "partition", "offset"]),
        (Fetcher._create_fetch_waiter, ["self"]),
        (PartitionRecords._consumer_record, ["self", "tp", "record"]),
        (AIOKafkaConsumerThread.call_thread, ["self", "fun", "args", "kwargs"]),
        (Consumer.highwater, ["self", "tp"]),
        (Consumer.highwaters, ["self", "partitions"]),
        (Consumer.position, ["self", "tp"]),
        (Consumer.wait_first, ["self", "coros", "timeout"]),
        (App._new_transport, ["self"]),
        (Consumer._new_consumer_thread, ["self"]),
        (AIOKafkaConsumerThread._create_worker_consumer, ["self", "transport"]),
        (table.Table.send_changelog, ["self", "partition", "key", "value", "key_serializer", "value_serializer"]),
        (table.Table.partition_for_key, ["self", "key"]),
        (AIOKafkaProducer.create_batch, ["self"]),
        (AIOKafkaProducer.send_batch, ["self", "batch", "topic", "partition"]),
        (transport_consumer.ensure_TP, ["tp"]),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_a_method_is_there_with_the_parameters_that_are_relied_on(
    method: Callable[..., Any], parameters: list[str]
) -> None:
    assert list(inspect.signature(method).parameters) == parameters


def test_what_faust_does_at_its_first_start_is_to_make_folders_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = inspect.getsource(App.on_first_start).splitlines()
    assert [line.strip() for line in lines[2:]] == ["self._create_directories()"]
    monkeypatch.chdir(tmp_path)
    asyncio.run(create_app(worker_settings()).on_first_start())
    assert not list(tmp_path.iterdir()), "ours makes none"


@pytest.mark.parametrize(
    ("holder", "name"),
    [
        (Consumer, "flow_active"),
        (Consumer, "suspend_flow"),
        (Consumer, "callback"),
        (Consumer, "consumer_stopped_errors"),
        (App, "consumer_generation_id"),
        (App, "rebalancing"),
        (Producer, "_producer"),
    ],
)
def test_an_attribute_is_declared_where_it_is_read(holder: type, name: str) -> None:
    source = "".join(inspect.getsource(one) for one in holder.__mro__ if one.__module__.startswith("faust"))
    assert re.search(rf"self\.{name}\b|def {name}\b|^    {name}\b", source, re.MULTILINE)


def test_a_batch_is_filled_as_its_own_append_does() -> None:
    records = [(b"key", b"value"), (None, b"x" * 500), (b"key", None), (b"last", b"one")]
    headers = [("reason", b"late")]
    own, ours = BatchBuilder(100, 0), [BatchBuilder(100, 0), BatchBuilder(100, 0)]
    for key, value in records[:1]:
        assert own.append(timestamp=None, key=key, value=value, headers=headers) is not None
    assert own.append(timestamp=None, key=records[1][0], value=records[1][1], headers=headers) is None
    left = iter(records)
    assert _fill(ours[0], left, headers) == records[1]
    assert list(left) == records[2:]
    assert _fill(ours[1], iter(records[1:2]), headers) is None
    assert [one.record_count() for one in (own, *ours)] == [1, 1, 1]
    assert _without_time(ours[0]) == _without_time(own)


def test_a_batch_may_be_built_before_it_is_sent() -> None:
    batch = BatchBuilder(1_000, 0)
    batch.append(timestamp=5, key=b"key", value=b"value")
    built = batch._build()
    assert batch._build() is built, "what is sent is what was built"
    assert (batch.closed(), batch.record_count(), batch.size()) == (True, 1, len(built))
    guarantee = cast(object, create_app(worker_settings()).conf.processing_guarantee)
    assert guarantee is ProcessingGuarantee.AT_LEAST_ONCE, "with others batches are numbered before they are built"


def test_a_batch_counts_what_it_holds_where_making_the_next_record_raises() -> None:
    def records() -> Iterator[tuple[bytes, bytes]]:
        yield b"a", b"first"
        yield b"b", b"second"
        raise LookupError

    batch = BatchBuilder(1000, 0)
    with pytest.raises(LookupError):
        _fill(batch, records(), [])
    assert batch.record_count() == 2
    assert _fill(batch, iter([(b"c", b"third")]), []) is None
    assert [record.offset for record in MemoryRecords(bytes(batch._build())).next_batch()] == [0, 1, 2]


def _without_time(batch: BatchBuilder) -> bytes:
    """Return a batch without its checksum and the times of its first and last record."""
    built = bytes(batch._build())
    return built[:17] + built[21:27] + built[43:]


def test_a_message_takes_what_a_batch_is_wrapped_in() -> None:
    names = list(inspect.signature(ConsumerMessage).parameters)
    assert names[:13] == [
        "topic", "partition", "offset", "timestamp", "timestamp_type", "headers", "key", "value", "checksum",
        "serialized_key_size", "serialized_value_size", "tp", "time_in",
    ]  # fmt: skip
    assert "generation_id" in names


def test_the_seek_is_performed_after_recovery_and_before_the_flow_is_resumed() -> None:
    for method in (recovery.Recovery._resume_streams, recovery.Recovery.on_recovery_completed):
        source = inspect.getsource(method)
        assert source.index("perform_seek()") < source.index("resume_flow()")


def test_faust_forgets_where_it_was_in_the_changelogs_that_went_away_and_of_no_others() -> None:
    source = inspect.getsource(recovery.Recovery.on_rebalance)
    assert "for tp in revoked:" in source
    assert "self.active_offsets.pop(tp" in inspect.getsource(recovery.Recovery.revoke)
    assert "max(last_value, new_value)" in inspect.getsource(recovery.Recovery._build_offsets)


def test_writing_to_the_table_goes_through_the_method_that_remembers_what_was_sent() -> None:
    assert "self.send_changelog(" in inspect.getsource(table.Table.on_key_set)
    assert "self.send_changelog(" in inspect.getsource(table.Table.on_key_del)
    assert "partition=partition" in inspect.getsource(base.Collection.send_changelog)
    assert SegmentTable.partition_for_key.__qualname__.startswith("SegmentTable")


class RecordedConsumer(RecordBatchConsumer):
    """A consumer that is given the records of one poll and remembers what it hands over."""

    flow_active = True

    def __init__(self, app: RecordBatchApp, poll: dict[Any, Any]) -> None:
        self.app = app
        self.log = CompositeLogger(logging.getLogger(__name__))
        self.handed: list[Any] = []
        self.suspend_flow = Event()
        self.callback = self._hand
        self._poll = poll

    async def _hand(self, message: Any) -> None:
        self.handed.append(message)

    async def wait_first(self, *coros: Any, **options: Any) -> Any:
        first, *others = coros
        for other in others:
            other.close()
        return await first

    async def _wait_next_records(self, *_: Any, **__: Any) -> Any:
        return self._poll, None

    @property
    def should_stop(self) -> bool:
        return False

    async def sleep(self, *_: Any, **__: Any) -> None:
        pass


def drained(*, flowing: bool) -> RecordedConsumer:
    impressions = [record("impressions", offset, b"k", b"v") for offset in range(3)]
    changelog = [record("other", offset, b"k", b"v") for offset in range(2)]

    async def drain() -> RecordedConsumer:
        poll = {batch(impressions).tp: impressions, batch(changelog).tp: changelog}
        consumer = RecordedConsumer(create_app(worker_settings()), poll)
        consumer.flow_active = flowing
        await consumer._drain_once()
        return consumer

    return asyncio.run(drain())


def test_a_poll_is_handed_over_as_one_batch_for_our_topics_and_message_by_message_for_others() -> None:
    first, *others = drained(flowing=True).handed
    assert (first.offset, first.value.first_offset, first.value.next_offset) == (2, 0, 3)
    assert [(one.topic, one.offset, one.value) for one in others] == [("other", 0, b"v"), ("other", 1, b"v")]


def test_what_comes_while_the_flow_is_stopped_is_left_to_the_seek_that_ends_the_rebalance() -> None:
    assert drained(flowing=False).handed == []


def test_seeking_is_left_to_the_thread_that_reads() -> None:
    happened: list[Any] = []

    class Thread:
        async def call_thread(self, function: Callable[[], Awaitable[None]]) -> None:
            happened.append("in the thread")
            await function()

        def seek(self, tp: TP, offset: int) -> None:
            happened.append((tp, offset))

    async def scenario() -> None:
        consumer = RecordedConsumer(create_app(worker_settings()), {})
        setattr(consumer, "_thread", Thread())  # noqa: B010  # a stand-in
        consumer._read_offset = defaultdict(lambda: None)
        await consumer.seek(TP("impressions", 0), 7)

    asyncio.run(scenario())
    assert happened == ["in the thread", (TP("impressions", 0), 7)]


class SeekingConsumer(RecordedConsumer):
    """One that is assigned anew, or not, while its partitions are restored."""

    def __init__(self, assignments: list[set[TP]], error: Exception) -> None:
        super().__init__(create_app(worker_settings()), {})
        self._assignments, self._error = assignments, error
        self.failures: list[BaseException] = []
        setattr(self.app, "crash", self._fail)  # noqa: B010  # a stand-in

    def assignment(self) -> set[TP]:
        return self._assignments.pop(0) if len(self._assignments) > 1 else self._assignments[0]

    async def seek_to_committed(self) -> dict[TP, int]:
        raise self._error

    async def _fail(self, reason: BaseException) -> None:
        self.failures.append(reason)

    async def seeks(self) -> list[BaseException]:
        self._read_offset, self._committed_offset = defaultdict(lambda: None), {}
        self._active_partitions, self._paused_partitions = set(), set()
        with suppress(KafkaError):
            await self.perform_seek()
        return self.failures


@pytest.mark.parametrize(
    ("after", "error", "crashes"),
    [
        ({TP("impressions", 0)}, KafkaError("away"), True),
        (set(), KafkaError("away"), False),
        ({TP("impressions", 0)}, IllegalStateError("No current assignment"), False),
    ],
)
def test_what_fails_since_the_group_moved_on_is_left_to_the_next_assignment(
    after: set[TP], error: KafkaError, crashes: bool
) -> None:
    async def scenario() -> list[BaseException]:
        return await SeekingConsumer([{TP("impressions", 0)}, after], error).seeks()

    assert asyncio.run(scenario()) == ([error] if crashes else [])


def test_only_what_transactions_have_committed_is_read() -> None:
    source = inspect.getsource(AIOKafkaConsumer)
    assert "isolation_level=self._isolation_level" in source[source.index("async def start(") :], "read at the start"
    assert asyncio.run(made_consumer())._isolation_level == "read_committed"


def test_an_idle_partition_does_not_hold_up_the_others() -> None:
    started = inspect.getsource(AIOKafkaConsumer.start)
    assert "fetch_max_wait_ms=self._fetch_max_wait_ms" in started, "read at the start"
    assert asyncio.run(made_consumer())._fetch_max_wait_ms <= 100


async def made_consumer() -> AIOKafkaConsumer:
    consumer = create_app(worker_settings())._record_consumer
    return consumer._new_consumer_thread()._create_worker_consumer(cast(Transport, consumer.transport))


def test_what_is_noted_of_a_partition_goes_along_with_each_commit_of_its_offset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "await consumer.commit(aiokafka_offsets)" in inspect.getsource(AIOKafkaConsumerThread._commit)
    assert list(inspect.signature(GroupCoordinator.fetch_committed_offsets).parameters) == ["self", "partitions"]
    sent: list[object] = []

    async def commit(_: AIOKafkaConsumer, offsets: object) -> None:
        sent.append(offsets)

    monkeypatch.setattr(AIOKafkaConsumer, "commit", commit)

    async def scenario() -> None:
        app = create_app(worker_settings())
        thread = app._record_consumer._new_consumer_thread()
        consumer = thread._create_worker_consumer(cast(Transport, app._record_consumer.transport))
        here, there = TopicPartition("impressions", 0), TopicPartition("feedback", 0)
        app.notes[TP("impressions", 0)] = "held"
        await consumer.commit({here: OffsetAndMetadata(7, ""), there: OffsetAndMetadata(8, "")})
        assert sent == [{here: OffsetAndMetadata(7, "held"), there: OffsetAndMetadata(8, "")}]

    asyncio.run(scenario())


def test_heartbeats_are_asked_for_by_name_and_the_group_is_joined_after_the_start() -> None:
    assert "success = await self._do_heartbeat()" in inspect.getsource(GroupCoordinator._heartbeat_routine)
    assert list(inspect.signature(GroupCoordinator._do_heartbeat).parameters) == ["self"]
    assert "success = await self._do_rejoin_group(" in inspect.getsource(GroupCoordinator.ensure_active_group)
    assert "self._coordinator = GroupCoordinator(" in inspect.getsource(AIOKafkaConsumer.start)
    start = inspect.getsource(AIOKafkaConsumerThread.on_start)
    assert "await self._consumer.start()" in start
    assert "subscribe" not in start
    revoked = inspect.getsource(ConsumerRebalanceListener.on_partitions_revoked)
    assert revoked.index("on_rebalance_start()") < revoked.index("thread.on_partitions_revoked(")
    assert "self.rebalancing = True" in inspect.getsource(App.on_rebalance_start)


def test_the_transport_is_ours() -> None:
    assert issubclass(RecordBatchTransport, Transport)
    assert RecordBatchTransport.Consumer is RecordBatchConsumer
