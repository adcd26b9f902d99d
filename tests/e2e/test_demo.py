"""The demo from end to end, on the embedded broker: the loop closes, nothing is lost, the report is written."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from experiments.demo import run
from experiments.demo.audit import Audit
from experiments.demo.cluster import Cluster
from experiments.people.app_sessions import AUTOPLAY
from experiments.servers.child_process import ChildProcess
from groundswell.events import Reward

ENOUGH = 4500
"""Interactions after which a signal that tells the action has been found: of ten seeds that took 3,000 at the most."""


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    return tmp_path / "out"


def test_everything_that_is_shown_is_learned_once_and_the_policy_gets_better(out: Path) -> None:
    printed = io.StringIO()
    status = run.run_demo(ENOUGH, 11, out, rate=600, console=Console(file=printed, width=100))
    assert status == 0, printed.getvalue()
    summary = json.loads((out / "summary.json").read_text())
    assert summary["impressions_produced"] == summary["interactions_learned"] == summary["policy_version"] == ENOUGH
    assert summary["feedback_produced"] == summary["feedback_joined"] + summary["feedback_late"]
    for never in ("lost", "learned_twice", "joined_twice", "feedback_lost", "dead_letters"):
        assert summary[never] == 0
    for mishap in ("impressions_repeated", "feedback_repeated", "feedback_late"):
        assert summary[mishap] > 0  # or the run has shown little
    assert summary["greedy_value"] > 0.5
    assert summary["state_accuracy"] > 0.9
    assert sum(summary["reward_state_rates"].values()) == pytest.approx(1)
    assert 0 < summary["unknown"]["share"] < 0.1  # of the first interactions nothing can be told
    (leak,) = summary["leaking_signals"]
    assert (leak["signal"], leak["left_out"]) == (AUTOPLAY, True)
    worth = {row["signal"]: row for row in summary["signal_worth"]}
    for signal in ("click", "like", "skip"):
        assert worth[signal]["holds"], worth[signal]
    assert worth["dislike"]["doubt"] == "by_definition"
    assert worth[AUTOPLAY]["doubt"] == "tells_action"
    report = (out / "report.html").read_text()
    assert "What people meant" in report
    assert f"<strong>{AUTOPLAY}</strong>" in report
    assert str(out / "report.html") in printed.getvalue()
    assert printed.getvalue().splitlines()[-1].startswith("True value of the last policy: ")


def test_apps_that_ask_over_http_come_to_the_same(out: Path) -> None:
    printed = io.StringIO()
    status = run.run_demo(1500, 11, out, serve_http=True, rate=300, console=Console(file=printed, width=100))
    assert status == 0, printed.getvalue()
    summary = json.loads((out / "summary.json").read_text())
    assert summary["impressions_produced"] == summary["interactions_learned"] == summary["policy_version"] == 1500
    assert 0 < summary["impressions_deferred"] < 1500
    for never in ("lost", "learned_twice", "joined_twice", "feedback_lost", "dead_letters"):
        assert summary[never] == 0
    assert summary["greedy_value"] > 0.3
    assert "groundswell demo --interactions 1500 --seed 11 --serve-http" in (out / "report.html").read_text()


def test_a_lost_and_a_repeated_lesson_are_found(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_reward = Audit.add_reward

    def one_lost_another_twice(audit: Audit, reward: Reward) -> None:
        times = 0 if reward.impression_id.endswith("-100") else 2 if reward.impression_id.endswith("-200") else 1
        for _ in range(times):
            add_reward(audit, reward)

    monkeypatch.setattr(Audit, "add_reward", one_lost_another_twice)
    monkeypatch.setattr(run, "STALL_SECONDS", 12.0)
    printed = io.StringIO()
    assert run.run_demo(1000, 12, out, rate=600, console=Console(file=printed, width=100)) == 1
    assert "1 impression is not learned" in printed.getvalue()
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["lost"], summary["learned_twice"]) == (1, 1)


def test_a_worker_that_dies_is_named_with_the_end_of_its_log(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processes: list[ChildProcess] = []

    def die(cluster: Cluster) -> None:
        processes.append(cluster.worker)
        cluster.worker.stop()

    printed = io.StringIO()
    monkeypatch.setattr(Cluster, "metrics", die)  # which the demo asks for once a second
    assert run.run_demo(2500, 11, out, console=Console(file=printed, width=100)) == 1
    assert "the worker has ended" in printed.getvalue()
    assert "the apps have not finished" in printed.getvalue()
    assert "learners let go" in printed.getvalue()
    assert not (out / "report.html").exists()
    assert processes[0].exit_code is not None
