"""Apps that ask over HTTP, against a server that writes down what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from experiments.people.asking_apps import AskingApps, UnansweredError
from groundswell.events import Action

ACTIONS = [Action("a"), Action("b", {"hue": "blue"})]
RANKED = {
    "model": "m", "impression_id": "i", "action": "b", "index": 1, "propensity": 0.75, "probabilities": [0.25, 0.75],
    "policy_version": 7, "basis": "policy", "mode": "online", "side": None, "agreed": None, "written": "acknowledged",
}  # fmt: skip


class Answering(ThreadingHTTPServer):
    """Answers as `groundswell serve` does, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.status = 200
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def of(self, path: str) -> list[dict[str, Any]]:
        """Return what was asked at a path."""
        return [body for asked, body in self.asked if asked == path]


class Answer(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Answering

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body))
        answer = {**RANKED, "impression_id": body["impression_id"], "feedback_id": body.get("feedback_id", "")}
        content = json.dumps(answer).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def server() -> Iterator[Answering]:
    with Answering() as server:
        running = threading.Thread(target=server.serve_forever)
        running.start()
        yield server
        server.shutdown()
        running.join()


def test_a_decision_is_the_answer_of_the_server(server: Answering) -> None:
    with AskingApps(server.url, "m", seed=1) as apps:
        decision = apps.decide({"user": "ann"}, ACTIONS, "i1")
    [asked] = server.of("/v1/rank")
    assert asked["context"] == {"user": "ann"}
    assert asked["actions"] == [{"id": "a"}, {"id": "b", "features": {"hue": "blue"}}]
    assert (decision.impression_id, decision.action, decision.propensity) == ("i1", ACTIONS[1], 0.75)
    assert (decision.policy_version, decision.basis) == (7, "policy")


def test_what_was_prefetched_is_activated_and_nothing_else(server: Answering) -> None:
    with AskingApps(server.url, "m", seed=1) as apps:
        for number in range(40):
            apps.shown(apps.decide({}, ACTIONS, f"i{number}"), occurred_at=1000 + number)
        apps.feedback("i3", "click", feedback_id="f", occurred_at=2000)
        apps.close(10)
        assert apps.written == 41
    deferred = {one["impression_id"] for one in server.of("/v1/rank") if one["defer"]}
    activated = {one["impression_id"]: one["occurred_at"] for one in server.of("/v1/activate")}
    assert 0 < len(deferred) < 40
    assert activated == {f"i{number}": 1000 + number for number in range(40) if f"i{number}" in deferred}
    assert server.of("/v1/feedback") == [
        {"model": "m", "impression_id": "i3", "signal": "click", "value": None, "feedback_id": "f", "occurred_at": 2000}
    ]


def test_a_refusal_is_told_and_not_counted_as_written(server: Answering) -> None:
    server.status = 503
    with AskingApps(server.url, "m", seed=1) as apps:
        with pytest.raises(UnansweredError, match="/v1/rank is answered with 503"):
            apps.decide({}, ACTIONS, "i")
        apps.feedback("i", "click", feedback_id="f", occurred_at=2000)
        with pytest.raises(UnansweredError, match="/v1/feedback is answered with 503"):
            apps.close(10)
        assert apps.written == 0


def test_a_server_that_is_not_there_is_told() -> None:
    told = r"/v1/rank at 127\.0\.0\.1:9 is not answered"
    with AskingApps("http://127.0.0.1:9", "m", seed=1) as apps, pytest.raises(UnansweredError, match=told):
        apps.decide({}, ACTIONS, "i")


@pytest.mark.parametrize("url", ["127.0.0.1:6080", "https://127.0.0.1", "http://127.0.0.1/v1"])
def test_what_is_no_address_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no address of a server"):
        AskingApps(url, "m", seed=1)
