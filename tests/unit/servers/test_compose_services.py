"""What docker-compose.yml says of a service is what is started without Docker."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.servers.compose_services import ComposeFile

COMPOSE = """
services:
  kafka:
    environment:
      KAFKA_LISTENERS: INTERNAL://:9092
      KAFKA_LOG_DIRS: /var/lib/kafka/data
      KAFKA_HEAP_OPTS: ${HEAP}
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: "false"
    healthcheck: {test: [CMD, bash, -c, "</dev/tcp/kafka/9092"]}
  worker:
    command: [worker, "--config=/etc/groundswell/groundswell.toml"]
    environment: {KAFKA_BOOTSTRAP_SERVERS: "kafka:9092", GROUNDSWELL_LOG_LEVEL: "${LEVEL}"}
    volumes: ["./groundswell.toml:/etc/groundswell/groundswell.toml:ro", "cache:/var/lib/groundswell"]
"""


@pytest.fixture
def compose(tmp_path: Path) -> ComposeFile:
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    (tmp_path / ".env").write_text("# knobs\nLEVEL=INFO\n\nHEAP=-Xmx512m\n")
    return ComposeFile(tmp_path / "docker-compose.yml", {"LEVEL": "DEBUG"})


def test_the_brokers_settings_are_kept_and_its_place_is_not(compose: ComposeFile) -> None:
    assert compose.service("kafka").broker_properties() == {"auto.create.topics.enable": "false"}


def test_knobs_addresses_and_mounts_become_real_ones(compose: ComposeFile, tmp_path: Path) -> None:
    worker = compose.service("worker", {"kafka:9092": "127.0.0.1:20001"})
    assert worker.environment == {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:20001", "GROUNDSWELL_LOG_LEVEL": "DEBUG"}
    assert worker.command == ["worker", f"--config={tmp_path / 'groundswell.toml'}"]
    assert worker.mounts == {"/etc/groundswell/groundswell.toml": tmp_path / "groundswell.toml"}


def test_a_health_check_is_a_command(compose: ComposeFile) -> None:
    kafka = compose.service("kafka", {"/dev/tcp/kafka/9092": "/dev/tcp/127.0.0.1/20001"})
    assert kafka.healthcheck == ["bash", "-c", "</dev/tcp/127.0.0.1/20001"]
    assert kafka.environment["KAFKA_HEAP_OPTS"] == "-Xmx512m"
