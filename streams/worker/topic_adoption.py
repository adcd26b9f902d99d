"""Going on with topics that were deleted and made again under their names, or cut: `groundswell adopt-topics`.

What is known of a log is known by places in it, so a worker refuses another log of that name. Here it is taken over:

- where impressions were made again, both logs of events are read from their beginnings, and interactions carry the new
  id, so that none is taken for one of the old log;
- where only feedback was, impressions are read on from where they were, and feedback from its beginning;
- where only interactions were, both logs of events are read again: what the old one held and nobody had learned is
  written anew, and what was learned is known to the ledger by its place among the impressions;
- impressions that still waited, and their feedback, are set aside (`dead-letter`, `late-feedback`) where a log of
  events was made again: what would have come to them is gone, and `none` nobody said.

Models, ledgers and policies stay as they are. What has not changed is left alone, so doing it again changes nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from secrets import token_hex
from typing import Final, NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient

from groundswell.chunks import split
from processors.admission.event_records import Reason, Refusal
from processors.join.fold import Join
from state import learner_checkpoints
from state.join_journal import JoinJournal
from state.learner_checkpoints import CHECKPOINT_KEY, Checkpoint, Stored
from state.segment_table import MARK_WINDOW, Key, Mark, as_key, decode_mark, encode_mark
from streams.kafka.access_rights import changelog_topic
from streams.kafka.batch_writer import BatchWriter
from streams.kafka.security import connection_arguments
from streams.kafka.signing import Signing
from streams.kafka.topic_inspector import TopicInspector
from streams.kafka.topics import NO_ID, id_of
from streams.settings import Settings
from streams.words import counted
from streams.worker.believed_checkpoints import stored_checkpoint
from streams.worker.outputs import Outputs, Place

ANY_WINDOW_MS: Final = 1000
"""How finely segments are cut, of which none is written here."""


class Known(NamedTuple):
    """How far a log is known: up to which offset, of the topic with which id."""

    offset: int
    topic: str

    def differs(self, found: str, end: int) -> str | None:
        """Return why a log that has this id and ends there is another one, or None."""
        if NO_ID not in {self.topic, found} and self.topic != found:
            return f"was made again: its id was {self.topic} and is {found}"
        if self.offset > end:
            return f"ends at {end} and was read up to {self.offset}: it was made again, or cut"
        return None


class Adopted(NamedTuple):
    """What was taken over of one partition of a topic, or would be, and how many impressions were set aside for it."""

    topic: str
    partition: int
    why: str
    set_aside: int = 0

    def in_words(self) -> str:
        """Say it in a line."""
        aside = f"; {counted(self.set_aside, 'impression')} that waited: to dead-letter" if self.set_aside else ""
        return f"{self.topic}[{self.partition}] {self.why}{aside}"


class ChangelogSegments:
    """The segments and marks of one partition as they lie on the changelog; what is put is written there."""

    def __init__(self, topic: str, newest: Mapping[bytes, bytes | None], writer: BatchWriter | None = None) -> None:
        self._topic, self._writer = topic, writer
        self._values: dict[Key, bytes] = {}
        for name, value in newest.items():
            if value is not None:
                try:
                    key = as_key(json.loads(name))
                except ValueError:
                    continue
                if key is not None:
                    self._values[key] = value

    def marks(self, partition: int) -> dict[str, Mark]:
        """Return the marks of a partition by writer."""
        found = [key for key in self._values if key[0] == partition and key[1] == MARK_WINDOW]
        return {key[2]: decode_mark(key, self._values[key]) for key in found}

    def segments(self, partition: int) -> Iterator[tuple[Key, bytes]]:
        """Return the segments of a partition, in no order, packed."""
        return iter(
            [(key, value) for key, value in self._values.items() if key[0] == partition and key[1] != MARK_WINDOW]
        )

    def segment(self, key: Key) -> bytes:
        """Return the segment under a key, packed."""
        return self._values[key]

    def put_segment(self, key: Key, value: bytes) -> None:
        """Write a segment, packed."""
        self._put(key, value)

    def put_mark(self, partition: int, writer: str, mark: Mark) -> None:
        """Write a writer's mark."""
        self._put((partition, MARK_WINDOW, writer, 0), encode_mark(mark))

    def __delitem__(self, key: Key) -> None:
        """Delete a segment or a mark."""
        self._put(key, None)

    async def acknowledged(self, partition: int) -> None:
        """Wait until everything that was written is durable."""
        if self._writer is not None:
            await self._writer.flush()

    def _put(self, key: Key, value: bytes | None) -> None:
        if self._writer is not None:
            self._writer.append(self._topic, key[0], json.dumps(key, separators=(",", ":")).encode(), value)


