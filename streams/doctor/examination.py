"""`groundswell doctor`: looks at Kafka and at what lies on it, and says what keeps groundswell from working well.

It needs no worker, changes nothing, and reads no more than a worker may.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import msgspec
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from groundswell import policy
from groundswell.chunks import ManifestError, assemble
from groundswell.controls import NewestControl
from groundswell.events import LATEST, LIKELY_SECONDS, Features, Impression, Watermark, contradiction
from groundswell.policy import PolicyError
from groundswell.signatures import SignatureError
from processors.admission.event_records import Admission, Refusal
from processors.admission.local_times import common_hours
from processors.join.entries import ObservedFeedback, ShownImpression
from processors.learners.learner_choice import restored_learner
from processors.learners.stock_models import EstimatorError
from processors.wire.envelopes import UNREADABLE
from processors.wire.plain_state import MalformedError, StateError
from state import learner_checkpoints
from state.learner_checkpoints import CHECKPOINT_KEY, CheckpointError
from streams.doctor import findings
from streams.doctor.action_ids import of_action_ids
from streams.doctor.findings import DAY_MS, Finding, Unread, failed, passed, warned
from streams.doctor.hindsight import of_hindsight
from streams.doctor.joining import JoinSample, of_join
from streams.doctor.numeric_ids import of_numeric_ids
from streams.doctor.passing_texts import of_passing_texts
from streams.doctor.reused_ids import Told, of_reused_ids
from streams.doctor.shown_shares import of_shown_shares
from streams.doctor.signal_names import of_signals
from streams.kafka.access_check import PATIENCE_OF_A_READER, check_connection
from streams.kafka.access_rights import check_rights, worker_rights
from streams.kafka.security import SecurityError, connection_arguments
from streams.kafka.signing import Signing
from streams.kafka.topic_inspector import TopicInspector
from streams.kafka.topics import TopicLayout, topic_layouts
from streams.observing.chosen_indices import ChosenIndices
from streams.observing.hindsight import Hindsight
from streams.observing.logging_habits import LoggingHabits
from streams.observing.signal_names import named_signals
from streams.settings import Settings
from streams.worker.outputs import contract_partition
from streams.worker.topic_adoption import KnownTopics, newest_mark

SAMPLE = 200
"""How many of the last messages of a partition are looked at."""
LATE_CHECKPOINTS = 10
"""How many intervals a checkpoint may be late."""


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield findings as they are made; where Kafka cannot be reached, nothing more can be found."""
    if not settings.models:
        yield warned(
            "models",
            "none is configured, so that messages are not looked at",
            'name the configuration with --config, or add a section [models.NAME] with definitely_negative = ["…"]',
        )
    yield findings.of_security(settings.kafka)
    try:
        signing = Signing.of(settings.signatures)
    except SignatureError as error:
        yield failed("signatures", "a key cannot be used", str(error))
        return
    try:
        check_connection(settings.kafka, PATIENCE_OF_A_READER)
    except SecurityError as error:
        yield failed("broker", "cannot be used", str(error))
        return
    yield passed("broker", f"{settings.kafka.bootstrap_servers} answers")
    with (
        closing(KafkaAdminClient(**connection_arguments(settings.kafka), client_id="groundswell-doctor")) as admin,
        TopicInspector(settings.kafka) as logs,
    ):
        yield from _Examination(settings, signing, admin, logs).findings()


