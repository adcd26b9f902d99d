"""`make install`: a Python that will not do is refused before anything is made, and nothing is left half made."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import make_environment

PROJECT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("version", "will_do"),
    [((3, 8), False), ((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False)],
)
def test_a_python_that_will_not_do_is_named_with_those_that_will(version: tuple[int, int], will_do: bool) -> None:
    refused = make_environment.refusal(version)
    assert (refused is None) == will_do
    assert refused is None or f"{version[0]}.{version[1]}, and 3.11, 3.12 or 3.13" in refused


def test_an_old_python_can_read_what_refuses_it() -> None:
    ast.parse((PROJECT / "make_environment.py").read_text(), feature_version=(3, 7))


def test_what_begins_and_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text("no-such-package==1 --hash=sha256:00\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "of-an-older-python").touch()
    done = subprocess.run(
        [sys.executable, PROJECT / "make_environment.py"],
        cwd=tmp_path,
        env={"PIP_NO_INDEX": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert ".venv was not made" in done.stderr
    assert not (tmp_path / ".venv").exists()
