"""Children end with the block that started them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.servers import child_process
from experiments.servers.child_process import ChildProcess, stopped_like_ctrl_c

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


def python(code: str, log: Path, environment: dict[str, str] | None = None) -> ChildProcess:
    return ChildProcess("child", [sys.executable, "-c", code], log=log, environment=environment)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_is_stopped_when_the_block_fails(tmp_path: Path) -> None:
    child = python("import time; time.sleep(60)", tmp_path / "log")
    with pytest.raises(RuntimeError, match="on purpose"), child:
        raise RuntimeError("on purpose")
    assert child.exit_code is not None


def test_one_that_will_not_stop_is_ended_by_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "STOP_SECONDS", 0.2)
    with python(STUBBORN, tmp_path / "log") as child:
        wait_for(lambda: "up" in child.tail())
    assert child.exit_code == -9


def test_its_output_and_exit_code_are_kept(tmp_path: Path) -> None:
    code = "import os, sys; print('hello', os.environ['NAME'], flush=True); sys.exit(3)"
    with python(code, tmp_path / "log", {"NAME": "sea"}) as child:
        wait_for(lambda: child.exit_code is not None)
    assert child.exit_code == 3
    assert child.tail() == "hello sea"


def test_ctrl_c_in_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    with python("import os; print(os.getpgid(0), flush=True)", tmp_path / "log") as child:
        wait_for(lambda: child.tail() != "")
        assert int(child.tail()) != os.getpgid(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_the_parent_ends_its_children_as_ctrl_c_does(number: signal.Signals, tmp_path: Path) -> None:
    before = signal.getsignal(number)
    child = python("import time; time.sleep(60)", tmp_path / "log")
    with pytest.raises(KeyboardInterrupt), stopped_like_ctrl_c(), child:
        signal.raise_signal(number)
    assert child.exit_code is not None
    assert signal.getsignal(number) is before
