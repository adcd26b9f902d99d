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
from experiments.servers.embedded_broker import free_port
from experiments.servers.kafka_distribution import KafkaUnavailableError

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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_run_from_the_shell_it_is_there_once_and_stops_with_its_terminal(
    tmp_path: Path, number: signal.Signals
) -> None:
    port = free_port()
    command = [
        sys.executable, "-m", "streams.cli", "kafka", "--directory", str(tmp_path), "--port", str(port),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        assert "its data stays in" in launcher.stdout.readline()
        assert launcher.stdout.readline() == f"export KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:{port}\n"
        KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}").close()
        again = subprocess.run(command, capture_output=True, text=True, check=False)
        assert again.returncode == 0
        assert again.stdout.startswith(f"already runs (process {launcher.pid})")
        assert again.stdout.endswith(f"export KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:{port}\n")
        os.kill(launcher.pid, number)
        assert launcher.wait(30) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_port_that_another_has_is_not_taken_for_its_own(tmp_path: Path, kafka: ApacheKafka) -> None:
    port = int(kafka.bootstrap_servers.rpartition(":")[2])
    with pytest.raises(KafkaUnavailableError, match=rf"port {port} of 127\.0\.0\.1 is taken.*--port"):
        ApacheKafka(tmp_path, port=port).start()
