"""The topics: what they are called, how they are laid out, and how they are made."""

from __future__ import annotations

from dataclasses import dataclass

from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from streams.settings import KafkaSettings, TopicSettings


@dataclass(frozen=True)
class TopicLayout:
    """One topic as it should be."""

    name: str
    partitions: int
    config: dict[str, str]


class PartitionCountError(Exception):
    """A topic exists with another number of partitions than the join or the learner needs."""


def topic_layouts(topics: TopicSettings) -> list[TopicLayout]:
    """Return every topic. Logs are deleted by age; policies and checkpoints are compacted by key.

    Records are stamped by the broker, so that neither retention nor the check for event times in the future
    depends on the clock of a producer.
    """
    log = {
        "cleanup.policy": "delete",
        "retention.ms": str(round(topics.retention_hours * 3_600_000)),
        "message.timestamp.type": "LogAppendTime",
    }
    compacted = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1", "segment.ms": "600000"}
    return [
        TopicLayout(topics.impressions, topics.event_partitions, log),
        TopicLayout(topics.feedback, topics.event_partitions, log),
        TopicLayout(topics.interactions, topics.interaction_partitions, log),
        TopicLayout(topics.rewards, topics.interaction_partitions, log),
        TopicLayout(topics.policies, 1, compacted),
        TopicLayout(topics.checkpoints, topics.interaction_partitions, compacted),
        TopicLayout(topics.late_feedback, topics.event_partitions, log),
        TopicLayout(topics.dead_letter, 1, log),
    ]


def create_topics(kafka: KafkaSettings, topics: TopicSettings) -> list[str]:
    """Make the topics that are missing; return their names.

    Raises `PartitionCountError` where an existing topic has another number of partitions.
    """
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers, client_id="groundswell-topics")
    try:
        existing = set(admin.list_topics())
        made = []
        for layout in topic_layouts(topics):
            if layout.name in existing:
                continue
            try:
                admin.create_topics(
                    [NewTopic(layout.name, layout.partitions, kafka.replication, topic_configs=layout.config)]
                )
                made.append(layout.name)
            except TopicAlreadyExistsError:
                pass  # another one made it meanwhile; its partitions are checked below
        admin.wait_for_topics([layout.name for layout in topic_layouts(topics)])
        _check_partitions(admin, topics)
        return made
    finally:
        admin.close()


def check_topics(kafka: KafkaSettings, topics: TopicSettings) -> None:
    """Check that every topic is there with the right number of partitions.

    Raises `PartitionCountError` with what is missing and what to do.
    """
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers, client_id="groundswell-check")
    try:
        _check_partitions(admin, topics)
    finally:
        admin.close()


def _check_partitions(admin: KafkaAdminClient, topics: TopicSettings) -> None:
    layouts = topic_layouts(topics)
    described = admin.describe_topics([layout.name for layout in layouts])
    found = {one["name"]: len(one["partitions"]) for one in described if one["partitions"]}
    wrong = [
        f"{layout.name} has {found.get(layout.name, 0)} partitions, expected {layout.partitions}"
        for layout in layouts
        if found.get(layout.name, 0) != layout.partitions
    ]
    if wrong:
        raise PartitionCountError(
            "; ".join(wrong) + ". Run `groundswell topics create`, or set GROUNDSWELL_TOPICS__EVENT_PARTITIONS and "
            "GROUNDSWELL_TOPICS__INTERACTION_PARTITIONS to what the cluster has. Impressions and feedback must have "
            "the same number, or the join cannot find what belongs together."
        )
