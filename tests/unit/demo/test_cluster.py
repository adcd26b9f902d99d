"""What the demo runs on: which broker, and what others have to type to find it."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.demo import cluster
from experiments.demo.cluster import running_cluster
from streams.settings import Settings

OTHER = "192.0.2.1:9092"


class Broker:
    bootstrap_servers = "127.0.0.1:7002"
    pid = 2

    def __init__(self, directory: Path) -> None: ...

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Start nothing; return with what topics are made."""
    made: list[Any] = []
    monkeypatch.setattr(cluster, "EmbeddedBroker", Broker)
    monkeypatch.setattr(cluster, "ChildProcess", lambda *_, **__: nullcontext(SimpleNamespace(pid=1)))
    monkeypatch.setattr(cluster, "_wait_until_ready", lambda *_: None)
    monkeypatch.setattr(cluster, "_delete_topics", lambda *_: None)
    monkeypatch.setattr(cluster, "create_topics", lambda *given: made.append(given))
    return made


def test_a_broker_of_its_own_is_its_own_however_another_one_is_named(
    topics: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", OTHER)
    monkeypatch.setenv("GROUNDSWELL_KAFKA__GROUP", "theirs")
    monkeypatch.setenv("GROUNDSWELL_KAFKA__SECURITY_PROTOCOL", "SSL")
    before = dict(os.environ)
    with running_cluster(tmp_path, tmp_path / "log", own_broker=True) as running:
        kafka = running.settings.kafka
        assert (kafka.bootstrap_servers, kafka.group, kafka.security_protocol) == (
            "127.0.0.1:7002", "groundswell", "PLAINTEXT",
        )  # fmt: skip
        assert running.for_others.startswith(
            "export KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:7002 GROUNDSWELL_KAFKA__GROUP=groundswell"
        )
    assert dict(os.environ) == before


def test_what_is_printed_for_others_leads_them_to_the_same_topics_and_group(
    topics: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", OTHER)
    with running_cluster(tmp_path, tmp_path / "log") as running:
        settings = running.settings
        assert settings.kafka.bootstrap_servers == OTHER
        assert settings.topics.impressions.startswith("groundswell-demo-")
        printed = running.for_others
    with monkeypatch.context() as pasted:
        for one in printed.removeprefix("export ").split():
            pasted.setenv(*one.split("=", 1))
        found = Settings()
    assert (found.topics, found.kafka.group) == (settings.topics, settings.kafka.group)
