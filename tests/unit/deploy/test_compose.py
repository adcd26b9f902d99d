"""The local cluster as described for Compose: complete, consistent and careful."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from experiments.servers.kafka_distribution import PROJECT, kafka_version

COMPOSE = PROJECT / "docker-compose.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
SERVERS = sorted(set(SERVICES) - {"topics", "simulate"})


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="needs docker-compose")
def test_compose_accepts_it() -> None:
    command = ["docker-compose", "--profile", "demo", "config", "--quiet"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_only_the_simulated_apps_wait_to_be_asked_for() -> None:
    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {
        "simulate": ["demo"]
    }


def test_every_knob_is_in_dotenv_and_every_line_there_turns_one() -> None:
    used = set(re.findall(r"\$\{(\w+)\}", COMPOSE.read_text()))
    lines = [line for line in (PROJECT / ".env").read_text().splitlines() if line and not line.startswith("#")]
    assert used == {line.partition("=")[0] for line in lines}


def test_the_broker_is_the_one_that_is_tested() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_can_do_more_than_it_has_to(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] not in {"root", "0", "0:0"}
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    for port in service.get("ports", []):
        assert port.startswith("${BIND_ADDRESS}:")


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    image = SERVICES[name]["image"]
    assert image == "${GROUNDSWELL_IMAGE}" or re.search(r":v?\d+\.\d+\.\d+$", image)


@pytest.mark.parametrize("name", SERVERS)
def test_servers_say_how_they_are_and_come_back(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_things_start_when_what_they_need_is_healthy() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if needed == "topics" else "service_healthy"
            assert how == {"condition": wanted}, f"{name} -> {needed}"
    for name in ("worker", "serve"):
        assert set(SERVICES[name]["depends_on"]) == {"kafka", "topics"}


def test_mounted_files_exist_and_are_read_only() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source, _, rest = volume.partition(":")
            if source.startswith("."):
                assert (PROJECT / source).exists()
                assert rest.endswith(":ro")
