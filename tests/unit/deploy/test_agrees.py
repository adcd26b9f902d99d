"""What the cluster's description says about worker and server, they understand."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from experiments.servers.kafka_distribution import PROJECT
from streams.observing.metrics import Metrics, ServeMetrics
from streams.serve.tokens import Tokens
from streams.settings import Settings, load_settings

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]
KNOBS = dict(
    line.split("=", 1) for line in (PROJECT / ".env").read_text().splitlines() if line and not line.startswith("#")
)


def environment(service: str) -> dict[str, str]:
    """The variables of a service as its container sees them, the mounted configuration where it really lies."""
    variables = {
        name: Template(str(value)).substitute(KNOBS) for name, value in SERVICES[service]["environment"].items()
    }
    mounted = {inside: PROJECT / outside for outside, inside, _ in map(_parts, SERVICES[service]["volumes"])}
    return {**variables, "GROUNDSWELL_CONFIG": str(mounted[variables["GROUNDSWELL_CONFIG"]])}


def _parts(volume: str) -> list[str]:
    return volume.split(":")


def understood(settings: Settings, variable: str) -> Any:
    """The value that the settings have where the variable points."""
    value: Any = settings
    for name in variable.removeprefix("GROUNDSWELL_").lower().split("__"):
        value = getattr(value, name)
    return value


@pytest.mark.parametrize("service", ["topics", "worker", "serve"])
def test_each_reads_every_variable_it_is_given(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = environment(service)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.kafka.bootstrap_servers == given.pop("KAFKA_BOOTSTRAP_SERVERS")
    assert Path(given.pop("GROUNDSWELL_CONFIG")).is_file()
    for name, value in given.items():
        found = understood(settings, name)
        assert found == type(found)(value), name


def test_apps_and_prometheus_have_the_tokens_that_the_server_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment("serve").items():
        monkeypatch.setenv(name, value)
    tokens = Tokens(load_settings().serve.tokens)
    apps = tokens.holder(f"Bearer {(PROJECT / 'deploy' / 'serve-token').read_text()}")
    (scraped,) = (
        job
        for job in yaml.safe_load((PROJECT / "deploy" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
        if job["job_name"] == "groundswell-serve"
    )
    file = PROJECT / "deploy" / "prometheus" / scraped["authorization"]["credentials_file"]
    prometheus = tokens.holder(f"Bearer {file.read_text()}")
    assert (apps.may("three-state"), prometheus.may("three-state")) == (True, False)
    prometheus.check_metrics()


def test_the_worker_has_a_model_and_the_simulated_apps_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment("worker").items():
        monkeypatch.setenv(name, value)
    assert set(load_settings().models) == {"three-state"}


@pytest.mark.parametrize(
    "path",
    [*sorted(PROJECT.glob("deploy/grafana/dashboards/*.json")), *sorted(PROJECT.glob("deploy/prometheus/rules/*.yml"))],
    ids=lambda path: path.name,
)
def test_only_declared_metrics_are_asked_for(path: Path) -> None:
    declared = set()
    for family in (*Metrics().registry.collect(), *ServeMetrics().registry.collect()):
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(family.type, [""])
        declared |= {family.name + suffix for suffix in suffixes}
    asked = set(re.findall(r"(?<![:\w-])groundswell_\w+(?!:)\b", path.read_text()))
    assert asked
    assert asked <= declared
