"""What the demo runs on: a broker of its own (or the one that is given), topics, a worker, and perhaps a server."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from kafka import KafkaAdminClient

from experiments.servers.child_process import ChildProcess
from experiments.servers.embedded_broker import EmbeddedBroker, free_port
from experiments.servers.patience import Patience
from experiments.servers.worker_metrics import get
from processors.models.config import ModelConfig
from streams.kafka.topics import create_topics
from streams.settings import COMMON, PREFIX, Settings, TopicSettings, load_settings

CONFIG = Path(__file__).with_name("demo.toml")
READY_SECONDS = 90.0


class DemoError(Exception):
    """The demo did not come to its end; the message says what is missing, and what the log says."""


@dataclass(frozen=True)
class Cluster:
    """A running broker with topics and a worker, and a server where apps ask over HTTP."""

    settings: Settings
    worker: ChildProcess
    page: str
    """The worker's own address, with /metrics below it."""
    server: ChildProcess | None = None
    server_url: str | None = None
    """Where apps ask; None where they decide by themselves."""
    broker_pid: int | None = None
    """The process of a broker of its own."""

    @property
    def processes(self) -> list[ChildProcess]:
        """All that has to go on running."""
        return [self.worker] if self.server is None else [self.worker, self.server]

    @property
    def pids(self) -> list[int]:
        """The processes that something takes to come through, the broker's among them."""
        own = [] if self.broker_pid is None else [self.broker_pid]
        return [*own, *(process.pid for process in self.processes)]

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address."""
        return self.settings.kafka.bootstrap_servers

    @property
    def for_others(self) -> str:
        """What to type for other commands to find its broker, its topics and its group."""
        variables = {COMMON: self.bootstrap_servers, f"{PREFIX}KAFKA__GROUP": self.settings.kafka.group}
        usual = TopicSettings().model_dump()
        variables |= {
            f"{PREFIX}TOPICS__{name.upper()}": str(value)
            for name, value in self.settings.topics.model_dump().items()
            if value != usual[name]
        }
        return f"export {' '.join(f'{name}={value}' for name, value in variables.items())}"

    def metrics(self) -> str | None:
        """Return the worker's metrics, or None where it does not answer."""
        return get(f"{self.page}/metrics")


@contextmanager
def running_cluster(
    directory: Path,
    log: Path,
    models: Mapping[str, ModelConfig] | None = None,
    *,
    server_log: Path | None = None,
    own_broker: bool = False,
) -> Iterator[Cluster]:
    """Start everything, also a server where there is a `server_log`, and wait until it is ready; end it with the block.

    The worker learns these `models`, and the demo's own where there are none. With KAFKA_BOOTSTRAP_SERVERS set, that
    broker is used, with topics of this run's own that are deleted in the end, unless it has to be an `own_broker`.
    Raises `DemoError` if the worker or the server does not start.
    """
    with ExitStack() as stack:
        environment = {"GROUNDSWELL_HTTP__PORT": str(free_port()), **learning(directory, models)}
        if server_log is not None:
            environment["GROUNDSWELL_SERVE__PORT"] = str(free_port())
        given = os.environ.get(COMMON)
        unset: set[str] = set()
        broker_pid: int | None = None
        if given and not own_broker:
            prefix = f"groundswell-demo-{time.time_ns() // 1_000_000}"
            environment |= {
                f"GROUNDSWELL_TOPICS__{name.upper()}": f"{prefix}-{topic}"
                for name, topic in TopicSettings().model_dump().items()
                if isinstance(topic, str)
            }
            environment |= {"GROUNDSWELL_KAFKA__GROUP": prefix}
            stack.callback(_delete_topics, given, prefix)
        else:
            broker = stack.enter_context(EmbeddedBroker(directory / "broker"))
            environment |= {COMMON: broker.bootstrap_servers}
            broker_pid = broker.pid
            # How another broker is reached, by which user, is of no use here.
            unset = {name for name in os.environ if name.upper().startswith(f"{PREFIX}KAFKA")}
            # The embedded broker forgets no member by itself: a fixed name lets the same one come back.
            environment |= {"GROUNDSWELL_KAFKA__INSTANCE": "demo"}
        stack.enter_context(_environment(environment, unset))
        settings = load_settings()
        create_topics(settings.kafka, settings.topics)
        worker = stack.enter_context(ChildProcess("worker", [sys.executable, "-m", "streams.cli", "worker"], log=log))
        page = f"http://127.0.0.1:{settings.http.port}"
        cluster = Cluster(settings, worker, page, broker_pid=broker_pid)
        _wait_until_ready(worker, page, cluster.pids)
        if server_log is not None:
            command = [sys.executable, "-m", "streams.cli", "serve"]
            server = stack.enter_context(ChildProcess("server", command, log=server_log))
            url = f"http://127.0.0.1:{settings.serve.port}"
            cluster = Cluster(settings, worker, page, server, url, broker_pid)
            _wait_until_ready(server, url, cluster.pids)
        yield cluster


def learning(directory: Path, models: Mapping[str, ModelConfig] | None) -> dict[str, str]:
    """Return the variables by which the worker of the demo learns these models, or those of the demo."""
    if not models:
        return {"GROUNDSWELL_CONFIG": str(CONFIG)}
    config = directory / CONFIG.name
    config.write_text(CONFIG.read_text(encoding="utf-8").partition("[models.")[0], encoding="utf-8")
    given = {name: model.model_dump(mode="json", exclude_defaults=True) for name, model in models.items()}
    return {"GROUNDSWELL_CONFIG": str(config), "GROUNDSWELL_MODELS": json.dumps(given)}


@contextmanager
def _environment(variables: dict[str, str], unset: set[str]) -> Iterator[None]:
    """Set variables for settings and children, and others not, and put things back afterwards."""
    before = dict(os.environ)
    for name in unset:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _wait_until_ready(process: ChildProcess, url: str, pids: list[int]) -> None:
    patience = Patience(READY_SECONDS, pids)
    while get(f"{url}/readyz") is None:
        if process.exit_code is not None:
            raise DemoError(f"the {process.name} did not start; its log says:\n{process.tail()}")
        if patience.is_at_an_end():
            raise DemoError(
                f"the {process.name} was not ready within {READY_SECONDS:.0f} s of its own: see what it says, and "
                f"what else the machine does, and try again. Its log ({process.log}) ends with:\n{process.tail()}"
            )
        time.sleep(0.1)


def _delete_topics(bootstrap_servers: str, prefix: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        admin.delete_topics([topic for topic in admin.list_topics() if topic.startswith(prefix)])
    finally:
        admin.close()
