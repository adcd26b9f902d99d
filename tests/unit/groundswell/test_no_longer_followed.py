"""Where nothing follows the topics any more, in a forked process and after closing, it is told at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from experiments.servers.embedded_broker import free_port
from groundswell import Action
from groundswell.client import Policies
from groundswell.policy import encode
from tests.unit.groundswell.test_newest_snapshot import snapshot

APP = """
import logging, os, sys
from groundswell import Action
from groundswell.client import EventLog, EventLogError, Policies

logging.basicConfig(stream=sys.stdout, format="logged: %(message)s")
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


def test_what_was_made_before_a_fork_says_in_the_child_that_it_does_nothing_there(tmp_path: Path) -> None:
    kept = tmp_path / "policy.json"
    kept.write_bytes(encode(snapshot(7)))
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", APP, f"127.0.0.1:{free_port()}", str(kept)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    child = ran.stdout.split("parent:")[0]
    assert child.count("basis: last_known") == 2
    assert child.count("logged: the process was forked after these policies were made") == 1
    assert "problem: the process was forked" in child
    assert "error: EventLogError the process was forked after this log was made" in child
    assert "'earlier'" not in child
    assert "closed before" not in child, "what waits in the parent is its own to write"
    assert "parent: False" in ran.stdout


def test_what_is_closed_no_longer_says_that_its_policy_is_the_newest(tmp_path: Path) -> None:
    kept = tmp_path / "policy.json"
    kept.write_bytes(encode(snapshot(7)))
    policies = Policies(f"127.0.0.1:{free_port()}", "feed", keep=kept)
    policies.close()
    decision = policies.decide({"user": "ann"}, [Action("a"), Action("b")])
    assert (decision.policy_version, decision.basis) == (7, "last_known")