class KnownTopics:
    """What workers know of the topics of events and interactions, and what these are now."""

    def __init__(self, settings: Settings, logs: TopicInspector, admin: KafkaAdminClient) -> None:
        topics = settings.topics
        self._settings, self._logs = settings, logs
        names = [topics.impressions, topics.feedback, topics.interactions]
        self.ids = {one["name"]: id_of(one) for one in admin.describe_topics(names)}

    def end(self, topic: str, partition: int) -> int:
        """Return where a log ends now. Ask when it was read how far it is known: workers that run read on meanwhile."""
        return self._logs.bounds(topic, partition + 1)[partition][1]

    def changelog(self, partition: int, writer: BatchWriter | None = None) -> ChangelogSegments:
        """Return what the join of a partition has made durable."""
        topic = changelog_topic(self._settings.kafka)
        newest = {key: one.value for key, one in self._logs.newest(topic, partition).items()}
        return ChangelogSegments(topic, newest, writer)

    def checkpoint(self, partition: int) -> Stored | None:
        """Return the checkpoint of a partition, or None where there is none. Raises `CheckpointError`."""
        topic = self._settings.topics.checkpoints
        return stored_checkpoint(self._logs, topic, partition, Signing.of(self._settings.signatures))

    def differs(self, topic: str, partition: int, known: Known) -> str | None:
        """Return why a partition is of another log than the known one, or None."""
        return known.differs(self.ids.get(topic, NO_ID), self.end(topic, partition))

    def of_events(self, partition: int, mark: Mark) -> dict[str, str]:
        """Return of each topic of events that is another one why it is."""
        topics = self._settings.topics
        known = {
            topics.impressions: Known(mark.impressions_offset, mark.impressions_topic),
            topics.feedback: Known(mark.feedback_offset, mark.feedback_topic),
        }
        found = {topic: self.differs(topic, partition, one) for topic, one in known.items()}
        return {topic: why for topic, why in found.items() if why is not None}

    def of_interactions(self, partition: int, checkpoint: Checkpoint) -> str | None:
        """Return why the interactions are other ones than those of the checkpoint, or None."""
        known = Known(checkpoint.offset, checkpoint.interactions_topic)
        return self.differs(self._settings.topics.interactions, partition, known)


def newest_mark(segments: ChangelogSegments, partition: int) -> Mark | None:
    """Return the mark that counts, or None where the partition was never read."""
    return max(segments.marks(partition).values(), key=lambda one: one.epoch, default=None)


def adopt_topics(settings: Settings, *, check: bool) -> list[Adopted]:
    """Take over what is another log than it was; with `check` say what would be. No worker may run meanwhile.

    Raises:
        CheckpointError: a checkpoint cannot be read.
        JournalError: a segment or a mark cannot be read.
        NotWrittenError: the broker does not take what is written.
        SignatureError: a key of the settings cannot be used.
    """
    Signing.of(settings.signatures).require_both()
    return asyncio.run(_adopt(settings, check=check))


