"""Faust on record batches: an agent receives what one poll brought of one partition as one event.

Faust's own loop spends most of its time on single messages (it builds four asyncio tasks for each). This module,
and no other, leans on private methods of Faust; the version is pinned and a contract test watches them.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, cast

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata
from faust.serializers.codecs import Codec
from faust.transport.consumer import ensure_TP
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Producer, Transport
from faust.types import TP, ConsumerMessage
from mode import ServiceT

from processors.wire.log_records import LogRecord
from streams.kafka.instance_place import InstancePlace, InstanceTakenError
from streams.kafka.membership_lease import MembershipLease
from streams.kafka.record_batches import RecordBatch
from streams.kafka.static_member_assignor import StaticMemberAssignor
from streams.kafka.whole_batches import PlainRecords, one_by_one
from streams.observing.logs import get_log

LOG = get_log(__name__)
LOG_APPEND_TIME = 1
LONGEST_FETCH_MS = 100
"""How long a broker may wait for something new. While it does aiokafka asks it for nothing else, so what comes on
a partition that was not asked for waits as well. Faust takes 1,500; with 50 an idle worker takes twice the time."""
UNPACKED_AT_ONCE: Final = 64_000_000
"""Bytes of all partitions together, beyond which one poll unpacks nothing more."""
UNPACKED_WAITING: Final = 128_000_000
"""Bytes unpacked that wait for agents, beyond which no more is unpacked."""
A_MOMENT: Final = 0.02
"""Seconds until it is looked again whether agents have got on."""
LONGEST_COMMIT: Final = 5.0
"""Seconds that a commit may take: the group, and whoever reads, would wait for it. What it says is said again."""
LONGEST_POLL = 0.25
"""Seconds until the reader looks again at which partitions it may hand out: it is not told of it meanwhile."""


class RecordBatchCodec(Codec):
    """Lets a batch pass where Faust expects bytes to decode."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, obj: Any) -> Any:
        return obj


class CoordinationEndedError(Exception):
    """What keeps this worker in its group has ended."""


