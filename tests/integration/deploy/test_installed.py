"""Both distributions as wheels in environments of their own: what is documented works there as in a checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.servers.child_process import ChildProcess
from experiments.servers.embedded_broker import EmbeddedBroker, free_port
from experiments.servers.kafka_distribution import PROJECT
from tests.integration.workers import until
from tests.unit.deploy.test_distributions import built, copied_source

pytestmark = pytest.mark.timeout(1800)

SETTINGS = '[join]\nwait = 1\ngrace = 0.5\n[models.three-state]\ndefinitely_negative = ["dislike"]\n'
ROW = "id,at,article,user,p,clicked\nr1,1767225600000,a,ann,0.5,1\nr2,1767225601000,b,bob,0.5,0\n"
MAPPING = """
model = "three-state"
impression_id = "id"
occurred_at = { column = "at", unit = "ms" }
action = { column = "article" }
propensity = "p"
context = { user = "user" }
feedback = [{ signal = "click", column = "clicked", delay_ms = 1000 }]
"""


class Installed:
    """An environment with one of the distributions, and commands in it that see nothing of the checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        self.bin = folder / "venv" / "bin"

    def install(self, *what: str) -> None:
        """Install from the wheels, and what they need from the index."""
        self.python("-m", "pip", "install", "--quiet", "--find-links", str(self.folder.parent / "wheels"), *what)

    def run(self, *command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `groundswell` with these arguments."""
        return subprocess.run(
            [self.bin / "groundswell", *command],
            cwd=self.folder,
            env=self.environment(**variables),
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self, **variables: str) -> dict[str, str]:
        """Return the environment without what leads to the checkout."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("GROUNDSWELL_", "PYTHON"))}
        return ours | {"NO_COLOR": "1", "COLUMNS": "200"} | variables

    def packages(self) -> set[str]:
        """Return the names of what is installed."""
        return {one["name"].lower() for one in json.loads(self.python("-m", "pip", "list", "--format", "json"))}

    def python(self, *arguments: str) -> str:
        command = [str(self.bin / "python"), *arguments]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    source = copied_source(folder / "source")
    built("wheel", source / "groundswell", folder / "wheels")
    built("wheel", source, folder / "wheels")
    return folder


@pytest.fixture(scope="module")
def worker(folder: Path) -> Installed:
    environment = Installed(folder / "worker")
    environment.install("groundswell[worker]")
    (environment.folder / "groundswell.toml").write_text(SETTINGS)
    (environment.folder / "log.csv").write_text(ROW)
    (environment.folder / "log.parquet").write_bytes(b"PAR1")
    (environment.folder / "mapping.toml").write_text(MAPPING)
    return environment


@pytest.mark.deploy
def test_apps_get_few_packages_and_are_told_what_brings_commands(folder: Path) -> None:
    apps = Installed(folder / "apps")
    apps.install("groundswell")
    assert apps.packages() - {"pip", "setuptools"} == {"groundswell", "kafka-python", "msgspec", "numpy", "zstandard"}
    assert (
        apps.python("-c", "from groundswell.client import EventLog, Policies; print(EventLog.__name__)") == "EventLog\n"
    )
    assert apps.run("--version").stdout.startswith("groundswell ")
    told = apps.run("worker")
    assert told.returncode == 2
    assert 'pip install "groundswell[worker]"' in told.stderr


@pytest.mark.nightly
def test_a_worker_comes_without_what_only_experiments_need(worker: Installed) -> None:
    unwanted = {"polars", "matplotlib", "jinja2", "noida-db", "pillow", "playwright", "pytest", "scikit-learn"}
    assert not worker.packages() & unwanted


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("demo", "demo"),
        ("evaluate three-state", "demo"),
        ("bench learner", "demo"),
        ("replay log.parquet --mapping mapping.toml --check", "replay"),
    ],
)
def test_a_command_whose_extra_is_not_there_names_it(worker: Installed, command: str, extra: str) -> None:
    told = worker.run(*command.split())
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.count("\n") == 1
    assert f'pip install "groundswell[{extra}]"' in told.stderr


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    with EmbeddedBroker(tmp_path / "broker") as running:
        yield running.bootstrap_servers


@pytest.mark.nightly
def test_topics_worker_apps_doctor_policy_and_replay_work_from_the_wheel(
    worker: Installed, broker: str, tmp_path: Path
) -> None:
    variables = {
        "KAFKA_BOOTSTRAP_SERVERS": broker,
        "GROUNDSWELL_CONFIG": str(worker.folder / "groundswell.toml"),
        "GROUNDSWELL_HTTP__PORT": str(free_port()),
    }
    assert worker.run("topics", "create", **variables).returncode == 0
    checked = worker.run("replay", "log.csv", "--mapping", "mapping.toml", "--check", **variables)
    assert "2 rows = 2 impressions" in checked.stdout, checked.stderr
    assert "kuairand-pure" in worker.run("replay", "log.csv", "--mapping", "none", **variables).stderr
    command, environment = [str(worker.bin / "groundswell"), "worker"], worker.environment(**variables)
    with ChildProcess("worker", command, log=tmp_path / "worker.log", environment=environment):
        simulated = worker.run("simulate", "--interactions", "1500", "--rate", "300", "--end-of-input", **variables)
        assert simulated.returncode == 0, simulated.stderr
        until(lambda: "three-state, version" in worker.run("policy", "show", **variables).stdout, "a policy")
        asked = worker.run("policy", "ask", "--context", "user=user-1", "--actions", "action-1,action-2", **variables)
        assert asked.returncode == 0, asked.stderr
        examined = worker.run("doctor", **variables)
        assert examined.returncode == 0, examined.stdout
    assert "dead-letter: none" in worker.run("dead-letters", **variables).stdout


@pytest.mark.nightly
def test_kafka_runs_from_the_wheel(worker: Installed, tmp_path: Path) -> None:
    port = free_port()
    command = [str(worker.bin / "groundswell"), "kafka", "--port", str(port), "--directory", str(tmp_path / "kafka")]
    cache = os.environ.get("GROUNDSWELL_KAFKA_CACHE", str(PROJECT / ".kafka"))
    environment = worker.environment(GROUNDSWELL_KAFKA_CACHE=cache)
    with ChildProcess("kafka", command, log=tmp_path / "log", environment=environment) as running:
        until(lambda: f"127.0.0.1:{port}" in running.tail() or running.exit_code is not None, "Apache Kafka")
        assert running.exit_code is None, running.tail()
        made = worker.run("topics", "create", KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{port}")
        assert made.returncode == 0, made.stderr


@pytest.mark.nightly
def test_the_demo_runs_with_its_extra(worker: Installed) -> None:
    worker.install("groundswell[demo]")
    ran = worker.run("demo", "--interactions", "2000")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (worker.folder / "out" / "demo" / "report.html").is_file()
    told = worker.run("bench", "learner")
    assert told.returncode == 2
    assert 'needs vowpalwabbit: pip install "groundswell[bench]"' in told.stderr
