"""The script `groundswell`, with the worker installed and without."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, entry_points, version

import pytest

from groundswell import command

ran: list[str] = []


def program() -> None:
    ran.append("program")


def installed(monkeypatch: pytest.MonkeyPatch, *programs: str) -> None:
    found = [EntryPoint("worker", value, command.PROGRAM) for value in programs]
    monkeypatch.setattr(command, "entry_points", lambda *, group: found if group == command.PROGRAM else [])


def test_it_runs_the_command_line_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    ran.clear()
    installed(monkeypatch, f"{__name__}:program")
    command.main()
    assert ran == ["program"]


def test_without_the_worker_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch)
    monkeypatch.setattr("sys.argv", ["groundswell", "worker"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == command.WHAT_TO_INSTALL


@pytest.mark.parametrize("asked", [[], ["-h"], ["--help"]])
def test_asked_for_help_it_says_the_same_and_that_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], asked: list[str]
) -> None:
    installed(monkeypatch)
    monkeypatch.setattr("sys.argv", ["groundswell", *asked])
    command.main()
    assert capsys.readouterr().out == command.WHAT_TO_INSTALL


def test_every_command_is_named_beside_what_brings_it() -> None:
    named = set(re.findall(r"[\w-]+", command.WHAT_TO_INSTALL))
    assert {entry.name for entry in entry_points(group="groundswell.commands")} <= named


def test_it_has_a_version_without_the_worker(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch)
    monkeypatch.setattr("sys.argv", ["groundswell", "--version"])
    command.main()
    assert capsys.readouterr().out == f"groundswell {version('groundswell')}\n"