class CommittedRecordsThread(AIOKafkaConsumerThread):
    """Reads what transactions have committed and nothing that they took back; Faust would do so with its own only.

    When it joins the group, and its heartbeats, are followed, for `app.membership`.
    """

    place: InstancePlace | None = None

    async def on_start(self) -> None:
        """Connect. The group is joined later, when there is something to subscribe to."""
        await super().on_start()
        coordinator = self._ensure_consumer()._coordinator
        following = cast(RecordBatchApp, self.app).membership.following
        coordinator._do_heartbeat = following(coordinator._do_heartbeat)
        coordinator._do_rejoin_group = following(coordinator._do_rejoin_group)
        self.place = InstancePlace.watch(coordinator)

    def _create_worker_consumer(self, transport: Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = LONGEST_FETCH_MS
        commit, notes = consumer.commit, cast(RecordBatchApp, self.app).notes

        async def commit_with_notes(offsets: Mapping[TP, OffsetAndMetadata]) -> None:
            noted = {tp: OffsetAndMetadata(one.offset, notes.get(tp, "")) for tp, one in offsets.items()}
            try:
                await asyncio.wait_for(commit(noted), LONGEST_COMMIT)
            except TimeoutError:
                # As Faust takes what may be left out; aiokafka would try for ever where a topic has been deleted.
                raise CommitFailedError(f"not within {LONGEST_COMMIT:.0f} s: already rebalanced, perhaps") from None

        consumer.commit = commit_with_notes
        return consumer

    async def newest_commits(self, partitions: Collection[TP]) -> dict[TP, tuple[int, str]]:
        """Return what the group committed last of partitions: the offset, and what was noted beside it."""
        coordinator = self._ensure_consumer()._coordinator
        committed = await self.call_thread(
            coordinator.fetch_committed_offsets, [TopicPartition(tp.topic, tp.partition) for tp in partitions]
        )
        return {ensure_TP(tp): (one.offset, one.metadata) for tp, one in committed.items()}


class RecordBatchThread(CommittedRecordsThread):
    """The thread that reads, unpacking no more than what agents use."""

    app: RecordBatchApp

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109  # as Faust has it
        max_records: int | None = None,
    ) -> Any:
        fetched = await self._at_hand(consumer, active_partitions, max_records)
        if fetched or not timeout:
            return fetched
        # Waited for here: what aiokafka gets while it waits itself it unpacks in full.
        with suppress(TimeoutError):
            await asyncio.wait_for(consumer._fetcher._create_fetch_waiter(), timeout)
        if consumer._fetcher._subscriptions.reassignment_in_progress:
            return {}  # or it would wait for the group, and what else this thread has to do with it
        return await self._at_hand(consumer, active_partitions, max_records)

    async def _at_hand(self, consumer: AIOKafkaConsumer, active_partitions: set[TP], max_records: int | None) -> Any:
        """Return what has been fetched, without waiting for more."""
        there = [
            result._partition_records
            for tp, result in consumer._fetcher._records.items()
            if tp.topic in self.app.batched_topics and isinstance(result, FetchResult) and result.has_more()
        ]
        for records in there:
            PlainRecords.instead_of(records, self.app.most_unpacked, UNPACKED_AT_ONCE // len(there))
        fetched = await super()._fetch_records(consumer, active_partitions, 0.0, max_records)
        return {tp: one_by_one(records) for tp, records in fetched.items()}


class RecordBatchConsumer(Consumer):
    """Delivers whole batches of the topics in `app.batched_topics`, and single messages of all others.

    `app.known_positions` says where to read on after a rebalance; it is asked when Faust seeks, since the
    assignment's own hooks come too early.
    """

    app: RecordBatchApp

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return RecordBatchThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self._drain_once()
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _drain_once(self) -> None:
        if self.app.unpacked.bytes > UNPACKED_WAITING:
            await self.sleep(A_MOMENT)
            return
        records, _ = await self._wait_next_records(timeout=LONGEST_POLL)
        await self.sleep(0)
        if not records or self.should_stop:
            return
        if not self.flow_active:
            return  # a rebalance has begun; when it is over, reading goes on from where it is known to be
        generation = self.app.consumer_generation_id
        for aiokafka_tp, batch in records.items():
            tp = ensure_TP(aiokafka_tp)
            if tp.topic in self.app.batched_topics:
                self.app.handed_out[tp] = batch[-1].offset + 1
                await self._deliver(self._batch_message(tp, batch))
            else:
                for record in batch:
                    await self._deliver(self._to_message(tp, record))
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return

    async def _deliver(self, message: ConsumerMessage) -> None:
        await self.wait_first(self.callback(message), self.suspend_flow.wait())

    def _batch_message(self, tp: TP, records: Sequence[LogRecord]) -> ConsumerMessage:
        last, batch = records[-1], RecordBatch(tp, records)
        self.app.unpacked.hold(batch, getattr(records, "size", 0))
        return ConsumerMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000, LOG_APPEND_TIME, [],
            None, cast(bytes, batch), None, -1, -1, tp,
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    async def perform_seek(self) -> None:
        """Seek to what was committed, and then to what is known better; let nothing through until then.

        Where the group moves on meanwhile, what fails is left to the next assignment, which seeks anew.
        """
        assignment = self.assignment()
        reading = {tp for tp in self._get_active_partitions() if tp.topic in self.app.batched_topics}
        self.pause_partitions(reading)
        self.app.seeking = True
        try:
            await super().perform_seek()
            await self.app.take_over(reading & self.assignment())
            for tp, offset in (await self.app.known_positions(self.assignment())).items():
                await self.seek(tp, offset)
            self.app.seeking = False
        except Exception as error:
            if isinstance(error, IllegalStateError) or self.assignment() != assignment:
                LOG.info("partitions were assigned anew while they were restored", failed=str(error))
                return
            await self.app.crash(error)
            raise
        finally:
            self.resume_partitions(reading & self.assignment())

    async def _seek(self, partition: TP, offset: int) -> None:
        # Faust would seek from this thread while aiokafka hands out records in another, which then finds them gone.
        async def seek() -> None:
            self._thread.seek(partition, offset)

        await self._thread.call_thread(seek)
        self.app.handed_out.pop(partition, None)


class UnpackedBytes:
    """How many bytes batches take that have not been worked on, wherever they are: in Faust's queues or lost there."""

    def __init__(self) -> None:
        self.bytes = 0

    def hold(self, batch: RecordBatch, size: int) -> None:
        """Count a batch until it is let go, or nobody has it any more."""
        self.bytes += size
        gone = weakref.finalize(batch, self._let_go, size)
        gone.atexit = False
        batch.hold(gone)

    def _let_go(self, size: int) -> None:
        self.bytes -= size


class RecordBatchTransport(Transport):
    """The aiokafka transport with the consumer above."""

    Consumer = RecordBatchConsumer


class RecordBatchApp(faust.App):
    """A Faust app whose agents receive batches of the topics made with `batched_topic`."""

    def __init__(self, *arguments: Any, most_unpacked: int = UNPACKED_AT_ONCE, **options: Any) -> None:
        """A batch of the broker's unpacks to at most `most_unpacked` bytes."""
        self.most_unpacked = most_unpacked
        self.unpacked = UnpackedBytes()
        self.batched_topics: dict[str, int] = {}
        """How many partitions each has."""
        self.handed_out: dict[TP, int] = {}
        """What was handed to agents, by the offset that follows it; whether they got it is another matter."""
        self.seeking = False
        """Whether partitions are being restored, and nothing is let through."""
        self.notes: dict[TP, str] = {}
        """What goes along with each commit of a partition's offset, for whoever holds the partition next."""
        self.committed: dict[TP, int] = {}
        """The offset of each partition that this worker committed last."""
        super().__init__(*arguments, PartitionAssignor=StaticMemberAssignor, **options)
        self.membership: Final = MembershipLease(self.conf.broker_session_timeout, lambda: self.rebalancing)

    def batched_topic(self, name: str, partitions: int) -> Any:
        """Return a topic whose events are `RecordBatch`. It is not acknowledged: offsets are committed by hand."""
        self.batched_topics[name] = partitions
        return self.topic(name, partitions=partitions, value_serializer=RecordBatchCodec(), acks=False)

    async def known_positions(self, assignment: set[TP]) -> Mapping[TP, int]:
        """Return the offsets to read on from; Faust's committed ones hold for partitions that are not in it."""
        return {}

    async def take_over(self, assignment: Collection[TP]) -> None:
        """Do what is due before anything of these partitions is restored or read."""

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        """Commit low-water marks: nothing below them will be asked for again.

        Returns whether the broker has taken them; False where none is of a partition that is held.
        """
        assignment = self.consumer.assignment()
        held = {tp: offset for tp, offset in offsets.items() if tp in assignment}
        taken = bool(held) and await self._record_consumer._commit(held)
        if taken:
            self.committed.update(held)
        return taken

    async def newest_commits(self, partitions: Collection[TP]) -> Mapping[TP, tuple[int, str]]:
        """Return the offsets that the group committed last, by whichever worker, and what was noted beside them."""
        return await cast(CommittedRecordsThread, self._record_consumer._thread).newest_commits(partitions)

    def check_coordination(self) -> None:
        """Raise `CoordinationEndedError` where the thread that reads, or the task that coordinates in it, has ended.

        Nobody keeps this worker in its group then, and no partition comes to it any more. Raise `InstanceTakenError`
        where another worker has the place of its instance in the group.
        """
        if self.should_stop or self._consumer_thread is None:
            return
        thread = self._consumer_thread
        place = cast(CommittedRecordsThread, thread).place
        if place is not None and place.taken:
            raise InstanceTakenError(
                f'another worker has taken the place of `kafka.instance = "{self.conf.consumer_group_instance_id}"`: '
                "give each worker a name of its own, or start this one again when the other is gone"
            )
        worker, consumer = thread._thread, thread._consumer
        if worker is None or consumer is None:
            return
        if not worker.is_alive():
            raise CoordinationEndedError("the thread that reads from Kafka has ended; its traceback stands above")
        task = getattr(consumer._coordinator, "_coordination_task", None)
        if task is not None and task.done():
            error = None if task.cancelled() else task.exception()
            raise CoordinationEndedError(
                f"what keeps this worker in its group has ended ({error!r}); the traceback stands above. Start it again"
            ) from error

    @property
    def _consumer_thread(self) -> AIOKafkaConsumerThread | None:
        return None if self._consumer is None else self._record_consumer._thread

    def rejoin(self) -> None:
        """Join the group again; for the thread that reads."""
        thread = self._consumer_thread
        if thread is not None and thread._consumer is not None:
            thread._consumer._coordinator.request_rejoin()

    async def reach_consumer(self) -> None:
        """Return when the thread that reads has answered."""

        async def answer() -> None:
            """Say nothing: to have been called is the answer."""

        await self._record_consumer._thread.call_thread(answer)

    @property
    def flowing(self) -> bool:
        """Whether records are being read: not so during a rebalance or recovery."""
        return not self.rebalancing and self._record_consumer.flow_active

    @property
    def kafka_producer(self) -> AIOKafkaProducer:
        """The producer behind Faust's, for whole batches."""
        producer = cast(Producer, self.producer)._producer
        if producer is None:
            raise RuntimeError("the producer has not been started: nothing can be written before the worker runs")
        return producer

    @property
    def _record_consumer(self) -> RecordBatchConsumer:
        return cast(RecordBatchConsumer, self.consumer)

    def _new_transport(self) -> Transport:
        return RecordBatchTransport(self.conf.broker_consumer, self)
