"""The engine: it is guided, ends in time, and what it finds can be done again."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.fuzz.engine import PROJECT
from experiments.fuzz.run import fuzzed


def test_a_target_is_fuzzed_for_its_time(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    done = fuzzed("dsjson", tmp_path, time.monotonic() + 20, seed=1)
    assert (done.found, done.wrong) == ([], None)
    assert done.executions > 0
    assert done.coverage > 0
    assert list((tmp_path / "dsjson" / "corpus").iterdir())


def test_an_input_is_done_again_by_the_command_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "found"
    path.write_bytes(b'r{"kind":"chunked"')
    command = [sys.executable, "-m", "experiments.fuzz.engine", "policies", str(path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{path}\n")
