"""Faults planted in simulated apps, seen by a real Prometheus with the real rules, only thirty times as fast.

Every window and every `for` of the rules is divided by `FASTER`; nothing else is changed. One worker learns a model for
each fault, and one for apps without.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.servers.child_process import ChildProcess
from experiments.servers.embedded_broker import EmbeddedBroker
from experiments.servers.kafka_distribution import PROJECT
from experiments.servers.prometheus_server import PrometheusServer
from streams.settings import TopicSettings
from tests.integration.workers import RunningWorker, until, with_topics

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Debian's prometheus"),
]

FASTER = 30
RATE, FAULT_AFTER = 60, 2500
WAIT = 2.0

FAULTS: dict[str, tuple[list[str], str | None]] = {
    "healthy": ([], None),
    "sarcastic": (["--sarcastic=0.6"], "SignalMeaningFlipped"),
    "uniform": (["--uniform-propensities"], "WrongPropensities"),
    "button": (["--no-dislike-button"], "NegativeOracleSilent"),
    "delayed": (["--feedback-delay=4"], "FeedbackNotJoined"),
}
"""By model: what is wrong with its apps, and the alert that is meant for it."""

CONFIGURATION = f"""
[topics]
event_partitions = 2
interaction_partitions = 1
[join]
wait = {WAIT}
grace = 0.5
backward = 1.0
remember = 60.0
[learning]
publish_interactions = 250
publish_seconds = 2.0
""" + "".join(
    f"""
[models.{model}]
definitely_negative = ["dislike"]
[segments.{model}]
feature = "platform"
"""
    for model in FAULTS
)


def faster(duration: re.Match[str]) -> str:
    seconds = int(duration[1]) * {"s": 1, "m": 60, "h": 3600}[duration[2]]
    return f"{max(1, seconds // FASTER)}s"


def faster_rules(source: Path) -> dict[str, Any]:
    """Return a file of rules with every duration divided."""
    rules: dict[str, Any] = yaml.safe_load(source.read_text())
    for group in rules["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            for part in {"expr", "for"} & set(rule):
                rule[part] = re.sub(r"\b(\d+)([smh])\b", faster, rule[part])
    return rules


def configured(directory: Path, port: int) -> Path:
    """Write a configuration that scrapes the worker every second; return its path."""
    for source in sorted((PROJECT / "deploy/prometheus/rules").glob("*.yml")):
        (directory / source.name).write_text(yaml.safe_dump(faster_rules(source)))
    path = directory / "prometheus.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [f"{directory}/*.yml"],
                "scrape_configs": [{"job_name": "groundswell", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}],
            }
        )
    )
    return path


def section(alert: str) -> tuple[float, set[str]]:
    """Return what the runbook says of an alert: seconds until it fires, and which others may come with it."""
    (text,) = re.findall(rf"\n## {alert}\n(.*?)(?:\n## |\Z)", (PROJECT / "docs/runbook.md").read_text(), re.DOTALL)
    (minutes,) = re.findall(r"Within:\s(\d+) minutes", text)
    (named,) = re.findall(r"Comes with:\s(.*?)\.\n", text, re.DOTALL)
    return 60 * int(minutes), set(re.findall(r"`(\w+)`", named))


Firing = dict[str, dict[str, float]]
"""By model ("" for alerts of no model), by alert: when it first fired (seconds since 1970)."""


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[float, Firing]]:
    """Run everything until all alerts have had their time; yield when the faults began, and what fired when."""
    directory = tmp_path_factory.mktemp("alerts")
    with ExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker(directory / "broker"))
        servers = with_topics(broker.bootstrap_servers, TopicSettings(event_partitions=2, interaction_partitions=1))
        worker = stack.enter_context(RunningWorker(directory, servers, configuration=CONFIGURATION))
        prometheus = stack.enter_context(PrometheusServer(directory, configured(directory, worker.port)))
        # Until the first scrape there is no worker, and an alert about it.
        until(lambda: prometheus.query("up == 1") and not prometheus.query("ALERTS"), "the first scrapes")
        begin = time.time()
        apps = [
            stack.enter_context(simulated_apps(directory, servers, model, faults))
            for model, (faults, _) in FAULTS.items()
        ]
        until(lambda: time.time() > begin + FAULT_AFTER / RATE, "the faults to begin", 200)
        began = time.time()
        longest = max(section(alert)[0] for _, alert in FAULTS.values() if alert) / FASTER
        until(lambda: time.time() > began + longest, "the alerts to have had their time", longest + 60)
        assert all(one.exit_code is None for one in apps)
        firing: Firing = {}
        for series in prometheus.course('ALERTS{alertstate="firing"}', begin, time.time()):
            first = firing.setdefault(series.labels.get("model", ""), {})
            first[series.labels["alertname"]] = series.points[0][0]
        for model, first in sorted(firing.items()):
            for alert, at in first.items():
                print(f"{model or 'all models'}: {alert} after {(at - began) * FASTER / 60:.0f} minutes")
        yield began, firing


def simulated_apps(directory: Path, servers: str, model: str, faults: list[str]) -> ChildProcess:
    options = [
        "--bootstrap-servers", servers, "--model", model, "--rate", str(RATE), "--wait", str(WAIT), "--grace", "0.5",
        "--p-dislike", "0.5", "--platforms", "2", "--fault-after", str(FAULT_AFTER), *faults,
    ]  # fmt: skip
    command = [sys.executable, "-m", "streams.cli", "simulate", *options]
    return ChildProcess(model, command, log=directory / f"{model}.log")


@pytest.mark.parametrize(("model", "alert"), [(model, alert) for model, (_, alert) in FAULTS.items() if alert])
def test_each_fault_is_reported_within_its_time(observed: tuple[float, Firing], model: str, alert: str) -> None:
    began, firing = observed
    within, _ = section(alert)
    # An alert about the join speaks of no model.
    reported = {**firing.get("", {}), **firing.get(model, {})}
    assert alert in reported, firing
    assert began - 1 <= reported[alert] <= began + within / FASTER


def test_nothing_else_is_reported_than_its_section_names(observed: tuple[float, Firing]) -> None:
    _, firing = observed
    for model, (_, alert) in FAULTS.items():
        meant = {alert} | section(alert)[1] if alert else set()
        assert set(firing.get(model, {})) <= meant, model
    assert set(firing.get("", {})) == {"FeedbackNotJoined"}