class _Examination:
    """One look at a cluster that answers."""

    def __init__(self, settings: Settings, signing: Signing, admin: KafkaAdminClient, logs: TopicInspector) -> None:
        self._settings = settings
        self._signing = signing
        self._admin = admin
        self._logs = logs
        self._now = time.time() * 1000
        self._layouts = topic_layouts(settings.kafka, settings.topics)
        self._zones: dict[str, float] = {}
        """By topic how many hours event times are behind, where these are a zone's."""
        self._whole: set[str] = set()
        self._configs: dict[str, Mapping[str, str]] = {}

    def findings(self) -> Iterator[Finding]:
        """Yield what is found, topic by topic."""
        topics = self._settings.topics
        yield from _guarded("rights", self._rights)
        yield from _guarded("topics", self._topics)
        for layout in self._layouts:
            if layout.name in self._whole:
                yield from _guarded(f"layout of {layout.name}", self._layout, layout)
        for topic in (topics.impressions, topics.feedback):
            if topic in self._whole and self._settings.models:
                yield from _guarded(f"messages of {topic}", self._messages, topic)
        if {topics.impressions, topics.interactions, topics.late_feedback} <= self._whole:
            yield from _guarded("join", self._join)
        if worker_rights(self._settings.kafka, topics).keys() <= self._whole:
            yield from _guarded("logs", self._logs_known)
        yield from _guarded("group", self._group)
        for partition in range(topics.interaction_partitions):
            if {topics.checkpoints, topics.interactions} <= self._whole:
                yield from _guarded(f"checkpoint {partition}", self._checkpoint, partition)
        if topics.policies in self._whole:
            yield from _guarded("policies", self._policies)
        if topics.controls in self._whole:
            yield from _guarded("controls", self._controls)

    def _rights(self) -> Iterator[Finding]:
        try:
            check_rights(self._admin, self._settings.kafka, worker_rights(self._settings.kafka, self._settings.topics))
        except SecurityError as error:
            yield failed("rights", "some are missing", str(error))
        else:
            yield passed("rights", "all that a worker needs")

    def _topics(self) -> Iterator[Finding]:
        described = {one["name"]: one for one in self._admin.describe_topics([one.name for one in self._layouts])}
        for layout in self._layouts:
            found = described.get(layout.name, {})
            if layout.name == self._settings.topics.controls and not found.get("partitions"):
                yield findings.without_controls(layout.name)
                continue
            finding = findings.of_topic(layout, found, self._settings.kafka.replication)
            if finding.status is not findings.Status.FAIL:
                self._whole.add(layout.name)
            yield finding
        topics, ours = self._settings.topics, [one.name for one in self._layouts]
        yield from findings.misspelt_topics(
            sorted(self._admin.list_topics()), ours, [topics.impressions, topics.feedback]
        )

    def _layout(self, layout: TopicLayout) -> Iterator[Finding]:
        config = self._configs[layout.name] = self._config(layout.name)
        if not config:
            yield warned(
                f"layout of {layout.name}",
                "Kafka does not tell",
                "give the right DescribeConfigs, or look with another",
            )
            return
        yield findings.of_layout(layout, config)
        topics = self._settings.topics
        if layout.name in {topics.impressions, topics.feedback, topics.interactions}:
            yield findings.of_retention(layout.name, config, self._settings.join)

    def _config(self, topic: str) -> dict[str, str]:
        described = self._admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
        return {name: one["value"] for name, one in described["topic"][topic].items()}

    def _messages(self, topic: str) -> Iterator[Finding]:
        settings = self._settings
        admission = Admission(settings.models, settings.max_ahead_ms)
        admit = admission.impressions if topic == settings.topics.impressions else admission.feedback
        refusals: list[str | None] = []
        example = ""
        delays: list[int] = []
        misplaced = 0
        told: list[Told] = []
        records = list(self._last(topic, settings.topics.event_partitions))
        judged = admit(records)
        for record, admitted in zip(records, judged, strict=True):
            if isinstance(admitted, Watermark):
                continue
            refusals.append(admitted.reason if isinstance(admitted, Refusal) else None)
            if isinstance(admitted, Refusal):
                example = example or f"{topic}[{record.partition}]@{record.offset}, {admitted.detail}"
            if record.key is not None and not isinstance(admitted, Refusal):
                misplaced += contract_partition(record.key, settings.topics.event_partitions) != record.partition
            occurred_at = _event_time(record.value)
            if occurred_at is not None:
                delays.append(record.timestamp - occurred_at)
            if not isinstance(admitted, Refusal):
                told.append(_told(admitted, f"{topic}[{record.partition}]@{record.offset}"))
        yield findings.of_sample(topic, refusals, misplaced, example)
        if told:
            yield of_reused_ids(topic, "impression_id" if topic == settings.topics.impressions else "feedback_id", told)
        stamps = self._configs.get(topic, {}).get("message.timestamp.type") == "LogAppendTime"
        hours = common_hours(delays, findings.ZONE_SPREAD_MS)
        if hours is not None:
            self._zones[topic] = hours
        if delays:
            yield findings.of_clocks(topic, delays, settings.max_ahead_ms, broker_stamps=stamps)
        if topic == settings.topics.feedback and told:
            named = frozenset().union(*map(named_signals, settings.models.values()))
            yield of_signals([one.signal for one in judged if isinstance(one, ObservedFeedback)], named)
        if topic == settings.topics.impressions:
            yield from self._indices(records, judged)
            yield from self._choices([record.value for record in records])

    def _indices(self, records: Sequence[ConsumerRecord], admitted: Sequence[object]) -> Iterator[Finding]:
        indices = ChosenIndices()
        indices.came(records, admitted, looks=len(records))
        for model in self._settings.models:
            yield findings.of_indices(model, indices.says(model))

    def _choices(self, values: Sequence[bytes | None]) -> Iterator[Finding]:
        """Say of each model whether propensities can be right, actions come back, and numbers are quantities."""
        shown: dict[str, list[Impression]] = {model: [] for model in self._settings.models}
        for value in values:
            impression = _impression(value)
            if impression is not None and impression.model in shown:
                shown[impression.model].append(impression)
        for model, some in shown.items():
            if some:
                habits = LoggingHabits()
                habits.observe([len(one.actions) for one in some], [one.chosen_propensity for one in some])
                yield findings.of_propensities(model, len(some), [one for one in habits.judged() if one[1] is not None])
                yield of_action_ids(model, some)
                yield of_numeric_ids(model, some)
                yield of_shown_shares(model, some)
                yield of_passing_texts(model, some)

    def _join(self) -> Iterator[Finding]:
        topics, join = self._settings.topics, self._settings.join
        interactions = joined = pieces = 0
        closed: set[bytes] = set()
        hindsight = {model: Hindsight() for model in self._settings.models}
        since = self._now
        for record in self._last(topics.interactions, topics.interaction_partitions):
            try:
                interaction = msgspec.json.decode(record.value or b"", type=_Joined)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue  # the learner says so
            feedback = len(interaction.feedback)
            interactions, joined, pieces = interactions + 1, joined + bool(feedback), pieces + feedback
            closed.add(interaction.impression.impression_id.encode())
            if (seen := hindsight.get(interaction.impression.model)) is not None:
                seen.observe(interaction.impression.context, [one.signal for one in interaction.feedback])
            since = min(since, int(record.timestamp))
        # What is late goes aside at once, and its interaction comes when the window has closed.
        strays = Counter(
            reason.decode(errors="replace")
            for record in self._last(topics.late_feedback, topics.event_partitions)
            if not interactions or record.timestamp >= since or record.key in closed
            for name, reason in record.headers or ()
            if name == "reason"
        )
        open_ms = round(1000 * (join.wait + join.grace))
        waiting, first_waiting = self._waiting(open_ms)
        yield of_join(
            JoinSample(
                interactions=interactions,
                joined=joined,
                pieces=pieces,
                strays=strays,
                waiting=waiting,
                first_waiting=first_waiting,
                open_ms=open_ms,
                zones=self._zones,
            )
        )
        yield from (of_hindsight(model, seen) for model, seen in hindsight.items() if seen.impressions)

    def _waiting(self, open_ms: int) -> tuple[int, int | None]:
        """Return how many impressions wait for feedback, and the time of the first; of many by their last ones.

        What was logged lately need not have occurred lately, nor be an impression: think of a replay.
        """
        topic, partitions = self._settings.topics.impressions, self._settings.topics.event_partitions
        oldest = round(self._now) - open_ms
        ends = self._logs.bounds(topic, partitions)
        waiting, first_waiting = 0, None
        for partition, (count, logged) in enumerate(self._logs.since(topic, partitions, oldest)):
            if not count:
                continue
            start = max(ends[partition][0], ends[partition][1] - min(count, SAMPLE))
            looked = [_event_time(record.value) for record in self._logs.read(topic, partition, start)]
            times = [one for one in looked if one is not None and one > oldest]
            if times:
                waiting += round(count * len(times) / len(looked))
                first = min(times) if count <= SAMPLE else logged
                first_waiting = first if first_waiting is None else min(first_waiting, first)
        return waiting, first_waiting

    def _last(self, topic: str, partitions: int) -> Iterator[ConsumerRecord]:
        for partition, (first, end) in self._logs.bounds(topic, partitions).items():
            yield from self._logs.read(topic, partition, max(first, end - SAMPLE))

    def _logs_known(self) -> Iterator[Finding]:
        """Say whether the logs are those of which something is known, by id and length."""
        topics = self._settings.topics
        known = KnownTopics(self._settings, self._logs, self._admin)
        others: dict[str, dict[int, str]] = {topics.impressions: {}, topics.feedback: {}, topics.interactions: {}}
        for partition in range(topics.event_partitions):
            if (mark := newest_mark(known.changelog(partition), partition)) is not None:
                for topic, reason in known.of_events(partition, mark).items():
                    others[topic][partition] = reason
        for partition in range(topics.interaction_partitions):
            try:
                found = known.checkpoint(partition)
            except CheckpointError:
                continue  # the look at checkpoints says so
            if found is not None and (why := known.of_interactions(partition, found.checkpoint)):
                others[topics.interactions][partition] = why
        for topic, partitions in others.items():
            yield findings.of_log(topic, partitions)

    def _group(self) -> Iterator[Finding]:
        group, topics = self._settings.kafka.group, self._settings.topics
        yield findings.of_group(group, len(self._admin.describe_groups([group])[group]["members"]))
        committed = {
            (place.topic, place.partition): one.offset
            for place, one in self._admin.list_group_offsets(group)[group].items()
        }
        for topic, count in {
            topics.impressions: topics.event_partitions,
            topics.feedback: topics.event_partitions,
            topics.interactions: topics.interaction_partitions,
        }.items():
            if topic in self._whole:
                unread = [
                    self._unread(topic, partition, first, committed.get((topic, partition)), end)
                    for partition, (first, end) in self._logs.bounds(topic, count).items()
                ]
                retention = int(self._configs.get(topic, {}).get("retention.ms", 7 * DAY_MS))
                yield findings.of_lag(topic, unread, retention)

    def _unread(self, topic: str, partition: int, first: int, committed: int | None, end: int) -> Unread:
        start = max(first, committed or 0)
        oldest = next(self._logs.read(topic, partition, start), None) if start < end else None
        return Unread(partition, first, committed, end, 0 if oldest is None else self._age(oldest))

    def _age(self, record: ConsumerRecord) -> int:
        return max(0, round(self._now - int(record.timestamp)))

    def _checkpoint(self, partition: int) -> Iterator[Finding]:
        check, topics = f"checkpoint {partition}", self._settings.topics
        again = "restore the topic, or delete the record to learn again from the start"
        belief = self._signing.belief("checkpoints", partition)
        records = self._logs.newest(topics.checkpoints, partition, belief)
        first, end = self._logs.bounds(topics.interactions, topics.interaction_partitions)[partition]
        head = records.get(CHECKPOINT_KEY)
        if head is None and CHECKPOINT_KEY in belief.why:
            yield failed(
                check, f"it is not believed: {belief.why[CHECKPOINT_KEY]}", "see signatures in docs/security.md"
            )
            return
        if head is None:
            if first == end:
                yield passed(check, "none, and no interaction to learn from")
            else:
                unread = self._unread(topics.interactions, partition, first, None, end)
                yield findings.of_age(check, "there is none", None, unread.age, self._patience_ms)
            return
        try:
            stored = learner_checkpoints.stored(_values(records))
            assert stored is not None  # its head is there
            checkpoint = stored.checkpoint
            for name in sorted(checkpoint.models.keys() & self._settings.models.keys()):
                restored_learner(self._settings.models[name], checkpoint.models[name])
        except (CheckpointError, MalformedError) as error:
            yield failed(check, str(error), again)
        except (StateError, EstimatorError) as error:
            yield failed(check, str(error), "a worker with this configuration would not start")
        else:
            unread = self._unread(topics.interactions, partition, first, checkpoint.offset, end)
            models = ", ".join(sorted(checkpoint.models)) or "no model"
            seen = f"{models} up to interaction {checkpoint.offset}, {stored.size:,} bytes"
            yield findings.of_age(check, seen, self._age(head), unread.age, self._patience_ms)

    @property
    def _patience_ms(self) -> int:
        return round(1000 * LATE_CHECKPOINTS * self._settings.learning.checkpoint_seconds) + findings.OLD_MS

    def _policies(self) -> Iterator[Finding]:
        records = self._logs.newest(self._settings.topics.policies, 0, self._signing.belief("policies", 0))
        values = _values(records)
        for name in self._settings.models:
            check = f"policy of {name}"
            if name.encode() not in records:
                yield warned(check, "none has been published", "nothing, if nothing has been learned yet")
                continue
            try:
                snapshot = policy.decode(assemble(name.encode(), values)[0] or b"")
            except (ManifestError, PolicyError) as error:
                yield failed(check, str(error), "wait for the next one; if it stays, see who else writes the topic")
            else:
                yield passed(check, f"version {snapshot.version}, {self._age(records[name.encode()]) / 1000:.0f} s old")

    def _controls(self) -> Iterator[Finding]:
        topic = self._settings.topics.controls
        newest = {name: NewestControl(name, self._signing.verifier) for name in self._settings.models}
        first, _ = self._logs.bounds(topic, 1)[0]
        for record in self._logs.read(topic, 0, first):
            for one in newest.values():
                one.offer(record.key, record.value, record.headers)
        for name, one in newest.items():
            pinned = None if one.pinned is None else one.pinned.version
            yield findings.of_control(name, one.control, pinned, one.refused)


