"""What supervisors ask: does it live, is it ready, does it end in time; and what the log says meanwhile."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from experiments.servers.embedded_broker import EmbeddedBroker
from tests.factories import feedback, impression
from tests.integration.workers import Apps, RunningWorker, with_topics

pytestmark = pytest.mark.timeout(400)

ENVIRONMENT = {"GROUNDSWELL_HTTP__STUCK_SECONDS": "4"}
UNREADY = {"waiting for partitions\n", "restoring partitions\n", "holds no partition\n"}


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Let a process do nothing at all for a while."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def pid_of(broker: EmbeddedBroker) -> int:
    assert broker._process is not None
    return broker._process.pid


class CuriousWorker(RunningWorker):
    """Remembers what `/readyz` has answered."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.answers: list[tuple[int, str]] = []

    def get(self, path: str) -> tuple[int, str]:
        answer = super().get(path)
        if path == "/readyz":
            self.answers.append(answer)
        return answer

    def lines(self) -> list[dict[str, Any]]:
        """Return what it has logged."""
        return [json.loads(line) for line in self.said().splitlines()]


def produce(servers: str, prefix: str, *, count: int = 50) -> None:
    """Send impressions and feedback of half a minute ago, and one of each that is refused; close all windows."""
    apps, at = Apps(servers), round(time.time() * 1000) - 30_000
    for number in range(count):
        apps.send("impressions", impression(f"{prefix}{number}", at))
        apps.send("feedback", feedback(f"{prefix}{number}", at + 10))
    apps.send("impressions", {**impression(f"{prefix}-bad", at), "chosen": 3})
    apps.end(at + 10_000)
    apps.close()


def test_it_is_ready_once_it_has_recovered_and_says_in_its_log_what_it_knows(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        servers = with_topics(broker.bootstrap_servers)
        worker = CuriousWorker(tmp_path, servers, environment=ENVIRONMENT)
        with worker:
            assert {answer for status, answer in worker.answers if status == 503} <= UNREADY
            assert 503 in {status for status, _ in worker.answers}, "it was ready before it had partitions"
            assert worker.get("/healthz") == (200, "ok\n")
            produce(servers, "i")
            worker.until(lambda: worker.metric("groundswell_policy_version") == 50, "the policy")
            status, seconds = worker.stop()
            assert (status, seconds < 10) == (0, True)
            (refused,) = [line for line in worker.lines() if line["message"].startswith("refused")]
            assert {name: refused[name] for name in ("level", "topic", "reason", "impression_id")} == {
                "level": "warning", "topic": "impressions", "reason": "chosen_out_of_range", "impression_id": "i-bad",
            }  # fmt: skip
            before = len(worker.lines())
            worker.start()
            restored = [line for line in worker.lines()[before:] if line["message"] == "learners restored"]
            assert sorted(line["partition"] for line in restored) == [0, 1, 2, 3]
            assert {"feed": 50} in [line["policy_version"] for line in restored]


def test_it_says_that_kafka_is_away_and_is_ready_again_when_it_is_back(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        servers = with_topics(broker.bootstrap_servers)
        with RunningWorker(tmp_path, servers) as worker:
            produce(servers, "i")
            worker.until(lambda: worker.metric("groundswell_policy_version") == 50, "the policy")
            worker.until(lambda: "quiet since" in worker.get("/readyz")[1], "it to say that it is quiet")
            assert worker.get("/readyz")[0] == 200
            with frozen(pid_of(broker)):
                worker.until(lambda: worker.get("/readyz")[0] == 503, "it to say so")
                assert f"Kafka ({servers}) has not answered since" in worker.get("/readyz")[1]
                assert "kafka_away" in worker.get("/live.json")[1]
            worker.until(lambda: worker.get("/readyz")[0] == 200, "it to be ready again")
            assert worker.said().count("has not answered since") == 1
            assert worker.metric("groundswell_condition", condition="kafka_away") == 0


def test_it_is_unhealthy_while_it_is_stuck_and_ends_in_time_all_the_same(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        servers = with_topics(broker.bootstrap_servers)
        with RunningWorker(tmp_path, servers, environment=ENVIRONMENT) as worker:
            produce(servers, "i")
            worker.until(lambda: worker.metric("groundswell_rewards_total") > 0, "something to be learned")
            with frozen(pid_of(broker)):  # policy and checkpoint cannot be written any more
                worker.until(lambda: worker.get("/healthz")[0] == 503, "it to be unhealthy")
                assert worker.get("/healthz")[1].startswith("stuck: nothing has come to its end for ")
            worker.until(lambda: worker.get("/healthz") == (200, "ok\n"), "it to be well again")
            worker.until(lambda: worker.metric("groundswell_policy_version") == 50, "the policy")

            with frozen(worker.pid):  # as by an event loop that does not turn any more
                assert worker.get("/healthz") == (0, "")
            worker.until(lambda: worker.get("/healthz") == (200, "ok\n"), "it to be well again")

            produce(servers, "j")
            with frozen(pid_of(broker)):
                status, seconds = worker.stop()
            assert seconds < 10
            assert status in {0, 1}
            if status == 1:
                assert "not stopped in time" in worker.said()
