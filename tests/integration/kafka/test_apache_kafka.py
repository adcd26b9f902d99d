"""The launcher of Apache Kafka itself: what tests and chaos runs lean on."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic

from experiments.servers.apache_kafka import ApacheKafka

pytestmark = pytest.mark.kafka

DEADLINE_MS = 20_000


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    with ApacheKafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


def create(kafka: ApacheKafka, topic: str) -> None:
    client = KafkaAdminClient(bootstrap_servers=kafka.administration)
    client.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    client.close()


def produce(kafka: ApacheKafka, topic: str, values: list[bytes], compression: str | None = None) -> None:
    producer = KafkaProducer(**kafka.client_settings(), compression_type=compression, acks="all")
    for value in values:
        producer.send(topic, value)
    producer.flush(DEADLINE_MS / 1000)
    producer.close()


def consume(kafka: ApacheKafka, topic: str, count: int, group: str | None = None) -> list[bytes]:
    consumer = KafkaConsumer(
        topic,
        **kafka.client_settings(),
        group_id=group,
        auto_offset_reset="earliest",
        consumer_timeout_ms=DEADLINE_MS,
    )
    values = [record.value for record in itertools.islice(consumer, count)]
    consumer.close()
    return values


@pytest.mark.parametrize("compression", [None, "gzip", "snappy", "lz4", "zstd"])
def test_what_is_produced_is_consumed(kafka: ApacheKafka, compression: str | None) -> None:
    topic = f"compressed-{compression}"
    create(kafka, topic)
    values = [b"impression %d " % number * 20 for number in range(200)]
    produce(kafka, topic, values, compression)
    assert consume(kafka, topic, len(values), group=topic) == values


def test_records_survive_a_kill_and_the_address_stays(kafka: ApacheKafka) -> None:
    create(kafka, "survivor")
    produce(kafka, "survivor", [b"before"])
    address, killed = kafka.bootstrap_servers, kafka.node().pid
    kafka.node().kill()
    assert kafka.node().pid is None
    kafka.node().start()
    kafka.wait_until_ready()
    assert kafka.bootstrap_servers == address
    assert kafka.node().pid != killed
    produce(kafka, "survivor", [b"after"])
    assert consume(kafka, "survivor", 2) == [b"before", b"after"]


def test_a_stopped_cluster_is_carried_on_from_its_directory(tmp_path: Path) -> None:
    with ApacheKafka(tmp_path) as first:
        create(first, "kept")
        produce(first, "kept", [b"kept"])
        address = first.bootstrap_servers
    with ApacheKafka(tmp_path) as second:
        assert second.bootstrap_servers == address
        assert consume(second, "kept", 1) == [b"kept"]


def test_run_from_the_shell_it_says_where_it_is_and_stops_when_asked(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "experiments.servers.apache_kafka", "--directory", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        name, _, address = launcher.stdout.readline().strip().partition("=")
        assert name == "KAFKA_BOOTSTRAP_SERVERS"
        KafkaAdminClient(bootstrap_servers=address).close()
        os.kill(launcher.pid, signal.SIGTERM)
        assert launcher.wait(30) == 0
    host, _, port = address.partition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))
