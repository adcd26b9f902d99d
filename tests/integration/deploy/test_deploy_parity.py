"""The local cluster as docker-compose.yml describes it, started service by service without Docker.

Every service runs its own command with its own environment and mounted files. Replaced are: addresses and ports (all on
the loopback, free ones), the folder of Prometheus's series, its finding containers by name, the pace of the simulated
people. Apache's image is stood in for by the project's own script with the image's settings. Grafana has no server to
be had here: what its panels ask is asked of Prometheus.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.child_process import ChildProcess
from experiments.servers.compose_services import ComposeFile, Service
from experiments.servers.embedded_broker import free_port
from experiments.servers.kafka_distribution import PROJECT
from experiments.servers.prometheus_server import PrometheusServer
from experiments.servers.worker_metrics import get, join_outcomes
from tests.integration.workers import until

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not all(map(shutil.which, ("prometheus", "java"))), reason="needs prometheus and Java (Debian's packages)"
    ),
]

EVENTS = 5_000
GROUNDSWELL = [sys.executable, "-m", "streams.cli"]
"""The image's entrypoint."""
BOARDS = {path.stem: json.loads(path.read_text()) for path in (PROJECT / "deploy/grafana/dashboards").glob("*.json")}
CHOSEN = {"$model": "three-state", "$segment": ".*", "$partition": ".*"}


