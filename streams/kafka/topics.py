"""The topics: what they are called, how they are laid out, and how they are made."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import InvalidReplicationFactorError, TopicAlreadyExistsError, TopicAuthorizationFailedError

from streams.kafka.access_check import check_connection
from streams.kafka.access_rights import changelog_topic, check_rights, refused, worker_rights
from streams.kafka.security import connection_arguments
from streams.observing.logs import get_log
from streams.settings import KafkaSettings, TopicSettings
from streams.words import counted, span

LOG = get_log(__name__)
PATIENCE = 10.0
"""Seconds until a topic that was made is known to every broker: any of them may be the one that is asked."""
LOOK_SECONDS = 0.2
EVENTS = "topics.event_partitions"
"""The setting by which the topics of the join have their partitions."""
KEYS_MOVE = (
    "With other partitions keys fall on others: feedback that comes after they were added, to what was shown before, "
    "misses its impression, which is learned as unanswered. So let apps pause for the wait before, or begin anew on "
    "topics that are made with the number"
)
"""What comes of raising the number under apps that write. docs/guarantees.md has the same words."""
LEAST_MESSAGE_BYTES = 1_000_000
"""What a topic has to take: pieces of policies and checkpoints, and interactions, are nearly as large. Kafka's own
default is a little more."""


@dataclass(frozen=True)
class TopicLayout:
    """One topic as it should be. `setting` says how many partitions it has, unless it has one and no other number."""

    name: str
    partitions: int
    config: dict[str, str]
    setting: str | None = None

    def wrong_cleanup(self, config: Mapping[str, str]) -> str | None:
        """Return how Kafka cleans up the topic, where that would lose what is needed or keep what is not.

        `config` as Kafka has it, empty where it does not tell.
        """
        found = config.get("cleanup.policy", "delete")
        return None if not config or found == self.config["cleanup.policy"] else found

    def wrong_retention(self, config: Mapping[str, str]) -> int | None:
        """Return for how long (ms) Kafka keeps a log, where that is shorter than it should; -1 is for ever."""
        wanted = self.config.get("retention.ms")
        if wanted is None or "retention.ms" not in config:
            return None
        found = int(config["retention.ms"])
        return found if 0 <= found < int(wanted) else None

    def too_small(self, config: Mapping[str, str]) -> int | None:
        """Return how many bytes Kafka takes at once, where that is less than what is written."""
        found = int(config.get("max.message.bytes", LEAST_MESSAGE_BYTES))
        return found if found < LEAST_MESSAGE_BYTES else None

    def mending(self, name: str) -> str:
        """Return the command that sets one of the topic's configurations to what it should be."""
        wanted = {"max.message.bytes": str(LEAST_MESSAGE_BYTES), **self.config}
        config = f"{name}={wanted[name]}"
        return f"`kafka-configs --alter --entity-type topics --entity-name {self.name} --add-config {config}`"

    def wrong_stamp(self, config: Mapping[str, str]) -> str | None:
        """Return whose clock the times of records go by, where that is not as it should be."""
        found = config.get("message.timestamp.type", "CreateTime")
        return None if not config or found == self.config.get("message.timestamp.type", found) else found


class TopicError(Exception):
    """A topic is not as it has to be; the message says which, why, and what to do."""


class PartitionCountError(TopicError):
    """A topic exists with another number of partitions than the join or the learner needs."""


class TopicChangedError(TopicError):
    """A topic is another one than that of which something is known."""


class CleanupError(TopicError):
    """A topic is cleaned up in a way that would lose what is needed."""


def topic_layouts(kafka: KafkaSettings, topics: TopicSettings) -> list[TopicLayout]:
    """Return every topic. Logs are deleted by age; the changelog, policies, controls, checkpoints and signal
    worth are compacted by key.

    Records are stamped by the broker, so that neither retention nor the check for event times in the future
    depends on the clock of a producer.
    """
    log = {
        "cleanup.policy": "delete",
        "retention.ms": str(round(topics.retention_hours * 3_600_000)),
        "message.timestamp.type": "LogAppendTime",
    }
    compacted = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1", "segment.ms": "600000"}
    # Most of its keys are deleted within minutes, and nobody needs to hear of it for a day.
    changelog = compacted | {"min.cleanable.dirty.ratio": "0.2", "delete.retention.ms": "3600000"}
    events, interactions = EVENTS, "topics.interaction_partitions"
    return [
        TopicLayout(topics.impressions, topics.event_partitions, log, events),
        TopicLayout(topics.feedback, topics.event_partitions, log, events),
        TopicLayout(changelog_topic(kafka), topics.event_partitions, changelog, events),
        TopicLayout(topics.interactions, topics.interaction_partitions, log, interactions),
        TopicLayout(topics.rewards, topics.interaction_partitions, log, interactions),
        TopicLayout(topics.policies, 1, compacted),
        TopicLayout(topics.controls, 1, compacted),
        TopicLayout(topics.checkpoints, topics.interaction_partitions, compacted, interactions),
        TopicLayout(topics.signal_worth, 1, compacted),
        TopicLayout(topics.late_feedback, topics.event_partitions, log, events),
        TopicLayout(topics.dead_letter, 1, log),
    ]


