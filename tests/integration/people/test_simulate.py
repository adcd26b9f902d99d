"""`groundswell simulate` against a broker: what it writes, how it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.consumer.fetcher import ConsumerRecord

from experiments.people.command import MODEL
from experiments.servers.child_process import ChildProcess
from experiments.servers.embedded_broker import EmbeddedBroker
from experiments.servers.topic_reader import TopicReader
from groundswell.events import Watermark
from processors.admission.event_records import Admission, Refusal
from streams.kafka.topics import create_topics
from streams.settings import KafkaSettings, TopicSettings
from tests.factories import models

TOPICS = TopicSettings(event_partitions=3)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        create_topics(KafkaSettings(bootstrap_servers=broker.bootstrap_servers), TOPICS)
        yield broker


def simulation(broker: EmbeddedBroker, log: Path, *options: str) -> ChildProcess:
    command = [sys.executable, "-m", "streams.cli", "simulate", "--bootstrap-servers", broker.bootstrap_servers]
    return ChildProcess("simulate", [*command, "--rate", "500", *options], log=log)


def wait_for_exit(process: ChildProcess) -> None:
    deadline = time.monotonic() + 60
    while process.exit_code is None:
        assert time.monotonic() < deadline, process.tail()
        time.sleep(0.05)


def read_until(reader: TopicReader, records: list[ConsumerRecord], wanted: int) -> None:
    deadline = time.monotonic() + 60
    while len(records) < wanted:
        assert time.monotonic() < deadline, f"{len(records)} of {wanted} records"
        records += reader.new()


def test_topics_that_are_missing_are_named_at_once(broker: EmbeddedBroker, tmp_path: Path) -> None:
    with simulation(broker, tmp_path / "log", "--feedback-topic", "nowhere") as apps:
        wait_for_exit(apps)
        assert apps.exit_code == 2
        assert "there is no topic nowhere that this client may see: run `groundswell topics create`" in apps.tail()


def test_it_ends_by_itself_and_closes_every_partition(broker: EmbeddedBroker, tmp_path: Path) -> None:
    with simulation(broker, tmp_path / "log", "--interactions", "300", "--wait", "0.5", "--end-of-input") as apps:
        wait_for_exit(apps)
        assert apps.exit_code == 0, apps.tail()
    admission = Admission(models(MODEL), max_ahead_ms=60_000)
    records: list[ConsumerRecord] = []
    with TopicReader(broker.bootstrap_servers, TOPICS.impressions) as reader:
        read_until(reader, records, 300 + TOPICS.event_partitions)
    admitted = admission.impressions(records)
    assert not any(isinstance(one, Refusal) for one in admitted)
    assert len({one.key for one in records if one.key is not None}) == 300
    last = {one.partition: result for one, result in zip(records, admitted, strict=True)}
    assert len(last) == TOPICS.event_partitions
    assert all(isinstance(result, Watermark) for result in last.values())


def test_it_goes_on_until_it_is_stopped(broker: EmbeddedBroker, tmp_path: Path) -> None:
    records: list[ConsumerRecord] = []
    with (
        TopicReader(broker.bootstrap_servers, TOPICS.impressions, TOPICS.feedback) as reader,
        simulation(broker, tmp_path / "log") as apps,
    ):
        read_until(reader, records, 500)
        assert apps.exit_code is None, apps.tail()
        apps.stop()
        assert apps.exit_code == 0, apps.tail()
    assert all(record.key is not None for record in records)  # others may go on: nothing is closed
