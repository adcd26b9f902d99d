"""What Prometheus is told: accepted by its own tool, with tested rules, finding every worker."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from experiments.servers.kafka_distribution import PROJECT

FOLDER = PROJECT / "deploy" / "prometheus"
RULES = sorted(FOLDER.glob("rules/*.yml"))

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian: prometheus)")


@needs_promtool
def test_promtool_accepts_the_configuration_and_its_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rule files found" in done.stdout


@needs_promtool
@pytest.mark.timeout(600)  # of the learning alerts, half a minute of CPU time
@pytest.mark.parametrize("rules", RULES, ids=lambda path: path.stem)
def test_the_rules_hold_their_own_tests(rules: Path) -> None:
    test = FOLDER / "tests" / rules.name
    done = subprocess.run(["promtool", "test", "rules", str(test)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_finds_every_worker_that_compose_runs() -> None:
    jobs = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    (found,) = next(job for job in jobs if job["job_name"] == "groundswell")["dns_sd_configs"]
    worker = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]["worker"]
    assert found["names"] == ["worker"]
    assert found["type"] == "A"
    assert str(found["port"]) == worker["environment"]["GROUNDSWELL_HTTP__PORT"]
