"""A worker in a process of its own, and what an app and an onlooker do around it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from prometheus_client.parser import text_string_to_metric_families

from experiments.servers.embedded_broker import free_port
from groundswell.client.readable_records import pass_over_unreadable
from streams.kafka.topics import create_topics
from streams.settings import KafkaSettings, TopicSettings
from tests.factories import encode

PATIENCE = 120.0
"""Seconds that anything may take on a busy machine."""
TOPICS = TopicSettings()
CONFIGURATION = """
[join]
wait = 2.0
grace = 0.5
backward = 1.0
remember = 5.0
idle = 600.0
[learning]
publish_interactions = 500
publish_seconds = 0.5
checkpoint_seconds = 0.5
[models.feed]
definitely_negative = ["dislike"]
hash_bits = 12
"""
WORKER = (sys.executable, "-m", "streams.cli", "worker")


def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Return what the condition returns as soon as it is true; fail when patience is over."""
    deadline = time.monotonic() + patience
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:.0f} s in vain for {what}")
        time.sleep(0.05)
    return result


class NoText(str):
    """A header's name that is no UTF-8 on the wire: brokers take any bytes."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe"


UNREADABLE = [(NoText("x"), b"")]
"""The headers of a record that clients cannot read."""


class RunningWorker:
    """`with RunningWorker(directory, servers) as worker:` runs one from before it is ready until it has stopped."""

    def __init__(
        self,
        directory: Path,
        servers: str,
        *,
        configuration: str = CONFIGURATION,
        environment: dict[str, str] | None = None,
        command: Sequence[str] = WORKER,
        name: str = "worker",
    ) -> None:
        self._command = command
        self._log = directory / f"{name}.log"
        self.port = free_port()
        config = directory / f"{name}.toml"
        config.write_text(configuration)
        self._environment = {
            **os.environ,
            "GROUNDSWELL_CONFIG": str(config),
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "GROUNDSWELL_HTTP__PORT": str(self.port),
            "GROUNDSWELL_KAFKA__INSTANCE": name,
            **(environment or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it reads."""
        self._launch()
        until(self._is_ready, "the worker to be ready")

    def _launch(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )

    def lives_until(self, condition: Callable[[], Any]) -> bool:
        """Start it where it does not run; return whether the condition came true before it ended by itself."""
        if not self.running:
            self._launch()
        return bool(until(lambda: condition() or ("" if self.running else "ended"), "either") != "ended")

    def _is_ready(self) -> bool:
        assert self.running, f"the worker ended:\n{self.said()[-5_000:]}"
        return self.get("/readyz")[0] == 200

    def until(self, condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> None:
        """Wait for the condition as long as the worker runs."""

        def checked() -> Any:
            assert self.running, f"the worker ended before {what}:\n{self.said()[-5_000:]}"
            return condition()

        until(checked, what, patience)

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    def ended(self) -> int:
        """Wait until it has ended by itself; return its exit status."""
        assert self._process is not None
        return self._process.wait(PATIENCE)

    def said(self) -> str:
        """Return what it has logged."""
        return self._log.read_text(errors="replace")

    def get(self, path: str) -> tuple[int, str]:
        """Return status and text of a page; status 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return 0, ""

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.get("/metrics")[1])
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def stop(self) -> tuple[int, float]:
        """Ask it to stop; return its exit status and how many seconds it took."""
        assert self._process is not None
        asked = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(PATIENCE), time.monotonic() - asked

    def kill(self) -> None:
        """End it without a word."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(self.said()[-5_000:])
        if self.running:
            self.kill()


class Apps:
    """What apps send: impressions, feedback and, at the end, the watermark that closes the last windows."""

    def __init__(self, servers: str, **options: Any) -> None:
        self._producer = KafkaProducer(bootstrap_servers=servers, linger_ms=5, acks="all", **options)

    def send(self, topic: str, message: dict[str, Any], *, partition: int | None = None) -> Any:
        """Send a message under the key of the contract."""
        return self.send_bytes(topic, message["impression_id"].encode(), encode(message), partition=partition)

    def send_bytes(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> Any:
        """Send anything."""
        return self._producer.send(topic, key=key, value=value, partition=partition, headers=list(headers))

    def end(self, occurred_at: int) -> None:
        """Promise on every partition that nothing older follows."""
        for topic in (TOPICS.impressions, TOPICS.feedback):
            for partition in range(TOPICS.event_partitions):
                self.send_bytes(
                    topic, None, encode({"schema_version": 1, "watermark": occurred_at}), partition=partition
                )
        self.flush()

    def flush(self) -> None:
        """Wait until all is acknowledged."""
        self._producer.flush(PATIENCE)

    def close(self) -> None:
        """Let go of the connection."""
        self._producer.close(5)


def with_topics(servers: str, topics: TopicSettings = TOPICS, replication: int = 1) -> str:
    """Make the topics; return the servers."""
    create_topics(KafkaSettings(bootstrap_servers=servers, replication=replication), topics)
    return servers


def read_all(servers: str, topic: str) -> list[ConsumerRecord]:
    """Return everything that is on a topic now, partition by partition."""
    return list(_records(servers, topic))


def _records(servers: str, topic: str) -> Iterator[ConsumerRecord]:
    with closing(KafkaConsumer(bootstrap_servers=servers, max_poll_records=5_000)) as consumer:
        pass_over_unreadable(consumer, lambda what: None)
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        for partition, end in consumer.end_offsets(partitions).items():
            consumer.assign([partition])
            consumer.seek_to_beginning(partition)
            deadline = time.monotonic() + PATIENCE
            while consumer.position(partition) < end:
                assert time.monotonic() < deadline, f"{topic} cannot be read to its end"
                for records in consumer.poll(timeout_ms=500).values():
                    yield from (record for record in records if record.offset < end)
