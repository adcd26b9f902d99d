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
JOINS_LATE = "delayed"
"""The model whose fault raises an alert of no model."""

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
"""By model ("" for alerts of no model), by alert: how many of its impressions were learned when it first fired."""


def learned(prometheus: PrometheusServer, model: str, at: float | None = None) -> float:
    """Return how many impressions of a model had been learned at a time (seconds since 1970), or by now."""
    when = "" if at is None else f" @ {at:.3f}"
    # Over a time: on a busy machine a scrape may fail, and for a second there is no value.
    found = prometheus.query(f'sum(max_over_time(groundswell_rewards_total{{model="{model}"}}[10m]{when}))')
    return found[0].points[0][1] if found else 0.0


def due(alert: str) -> float:
    """Return by how many impressions an alert has to have fired.

    Its time, as the runbook says, at the rate of the apps: on a busy machine they come slower, and so does all else.
    """
    return FAULT_AFTER + RATE * section(alert)[0] / FASTER


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firing]:
    """Run everything until all alerts have had their time; yield what fired when."""
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
        last = max(due(alert) for _, alert in FAULTS.values() if alert)
        until(lambda: all(learned(prometheus, model) >= last for model in FAULTS), "the alerts to be due", 500)
        assert all(one.exit_code is None for one in apps)
        firing: Firing = {}
        for series in prometheus.course('ALERTS{alertstate="firing"}', begin, time.time()):
            model, alert, at = series.labels.get("model", ""), series.labels["alertname"], series.points[0][0]
            firing.setdefault(model, {})[alert] = learned(prometheus, model or JOINS_LATE, at)
        for model, first in sorted(firing.items()):
            for alert, impressions in first.items():
                minutes = (impressions - FAULT_AFTER) / RATE * FASTER / 60
                print(f"{model or 'all models'}: {alert} after {minutes:.0f} minutes")
        yield firing


def simulated_apps(directory: Path, servers: str, model: str, faults: list[str]) -> ChildProcess:
    options = [
        "--bootstrap-servers", servers, "--model", model, "--rate", str(RATE), "--wait", str(WAIT), "--grace", "0.5",
        "--p-dislike", "0.5", "--platforms", "2", "--fault-after", str(FAULT_AFTER), *faults,
    ]  # fmt: skip
    command = [sys.executable, "-m", "streams.cli", "simulate", *options]
    return ChildProcess(model, command, log=directory / f"{model}.log")


@pytest.mark.parametrize(("model", "alert"), [(model, alert) for model, (_, alert) in FAULTS.items() if alert])
def test_each_fault_is_reported_within_its_time(observed: Firing, model: str, alert: str) -> None:
    # An alert about the join speaks of no model.
    reported = {**observed.get("", {}), **observed.get(model, {})}
    assert alert in reported, observed
    # What was on its way when the fault began is learned later.
    assert FAULT_AFTER - RATE * (WAIT + 10) <= reported[alert] <= due(alert)


def test_nothing_else_is_reported_than_its_section_names(observed: Firing) -> None:
    for model, (_, alert) in FAULTS.items():
        meant = {alert} | section(alert)[1] if alert else set()
        assert set(observed.get(model, {})) <= meant, model
    of_no_model = set(observed.get("", {}))
    assert "FeedbackNotJoined" in of_no_model
    # What stands on the page is an alert of no model, too, whichever model it is about.
    assert of_no_model - {"FeedbackNotJoined"} <= {
        name for _, alert in FAULTS.values() if alert for name in section(alert)[1]
    }