def worker_layouts(kafka: KafkaSettings, topics: TopicSettings) -> list[TopicLayout]:
    """Return the topics that a worker reads or writes: all but controls, which are between operators and apps."""
    return [layout for layout in topic_layouts(kafka, topics) if layout.name in worker_rights(kafka, topics)]


def create_topics(kafka: KafkaSettings, topics: TopicSettings) -> list[str]:
    """Make the topics that are missing; return their names.

    Raises `TopicError` where an existing topic has another number of partitions or another way of cleaning up, and
    `SecurityError` where Kafka lets us not in, or not make or see a topic.
    """
    layouts = topic_layouts(kafka, topics)
    with _administration(kafka, "groundswell-topics") as admin:
        existing = set(admin.list_topics())
        made, refusals = [], []
        for layout in layouts:
            if layout.name in existing:
                continue
            try:
                admin.create_topics(
                    [NewTopic(layout.name, layout.partitions, kafka.replication, topic_configs=layout.config)]
                )
                made.append(layout.name)
            except TopicAlreadyExistsError:
                pass  # another one made it meanwhile; its partitions are checked below
            except InvalidReplicationFactorError as error:
                raise TopicError(
                    f"{layout.name} cannot have {kafka.replication} copies: there are fewer brokers. Set "
                    "kafka.replication to their number at the most, or start more"
                ) from error
            except TopicAuthorizationFailedError:
                refusals.append(f"Create topic {layout.name}")
        if refusals:
            raise refused(kafka, refusals)
        hidden = [one["name"] for one in admin.describe_topics([layout.name for layout in layouts]) if _hidden(one)]
        if hidden:
            raise refused(kafka, [f"Describe topic {name}" for name in hidden])
        admin.wait_for_topics([layout.name for layout in layouts])
        _check_partitions(admin, layouts)
        _check_configurations(admin, layouts)
        return made


NO_ID = ""
"""The id of topics of brokers that give none (before Kafka 2.8)."""
ADOPT = (
    "Stop all workers and run `groundswell adopt-topics`, which lets them go on with the topic as it is now; or "
    "restore the old one"
)
"""What to do about a topic that was made again."""


def refuse_another(topic: str, known: str, found: str) -> None:
    """Raise `TopicChangedError` where both ids of a topic are known and differ."""
    if known != NO_ID and found not in {NO_ID, known}:
        raise TopicChangedError(
            f"{topic} was deleted and made again (its id is {found}, and what is known is of {known}): its offsets "
            f"mean other records now. {ADOPT}"
        )


def id_of(described: Mapping[str, Any]) -> str:
    """Return the id of a topic as the admin client describes it."""
    topic_id = described.get("topic_id")
    return str(topic_id) if topic_id else NO_ID


def check_topics(kafka: KafkaSettings, topics: TopicSettings) -> dict[str, str]:
    """Check that every topic of a worker is there with the right number of partitions, and may be used; return ids.

    How topics are configured is checked where this client may ask (with `DescribeConfigs`). Raises `TopicError` and
    `SecurityError` with what is missing and what to do.
    """
    layouts = worker_layouts(kafka, topics)
    with _administration(kafka, "groundswell-check") as admin:
        check_rights(admin, kafka, worker_rights(kafka, topics))
        _check_partitions(admin, layouts)
        _check_configurations(admin, layouts)
        return {one["name"]: id_of(one) for one in admin.describe_topics([layout.name for layout in layouts])}


@contextmanager
def _administration(kafka: KafkaSettings, client: str) -> Iterator[KafkaAdminClient]:
    check_connection(kafka)
    admin = KafkaAdminClient(**connection_arguments(kafka), client_id=client)
    try:
        yield admin
    finally:
        admin.close()


def _hidden(described: dict[str, Any]) -> bool:
    return bool(described["error_code"] == TopicAuthorizationFailedError.errno)


def _check_partitions(admin: KafkaAdminClient, layouts: list[TopicLayout]) -> None:
    """Compare the numbers of partitions. A topic that is missing may have been made a moment ago: it is waited for."""
    deadline = time.monotonic() + PATIENCE
    found = _partitions(admin, layouts)
    while any(layout.name not in found for layout in layouts) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        found = _partitions(admin, layouts)
    refuse_partitions(layouts, {layout.name: found.get(layout.name, 0) for layout in layouts})


