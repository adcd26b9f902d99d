"""What Prometheus is told: accepted by its own tool, with tested rules, finding every worker."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from experiments.servers.kafka_distribution import PROJECT
from tests.unit.deploy.promtools import accepted, each_promtool

FOLDER = PROJECT / "deploy" / "prometheus"
RULES = sorted(FOLDER.glob("rules/*.yml"))


@each_promtool
def test_promtool_accepts_the_configuration_and_its_rules(promtool: str) -> None:
    said = accepted(promtool, "check", "config", "prometheus.yml", folder=FOLDER)
    assert f"{len(RULES)} rule files found" in said


@each_promtool
@pytest.mark.timeout(600)  # of the learning alerts, half a minute of CPU time
@pytest.mark.parametrize("rules", RULES, ids=lambda path: path.stem)
def test_the_rules_hold_their_own_tests(rules: Path, promtool: str) -> None:
    accepted(promtool, "test", "rules", str(FOLDER / "tests" / rules.name))


def test_the_tool_that_is_built_is_of_the_version_that_compose_runs() -> None:
    image = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]["prometheus"]["image"]
    major, minor, patch = image.rpartition(":v")[2].split(".")
    # Modules of Go count Prometheus' versions in a way of their own: 3.5.1 is v0.305.1.
    required = f"github.com/prometheus/prometheus v0.{major}{int(minor):02}.{patch}"
    assert required in (PROJECT / "deploy" / "promtool" / "go.mod").read_text()


@pytest.mark.parametrize(
    ("job", "service", "port"),
    [
        ("groundswell", "worker", "GROUNDSWELL_HTTP__PORT"),
        ("groundswell-serve", "serve", "GROUNDSWELL_SERVE__PORT"),
    ],
)
def test_it_finds_every_container_that_compose_runs(job: str, service: str, port: str) -> None:
    jobs = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    (found,) = next(one for one in jobs if one["job_name"] == job)["dns_sd_configs"]
    described = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"][service]
    assert found["names"] == [service]
    assert found["type"] == "A"
    assert str(found["port"]) == described["environment"][port]


def test_the_token_of_the_server_lies_where_prometheus_looks() -> None:
    jobs = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    token = next(one for one in jobs if one["job_name"] == "groundswell-serve")["authorization"]["credentials_file"]
    mounted = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]["prometheus"]["volumes"]
    assert f"./deploy/prometheus/{token}:/etc/prometheus/{token}:ro" in mounted
