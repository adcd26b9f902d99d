"""Where nothing follows the topics any more, in a forked process and after closing, it is told at once."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from groundswell import Action
from groundswell.client import Policies
from groundswell.controls import Canary, Control
from groundswell.controls import encode as encode_control
from groundswell.policy import encode
from tests.unit.groundswell.test_newest_snapshot import snapshot

MADE: Final[dict[str, Any]] = {"schema_version": 1, "model": "feed", "version": 1, "by": "ann", "at": 5, "why": "so"}
HALF: Final = Canary("user", 50)
APP = """
import logging, os, sys
from groundswell import Action
from groundswell.client import EventLog, EventLogError, Policies

logging.getLogger("kafka").setLevel("CRITICAL")  # that of its parts too, which log in threads
servers, kept = sys.argv[1:]
policies, log = Policies(servers, "feed", keep=kept), EventLog(servers)
waits = log.feedback("earlier", "click")
sys.stdout.flush()
child = os.fork()
if child:
    os.waitpid(child, 0)
    print("parent:", waits.done())
    log.close(0)
else:
    # Here alone: what threads of the parent are writing to an output in the moment of the fork holds it for ever.
    logging.basicConfig(stream=sys.stdout, format="logged: %(message)s")
    for _ in range(2):
        print("basis:", policies.decide({"user": "ann"}, [Action("a"), Action("b")]).basis)
    print("problem:", policies.following.problem)
    error = log.feedback("id", "click").exception(timeout=0)
    print("error:", type(error).__name__, error)
    log.close()
    policies.close()
    sys.stdout.flush()
    os._exit(0)
"""

BESIDE_A_THREAD = """
import os, signal, sys, threading
from contextlib import ExitStack
from groundswell import Action
from groundswell.client import EventLog, Policies

policies, log = Policies(sys.argv[1], "feed", keep=sys.argv[2]), EventLog(sys.argv[1])
held, forked = threading.Event(), threading.Event()

def hold():
    with ExitStack() as all_held:
        locks = policies._stopping._cond, policies._counting, policies._canary._lock, log._stopping._cond, log._lock
        for lock in locks:
            all_held.enter_context(lock)
        held.set()
        forked.wait()

threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if child:
    forked.set()
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) != 0)
signal.alarm(60)
decision = policies.decide({"user": "ann"}, [Action("a"), Action("b")], own="a")
policies.decide_slots({"user": "ann"}, [Action("a"), Action("b")], ["top"])
log.shown(decision).exception(timeout=0)
policies.close()
log.close()
os._exit(decision.mode != sys.argv[3])
"""


@pytest.fixture
def nobody() -> Iterator[str]:
    """Yield an address at which nobody answers, and that nobody else gets meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def ran(app: str, *arguments: str) -> str:
    """Run a program; return what it prints."""
    command = [sys.executable, "-W", "ignore", "-c", app, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=240).stdout


def test_what_was_made_before_a_fork_says_in_the_child_that_it_does_nothing_there(tmp_path: Path, nobody: str) -> None:
    kept = tmp_path / "policy.json"
    kept.write_bytes(encode(snapshot(7)))
    child, parent = ran(APP, nobody, str(kept)).split("parent:")
    assert child.count("basis: last_known") == 2
    assert child.count("logged: the process was forked after these policies were made") == 1
    assert "problem: the process was forked" in child
    assert "error: EventLogError the process was forked after this log was made" in child
    assert "'earlier'" not in child
    assert "closed before" not in child, "what waits in the parent is its own to write"
    assert parent.strip() == "False"


@pytest.mark.parametrize("control", [Control(mode="apprentice", **MADE), Control(mode="canary", canary=HALF, **MADE)])
def test_a_child_waits_for_nothing_that_a_thread_of_its_parent_held(
    tmp_path: Path, nobody: str, control: Control
) -> None:
    kept = tmp_path / "policy.json"
    kept.write_bytes(encode(snapshot(7)))
    kept.with_name("policy.json.control").write_bytes(encode_control(control))
    ran(BESIDE_A_THREAD, nobody, str(kept), control.mode)


def test_what_is_closed_no_longer_says_that_its_policy_is_the_newest(tmp_path: Path, nobody: str) -> None:
    kept = tmp_path / "policy.json"
    kept.write_bytes(encode(snapshot(7)))
    policies = Policies(nobody, "feed", keep=kept)
    policies.close()
    decision = policies.decide({"user": "ann"}, [Action("a"), Action("b")])
    assert (decision.policy_version, decision.basis) == (7, "last_known")
