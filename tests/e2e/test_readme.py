"""The README's first steps, copied and pasted one after the other into terminals."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from experiments.servers.child_process import ChildProcess
from experiments.servers.embedded_broker import free_port
from tests.integration.workers import until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

PROJECT = Path(__file__).parents[2]
SECTION = (PROJECT / "README.md").read_text().partition("## Run it on your own events")[2].partition("\n## ")[0]
PROGRAM = '#!/bin/sh\nexec {} {} "$@"\n'


class Terminals:
    """Terminals in one folder, where `.venv` is this environment; page and broker have ports of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blocks = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)
        self.port = free_port()
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        for name, arguments in {"groundswell": "-m streams.cli", "python": "", "make": "-c pass"}.items():
            (programs / name).write_text(PROGRAM.format(sys.executable, arguments))
            (programs / name).chmod(0o755)
        self._environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT),
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.port}",
            "GROUNDSWELL_HTTP__PORT": str(free_port()),
        }

    def block(self, holds: str) -> str:
        """Return the next block, which has to hold this, so that none is passed over."""
        block: str = self._blocks.pop(0)
        assert holds in block
        return block

    def paste(self, commands: str) -> str:
        """Run commands to their end; return what they print."""
        done = subprocess.run(
            ["bash", "-e", "-c", commands],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def leave_running(self, name: str, commands: str) -> ChildProcess:
        """Run commands in a terminal of their own."""
        return ChildProcess(
            name, ["bash", "-c", f"exec {commands}"], log=self.folder / f"{name}.log", environment=self._environment
        )

    @property
    def is_done(self) -> bool:
        """Whether every block has been pasted."""
        return not self._blocks


def test_the_first_steps_lead_to_a_policy_that_knows_what_ann_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    terminals = Terminals(tmp_path)
    with ExitStack() as stack:
        terminals.paste(terminals.block("make install"))
        kafka = terminals.block("groundswell kafka").strip()
        running = stack.enter_context(terminals.leave_running("kafka", f"{kafka} --port {terminals.port}"))
        until(lambda: "export KAFKA" in running.tail() or running.exit_code is not None, "Apache Kafka")
        create, worker = terminals.block("groundswell worker").strip().splitlines()
        assert "made impressions" in terminals.paste(create)
        started = stack.enter_context(terminals.leave_running("worker", worker))
        terminals.paste(terminals.block("first.py"))
        until(lambda: "http://127.0.0.1:" in started.log.read_text(), "the page's address")
        ask, *looks = terminals.block("policy ask").strip().splitlines()

        def best() -> bool:
            shown = re.findall(r"^  (\w+) +([\d.]+)%", terminals.paste(f"{ask} || true"), re.MULTILINE)
            return bool(shown) and max(shown, key=lambda one: float(one[1]))[0] == "sport"

        until(best, "a policy that shows sport to ann")
        told = terminals.paste("\n".join(looks))
        assert "pass  join" in told or "pass join" in told, told
        assert "dead-letter: none" in told
        for asked_over_http in ("serve --demo", "curl"):  # pasted by tests/integration/serve
            terminals.block(asked_over_http)
        told = terminals.paste(terminals.block("groundswell replay"))
        assert told.count("3 rows = 3 impressions") == 2
        port, worker = free_port(), terminals.block("--config replay.toml").strip()
        assert "GROUNDSWELL_HTTP__PORT=6067 " in worker
        second = terminals.leave_running("second worker", f"env {worker.replace('6067', str(port))}")
        started = stack.enter_context(second)
        until(lambda: f"http://127.0.0.1:{port}/" in started.log.read_text(), "the page of the replay's worker")
        assert terminals.is_done
