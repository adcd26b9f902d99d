"""Topics that do not fit the join are found before the worker starts."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.admin import ConfigResource

from experiments.servers.kafka_distribution import PROJECT
from streams.kafka import topics
from streams.kafka.topics import KEYS_MOVE, CleanupError, PartitionCountError, check_topics, topic_layouts
from streams.settings import KafkaSettings, TopicSettings

TOPICS = TopicSettings()
GUARANTEES = PROJECT / "docs" / "guarantees.md"


class Cluster:
    """An admin client of a cluster that has the topics with these numbers of partitions and configurations.

    Of its brokers the first that are asked have not heard of any topic yet: so many as `unaware`.
    """

    def __init__(self, partitions: dict[str, int], configs: dict[str, dict[str, str]], unaware: int = 0) -> None:
        self._partitions = partitions
        self._configs = configs
        self._unaware = unaware

    def __call__(self, **_: Any) -> Cluster:
        return self

    def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        known = {} if self._unaware else self._partitions
        self._unaware = max(0, self._unaware - 1)
        return [{"name": name, "partitions": [{}] * known.get(name, 0)} for name in names]

    def describe_configs(self, resources: list[ConfigResource], **_: Any) -> dict[str, Any]:
        configs = {one.name: self._configs.get(one.name, {}) for one in resources}
        return {"topic": {topic: {k: {"value": v} for k, v in one.items()} for topic, one in configs.items()}}

    def close(self) -> None:
        """Do nothing."""


def check(
    monkeypatch: pytest.MonkeyPatch,
    configs: dict[str, dict[str, str]] | None = None,
    *,
    unaware: int = 0,
    **partitions: int,
) -> None:
    layouts = topic_layouts(KafkaSettings(), TOPICS)
    right = {layout.name: layout.partitions for layout in layouts}
    cluster = Cluster({**right, **partitions}, {one.name: one.config for one in layouts} | (configs or {}), unaware)
    monkeypatch.setattr(topics, "KafkaAdminClient", cluster)
    for other in ("check_connection", "check_rights"):
        monkeypatch.setattr(topics, other, lambda *_: None)
    check_topics(KafkaSettings(), TOPICS)


def test_co_partitioning_is_checked_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    check(monkeypatch)
    with pytest.raises(PartitionCountError, match=r"feedback has 3 partitions, expected .* the same number"):
        check(monkeypatch, feedback=3)


def test_what_comes_of_partitions_that_were_added_is_said_as_the_guarantees_say_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (row,) = [line for line in GUARANTEES.read_text().splitlines() if line.startswith("| partitions are added |")]
    assert f"{KEYS_MOVE} |" in row
    with pytest.raises(PartitionCountError) as refused:
        check(monkeypatch, impressions=8, feedback=8)
    assert "impressions has 8 partitions, expected 4" in str(refused.value)
    assert "Set topics.event_partitions = 8, and raise its other topics" in str(refused.value)
    assert str(refused.value).endswith(KEYS_MOVE)
    with pytest.raises(PartitionCountError) as refused:
        check(monkeypatch, impressions=2, feedback=2, interactions=8)
    assert KEYS_MOVE not in str(refused.value), "nothing was added to what apps write to"


def test_a_missing_topic_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "PATIENCE", 0.0)
    with pytest.raises(PartitionCountError, match=r"there is no topic impressions: run `groundswell topics create`$"):
        check(monkeypatch, impressions=0)
    with pytest.raises(PartitionCountError) as refused:
        check(monkeypatch, impressions=0, rewards=0, feedback=3)
    assert str(refused.value).startswith("there are no topics impressions, rewards: run `groundswell topics create`. ")
    assert "feedback has 3 partitions, expected 4. Raise the number with `kafka-topics" in str(refused.value)


def test_a_worker_does_without_the_topic_of_controls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "PATIENCE", 0.0)
    check(monkeypatch, controls=0)
    check(monkeypatch, controls=2)


def test_a_topic_with_too_few_partitions_is_raised_and_not_sent_back_to_the_command_that_found_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(PartitionCountError) as refused:
        check(monkeypatch, impressions=1)
    assert "`kafka-topics --alter --topic impressions --partitions 4`, or set topics.event_partitions" in str(
        refused.value
    )
    assert "topics create" not in str(refused.value)


def test_a_number_that_cannot_be_lowered_is_mended_by_its_setting_or_by_making_the_topic_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(PartitionCountError) as refused:
        check(monkeypatch, feedback=8, policies=3)
    said = str(refused.value)
    assert "Set topics.event_partitions = 8, and raise its other topics to that number with `kafka-topics" in said
    assert "delete policies, of which a single partition is used, and run `groundswell topics create`" in said
    assert "interaction_partitions" not in said


def test_a_topic_that_takes_no_large_messages_is_pointed_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    own = {"cleanup.policy": "compact", "max.message.bytes": "1048588"}
    check(monkeypatch, {"policies": own, "checkpoints": {**own, "max.message.bytes": "1000"}})
    (warning,) = caplog.records
    assert isinstance(warning.msg, dict)
    assert warning.msg["topic"] == "checkpoints"
    assert "takes messages of 1,000 bytes at most" in warning.msg["event"]
    assert "--entity-name checkpoints --add-config max.message.bytes=1000000`" in warning.msg["event"]


def test_topics_that_were_just_made_are_waited_for_until_every_broker_has_heard_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(topics, "LOOK_SECONDS", 0.0)
    check(monkeypatch, unaware=3)


@pytest.mark.parametrize(
    ("topic", "policy", "expected"),
    [
        ("impressions", "compact", "delete"),
        ("feedback", "compact,delete", "delete"),
        ("checkpoints", "delete", "compact"),
        ("groundswell-pending-changelog", "compact,delete", "compact"),
    ],
)
def test_a_topic_that_would_lose_what_is_needed_is_refused(
    topic: str, policy: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        CleanupError,
        match=rf"{topic} has cleanup.policy={policy}, expected {expected}\. .*`kafka-configs --alter --entity-type "
        rf"topics --entity-name {topic} --add-config cleanup.policy={expected}`",
    ):
        check(monkeypatch, {topic: {"cleanup.policy": policy}})


def test_a_topic_stamped_by_producers_is_pointed_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    check(monkeypatch)
    assert not caplog.records
    check(monkeypatch, {"feedback": {"cleanup.policy": "delete", "message.timestamp.type": "CreateTime"}})
    (warning,) = caplog.records
    assert isinstance(warning.msg, dict)
    assert {"topic": "feedback", "found": "CreateTime", "expected": "LogAppendTime"}.items() <= warning.msg.items()


def test_a_topic_that_is_kept_for_too_short_is_pointed_out_with_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"}
    check(monkeypatch, {"feedback": {**log, "retention.ms": "3600000"}, "rewards": {**log, "retention.ms": "-1"}})
    (warning,) = caplog.records
    assert isinstance(warning.msg, dict)
    assert warning.msg["topic"] == "feedback"
    assert "kept for 60 min" in warning.msg["event"]
    assert "--entity-name feedback --add-config retention.ms=604800000`" in warning.msg["event"]


def test_without_the_right_to_ask_how_topics_are_configured_the_worker_starts_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check(monkeypatch, {layout.name: {} for layout in topic_layouts(KafkaSettings(), TOPICS)})
