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


def test_it_finds_every_worker_that_compose_runs() -> None:
    jobs = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    (found,) = next(job for job in jobs if job["job_name"] == "groundswell")["dns_sd_configs"]
    worker = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]["worker"]
    assert found["names"] == ["worker"]
    assert found["type"] == "A"
    assert str(found["port"]) == worker["environment"]["GROUNDSWELL_HTTP__PORT"]