def _guarded(check: str, look: Callable[..., Iterator[Finding]], *arguments: Any) -> Iterator[Finding]:
    """Yield the findings of one look; where Kafka does not let us look, say so and go on."""
    try:
        yield from look(*arguments)
    except (KafkaError, TimeoutError) as error:
        yield warned(
            check,
            f"could not be looked at: {type(error).__name__}: {error}",
            "see whether this user may describe and read it",
        )


def _values(records: Mapping[bytes, ConsumerRecord]) -> dict[bytes, bytes | None]:
    return {key: record.value for key, record in records.items()}


class _Occurrence(msgspec.Struct):
    occurred_at: int


class _Shown(msgspec.Struct):
    impression_id: str
    model: str
    context: Features


class _CameBack(msgspec.Struct):
    signal: str


class _Joined(msgspec.Struct):
    impression: _Shown
    feedback: list[_CameBack]


def _told(admitted: ShownImpression | ObservedFeedback, place: str) -> Told:
    if isinstance(admitted, ObservedFeedback):
        return Told((admitted.impression_id, admitted.id), admitted.value, place)
    return Told((admitted.id,), bytes(admitted.value), place)


def _impression(value: bytes | None) -> Impression | None:
    try:
        found = _decode_impression(value or b"")
    except UNREADABLE:
        return None
    return None if contradiction(found) else found


_decode_impression = msgspec.json.Decoder(Impression).decode


def _event_time(value: bytes | None) -> int | None:
    """Return when a message says that it occurred (ms), None where it does not, or in another unit (refused)."""
    try:
        found = msgspec.json.decode(value or b"", type=_Occurrence).occurred_at
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None if found in LIKELY_SECONDS or found > LATEST else found
