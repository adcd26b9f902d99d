"""A secured Apache Kafka and the command line against it, for the tests of security."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition

from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.child_process import ChildProcess
from experiments.servers.embedded_broker import free_port

USERS = {"worker": "worker-s3cret", "operator": "operator-s3cret", "app": "app-s3cret", "replay": "replay-s3cret"}
ROWS = 300
START_SECONDS = 60.0
COMMAND = [sys.executable, "-m", "streams.cli"]

CONFIG = """
[topics]
event_partitions = 2
interaction_partitions = 1
[join]
wait = 1.0
grace = 0.5
[models.news]
definitely_negative = ["dislike"]
"""

MAPPING = """
model = "news"
impression_id = "request"
occurred_at = { column = "at", unit = "s" }
action = { column = "article" }
propensity = "p"
[[feedback]]
signal = "dislike"
column = "disliked"
delay_ms = 500
"""


class CommandLine:
    """Runs `groundswell …` in a folder against a broker, and keeps all that it ever printed."""

    def __init__(self, folder: Path, bootstrap_servers: str) -> None:
        self.folder = folder
        self.printed = ""
        self._environment = {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "GROUNDSWELL_CONFIG": str(folder / "groundswell.toml"),
            "GROUNDSWELL_LOG_LEVEL": "DEBUG",
        }
        (folder / "groundswell.toml").write_text(CONFIG)
        (folder / "mapping.toml").write_text(MAPPING)
        lines = ["request,at,article,p,disliked"]
        lines += [f"r{n},{1_700_000_000 + n},{'abc'[n % 3]},0.3,{n % 2}" for n in range(ROWS)]
        (folder / "log.csv").write_text("\n".join(lines))

    def run(self, *arguments: str, settings: Mapping[str, str]) -> tuple[int, str]:
        """Return exit status and output."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            env={**os.environ, **self._variables(settings)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        self.printed += done.stdout
        return done.returncode, done.stdout

    def replay(self, settings: Mapping[str, str]) -> tuple[int, str]:
        """Replay the log of `ROWS` impressions."""
        log, mapping = str(self.folder / "log.csv"), str(self.folder / "mapping.toml")
        return self.run("replay", log, "--mapping", mapping, settings=settings)

    @contextmanager
    def worker(self, settings: Mapping[str, str]) -> Iterator[ChildProcess]:
        """Run a worker while the block lasts."""
        log = self.folder / "worker.log"
        with ChildProcess("worker", [*COMMAND, "worker"], log=log, environment=self._variables(settings)) as running:
            yield running
        self.printed += log.read_text()

    def _variables(self, settings: Mapping[str, str]) -> dict[str, str]:
        return {**self._environment, "GROUNDSWELL_HTTP__PORT": str(free_port()), **settings}


def wait_for(condition: Callable[[], bool], worker: ChildProcess) -> None:
    """Return when the condition holds; fail with the worker's last words if it ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert worker.exit_code is None, worker.tail()
        assert time.monotonic() < deadline, worker.tail()
        time.sleep(0.1)


def rewards(kafka: ApacheKafka) -> int:
    """Return how many rewards have been written, seen from the administrative listener."""
    consumer = KafkaConsumer(bootstrap_servers=kafka.administration)
    partition = TopicPartition("rewards", 0)
    try:
        return int(consumer.end_offsets([partition])[partition])
    finally:
        consumer.close()