class Cluster(NamedTuple):
    """The running cluster, once it has learned enough."""

    worker: str
    serve: str
    prometheus: PrometheusServer


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start the services in the order in which they depend on each other, each when the one before is healthy."""
    directory = tmp_path_factory.mktemp("cluster")
    compose = ComposeFile(PROJECT / "docker-compose.yml", {"SIMULATE_RATE": "250"})
    with ExitStack() as stack:
        broker = stack.enter_context(_kafka(directory, compose.service("kafka")))
        port, serve_port = str(free_port()), str(free_port())
        page, url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{serve_port}"
        host, _, broker_port = broker.bootstrap_servers.partition(":")
        places = {
            "kafka:9092": broker.bootstrap_servers,
            "/dev/tcp/kafka/9092": f"/dev/tcp/{host}/{broker_port}",
            "0.0.0.0": host,
            "6066": port,
            "6080": serve_port,
        }
        _run(compose.service("kafka", places).healthcheck, {})
        topics = compose.service("topics", places)
        _run([*GROUNDSWELL, *topics.command], topics.environment)
        worker = compose.service("worker", places)
        running = stack.enter_context(_started("worker", worker, directory))
        until(lambda: running.exit_code is not None or get(f"{page}/readyz"), "the worker to be ready")
        assert running.exit_code is None, running.tail()
        _run([sys.executable, *worker.healthcheck[1:]], {})
        serve = compose.service("serve", places)
        asked = stack.enter_context(_started("serve", serve, directory))
        until(lambda: asked.exit_code is not None or get(f"{url}/readyz"), "what serves apps to be ready")
        assert asked.exit_code is None, asked.tail()
        _run([sys.executable, *serve.healthcheck[1:]], {})
        jobs = {"groundswell": port, "groundswell-serve": serve_port}
        prometheus = stack.enter_context(_prometheus(directory, compose.service("prometheus"), jobs))
        stack.enter_context(_started("simulate", compose.service("simulate", places), directory))
        until(lambda: _learned(page) >= EVENTS, f"{EVENTS} interactions to be learned", 240)
        yield Cluster(page, url, prometheus)


def _kafka(directory: Path, service: Service) -> ApacheKafka:
    heap = re.search(r"-Xmx(\d+)m", service.environment["KAFKA_HEAP_OPTS"])
    assert heap
    return ApacheKafka(directory / "kafka", properties=service.broker_properties(), heap_mebibytes=int(heap[1]))


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _started(name: str, service: Service, directory: Path) -> ChildProcess:
    log = directory / f"{name}.log"
    return ChildProcess(name, [*GROUNDSWELL, *service.command], log=log, environment=service.environment)


def _prometheus(directory: Path, service: Service, ports: dict[str, str]) -> PrometheusServer:
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in service.command)
    configuration = yaml.safe_load(Path(flags.pop("config.file")).read_text())
    del flags["storage.tsdb.path"]
    (rules,) = configuration["rule_files"]
    folder, _, pattern = rules.partition("/")
    configuration["rule_files"] = [f"{service.mounts[f'/etc/prometheus/{folder}']}/{pattern}"]
    for job in configuration["scrape_configs"]:
        if job.pop("dns_sd_configs", None):
            job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}]
        if "authorization" in job:
            token = job["authorization"]["credentials_file"]
            job["authorization"] = {"credentials_file": str(service.mounts[f"/etc/prometheus/{token}"])}
    path = directory / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration))
    return PrometheusServer(directory, path, [f"--{name}={value}" for name, value in flags.items()])


def _learned(page: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(get(f"{page}/metrics") or "")
        for sample in family.samples
        if sample.name == "groundswell_rewards_total"
    )


def test_what_is_shown_is_joined_and_learned(cluster: Cluster) -> None:
    outcomes = join_outcomes(get(f"{cluster.worker}/metrics") or "")
    assert outcomes["matched"] + outcomes["none"] >= EVENTS
    assert outcomes["feedback_matched"] >= EVENTS / 10
    assert "evicted" not in outcomes


def _filled(query: str) -> str:
    for variable, value in CHOSEN.items():
        query = query.replace(variable, value)
    return query


QUERIES = [
    (f"{name}: {panel['title']}, {target['legendFormat']}", _filled(target["expr"]))
    for name, board in BOARDS.items()
    for panel in board["panels"]
    for target in panel.get("targets", [])
]
MARKS = [
    (f"{name}: {mark['name']}", _filled(mark["expr"]))
    for name, board in BOARDS.items()
    for mark in board["annotations"]["list"]
]


def test_every_panel_and_every_mark_has_something_to_show(cluster: Cluster) -> None:
    token = {"Authorization": f"Bearer {(PROJECT / 'deploy' / 'serve-token').read_text().strip()}"}
    ask = {"model": CHOSEN["$model"], "context": {"user": "ann"}, "actions": [{"id": "news"}, {"id": "sport"}]}

    def empty() -> list[str]:
        for write in ("acknowledged", "later"):
            asked = httpx2.post(f"{cluster.serve}/v1/rank?write={write}", json=ask, headers=token, timeout=60)
            assert asked.status_code == 200, asked.text
        return [name for name, query in QUERIES + MARKS if not _shown(cluster.prometheus, query)]

    try:
        until(lambda: not empty(), "every query to return something", 120)
    except AssertionError:
        assert empty() == []


def _shown(prometheus: PrometheusServer, query: str) -> bool:
    return any(math.isfinite(value) for series in prometheus.query(query) for _, value in series.points)


VALUES = {
    (name, one["name"]): _filled(one["query"]) for name, board in BOARDS.items() for one in board["templating"]["list"]
}


@pytest.mark.parametrize("variable", VALUES, ids=" ".join)
def test_every_variable_offers_something(cluster: Cluster, variable: tuple[str, str]) -> None:
    asked = re.fullmatch(r"label_values\((.*), (\w+)\)", VALUES[variable])
    assert asked
    offered = [series.labels[asked[2]] for series in cluster.prometheus.query(f"count by ({asked[2]}) ({asked[1]})")]
    assert all(offered)
    if variable[1] == "model":
        assert offered == ["three-state"]


def test_prometheus_knows_the_rules_and_no_alert_is_firing(cluster: Cluster) -> None:
    assert cluster.prometheus.query("count(model:groundswell_rewards:rate5m)")
    assert cluster.prometheus.query('ALERTS{alertstate="firing"}') == []