async def _adopt(settings: Settings, *, check: bool) -> list[Adopted]:
    arguments = connection_arguments(settings.kafka)
    with closing(KafkaAdminClient(**arguments)) as admin, TopicInspector(settings.kafka) as logs:
        known = KnownTopics(settings, logs, admin)
        if check:
            return await Adoption(settings, known, None).run()
        producer = AIOKafkaProducer(**arguments, acks="all")
        await producer.start()
        try:
            return await Adoption(settings, known, BatchWriter(producer)).run()
        finally:
            await producer.stop()


class Adoption:
    """Goes through all partitions; without a writer it only says what it would do."""

    def __init__(self, settings: Settings, known: KnownTopics, writer: BatchWriter | None) -> None:
        self._settings, self._known, self._writer = settings, known, writer

    async def run(self) -> list[Adopted]:
        """Take over what is another log than it was."""
        topics = self._settings.topics
        done: list[Adopted] = []
        changed: list[tuple[int, Stored]] = []
        for partition in range(topics.interaction_partitions):
            found = self._known.checkpoint(partition)
            if found is not None and (why := self._known.of_interactions(partition, found.checkpoint)):
                changed.append((partition, found))
                done.append(Adopted(topics.interactions, partition, why))
        for partition in range(topics.event_partitions):
            done += await self._events(partition, rewrite=bool(changed))
        # Last: where this is begun and not ended, the logs of events are read again once more, which is safe.
        for partition, found in changed:
            await self._interactions(partition, found)
        return done

    async def _events(self, partition: int, *, rewrite: bool) -> list[Adopted]:
        """Take over both logs of events of a partition; `rewrite` says that interactions have to be written again."""
        settings, topics = self._settings, self._settings.topics
        segments = self._known.changelog(partition, self._writer)
        mark = newest_mark(segments, partition)
        if mark is None:
            return []
        why = self._known.of_events(partition, mark)
        if not (why or rewrite):
            return []
        ids = self._known.ids[topics.impressions], self._known.ids[topics.feedback]
        journal, join = JoinJournal(segments, partition, ANY_WINDOW_MS, topics=ids), Join(settings.join)
        mark = journal.restore(join)
        waiting, source, offset = len(join), mark.source_topic, 0
        if topics.impressions in why:
            # Where only the end was cut off, or brokers give no ids, the same id stands for other places.
            source = ids[0] if ids[0] not in {NO_ID, mark.impressions_topic} else f"{ids[0]}/{token_hex(4)}"
        elif topics.feedback in why:
            offset = mark.impressions_offset
        if self._writer is not None:
            if why:
                self._set_aside(partition, join, why)
                await self._writer.flush()
            await journal.begin_anew(offset, 0, source)
        return [
            Adopted(topic, partition, reason, waiting if number == 0 else 0)
            for number, (topic, reason) in enumerate(why.items())
        ]

    def _set_aside(self, partition: int, join: Join, why: Mapping[str, str]) -> None:
        """Write down what waited, and the feedback that is not read again."""
        assert self._writer is not None
        topics = self._settings.topics
        outputs = Outputs(self._writer, topics)
        step = join.give_up()
        refusal = Refusal(Reason.TOPIC_MADE_AGAIN, "; ".join(f"{topic} {reason}" for topic, reason in why.items()))
        for pending in step.evicted:
            shown = pending.impression
            place = Place(topics.impressions, partition, shown.offset)
            outputs.dead_letter(place, shown.id.encode(), bytes(shown.value), refusal)
        if topics.feedback in why:
            for stray in step.strays:
                outputs.stray(partition, stray, Reason.TOPIC_MADE_AGAIN)

    async def _interactions(self, partition: int, found: Stored) -> None:
        if self._writer is None:
            return
        topics = self._settings.topics
        anew = msgspec.structs.replace(
            found.checkpoint, offset=0, interactions_topic=self._known.ids.get(topics.interactions, NO_ID)
        )
        records, _ = split(CHECKPOINT_KEY, learner_checkpoints.encode(anew), found.slot)
        outputs = Outputs(self._writer, topics, signing=Signing.of(self._settings.signatures))
        outputs.checkpoint(partition, records)
        await outputs.flush()
