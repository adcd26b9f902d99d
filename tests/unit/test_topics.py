"""Topics that do not fit the join are found before the worker starts."""

from __future__ import annotations

from typing import Any

import pytest

from streams import topics
from streams.settings import KafkaSettings, TopicSettings
from streams.topics import PartitionCountError, check_topics, topic_layouts

TOPICS = TopicSettings()


class Cluster:
    """An admin client of a cluster that has the topics with these numbers of partitions."""

    def __init__(self, partitions: dict[str, int]) -> None:
        self._partitions = partitions

    def __call__(self, **_: Any) -> Cluster:
        return self

    def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        return [{"name": name, "partitions": [{}] * self._partitions.get(name, 0)} for name in names]

    def close(self) -> None:
        """Do nothing."""


def check(monkeypatch: pytest.MonkeyPatch, **changes: int) -> None:
    right = {layout.name: layout.partitions for layout in topic_layouts(KafkaSettings(), TOPICS)}
    monkeypatch.setattr(topics, "KafkaAdminClient", Cluster({**right, **changes}))
    for other in ("check_connection", "check_rights"):
        monkeypatch.setattr(topics, other, lambda *_: None)
    check_topics(KafkaSettings(), TOPICS)


def test_co_partitioning_is_checked_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    check(monkeypatch)
    with pytest.raises(PartitionCountError, match=r"feedback has 3 partitions, expected .* the same number"):
        check(monkeypatch, feedback=3)


def test_a_missing_topic_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PartitionCountError, match=r"impressions has 0 partitions.*groundswell topics create"):
        check(monkeypatch, impressions=0)