def refuse_partitions(layouts: Sequence[TopicLayout], found: Mapping[str, int]) -> None:
    """Raise `PartitionCountError` where topics that were asked for are missing (0), or have another number."""
    missing = [layout.name for layout in layouts if found.get(layout.name) == 0]
    wrong = [layout for layout in layouts if found.get(layout.name, 0) not in {0, layout.partitions}]
    said = []
    if missing:
        there = "there are no topics" if len(missing) > 1 else "there is no topic"
        said.append(f"{there} {', '.join(missing)}: run `groundswell topics create`")
    if wrong:
        counts = [
            f"{layout.name} has {counted(found[layout.name], 'partition')}, expected {layout.partitions}"
            for layout in wrong
        ]
        moved = any(one.setting == EVENTS and found[one.name] > one.partitions for one in wrong)
        said.append(
            f"{'; '.join(counts)}. {partition_remedy(wrong, found)}. Impressions and feedback must have the same "
            f"number, or the join cannot find what belongs together{f'. {KEYS_MOVE}' if moved else ''}"
        )
    if said:
        raise PartitionCountError(". ".join(said))


def partition_remedy(layouts: Sequence[TopicLayout], found: Mapping[str, int]) -> str:
    """Return what to do about topics that have another number of partitions. Kafka raises it, and lowers none."""
    few = [layout for layout in layouts if found[layout.name] < layout.partitions]
    many = [layout for layout in layouts if found[layout.name] > layout.partitions]
    remedies = []
    if few:
        raised = [f"`kafka-topics --alter --topic {one.name} --partitions {one.partitions}`" for one in few]
        settings = sorted({one.setting for one in few if one.setting})
        instead = f", or set {' and '.join(settings)} to what the cluster has" if settings else ""
        remedies.append(f"raise the number with {', '.join(raised)}{instead}")
    for setting in sorted({one.setting for one in many if one.setting}):
        largest = max(found[one.name] for one in many if one.setting == setting)
        remedies.append(
            f"set {setting} = {largest}, and raise its other topics to that number with `kafka-topics --alter`"
        )
    if single := [one.name for one in many if one.setting is None]:
        remedies.append(
            f"delete {' and '.join(single)}, of which a single partition is used, and run `groundswell topics create`, "
            "or name another topic in [topics]"
        )
    remedy = "; ".join(remedies)
    return remedy[0].upper() + remedy[1:]


def _partitions(admin: KafkaAdminClient, layouts: list[TopicLayout]) -> dict[str, int]:
    """Return how many partitions each topic has that the broker which was asked knows of."""
    described = admin.describe_topics([layout.name for layout in layouts])
    return {one["name"]: len(one["partitions"]) for one in described if one["partitions"]}


def _check_configurations(admin: KafkaAdminClient, layouts: list[TopicLayout]) -> None:
    resources = [ConfigResource(ConfigResourceType.TOPIC, layout.name) for layout in layouts]
    described = admin.describe_configs(resources, config_filter="all").get("topic", {})
    said, unfit = list[str](), list[TopicLayout]()
    for layout in layouts:
        found = {name: one["value"] for name, one in described.get(layout.name, {}).items()}
        if policy := layout.wrong_cleanup(found):
            unfit.append(layout)
            said.append(f"{layout.name} has cleanup.policy={policy}, expected {layout.config['cleanup.policy']}")
        if stamp := layout.wrong_stamp(found):
            LOG.warning(
                "the records of a topic carry their producers' times, and a wrong clock there may let retention delete "
                f"them early, or event times of the future in: {layout.mending('message.timestamp.type')}",
                topic=layout.name,
                found=stamp,
                expected=layout.config["message.timestamp.type"],
            )
        if (kept := layout.wrong_retention(found)) is not None:
            LOG.warning(
                f"a topic is kept for {span(kept)}, shorter than topics.retention_hours says: what nobody has read "
                f"by then is gone: {layout.mending('retention.ms')}",
                topic=layout.name,
            )
        if (most := layout.too_small(found)) is not None:
            LOG.warning(
                f"a topic takes messages of {most:,} bytes at most, and larger ones are written to it: "
                f"{layout.mending('max.message.bytes')}",
                topic=layout.name,
            )
    if unfit:
        mending = ", ".join(layout.mending("cleanup.policy") for layout in unfit)
        raise CleanupError(
            "; ".join(said) + ". Compaction would take feedback away with its neighbours' key, deletion by age what "
            f"was learned: {mending}, or delete the topic and let `groundswell topics create` make it"
        )
