"""The script `groundswell`, with the worker installed and without."""

from __future__ import annotations

from importlib.metadata import EntryPoint

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
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert 'pip install "groundswell[worker]"' in said.err
    assert 'pip install "groundswell[bench]"' in said.err
