"""The HTTP API on a broker: what is told is what is logged, joined and decided by; nothing is lost as it ends."""

from __future__ import annotations

import json
import re
import shlex
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import trustme

from experiments.demo.cluster import CONFIG
from experiments.servers.embedded_broker import EmbeddedBroker, free_port
from experiments.servers.kafka_distribution import PROJECT
from groundswell import Action, Control, Policy
from groundswell.controls import Canary
from groundswell.events import Impression
from processors.wire.envelopes import decode_interaction
from streams.inspection.model_controls import write_control
from streams.kafka.topics import create_topics
from streams.serve.server import running_api, server_of
from streams.settings import KafkaSettings, ServeSettings, Settings, TopicSettings
from tests.factories import models
from tests.integration.groundswell.test_client import publish
from tests.integration.workers import CONFIGURATION, PATIENCE, TOPICS, Apps, RunningWorker, read_all, until
from tests.unit.groundswell.test_newest_snapshot import snapshot

SERVE = (sys.executable, "-m", "streams.cli", "serve")
ACTIONS = [{"id": "a"}, {"id": "b"}, {"id": "c"}]
JOIN = CONFIGURATION.replace("[join]", "[join]\nactivation = 1.0")
RANK = {"model": "feed", "context": {"user": "ann"}, "actions": ACTIONS}


@contextmanager
def serving(servers: str, **given: Any) -> Iterator[httpx2.Client]:
    """Serve in this process; yield an app that asks."""
    serve = ServeSettings(**given)
    settings = Settings(kafka=KafkaSettings(bootstrap_servers=servers), models=models("feed"), serve=serve)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener, running_api(settings) as api:
        server = server_of(serve, api)
        running = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        running.start()
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=PATIENCE) as app:
                yield app
        finally:
            server.should_exit = True
            running.join()


class RunningServer(RunningWorker):
    """`with RunningServer(directory, servers) as server:` runs `groundswell serve`."""

    def __init__(self, directory: Path, servers: str, *options: str) -> None:
        port = free_port()
        environment = {"GROUNDSWELL_SERVE__PORT": str(port)}
        super().__init__(directory, servers, environment=environment, command=(*SERVE, *options), name="serve")
        self.port = port

    def asking(self) -> httpx2.Client:
        return httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE)


def asked(app: httpx2.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = app.post(f"/v1/{path}", json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def logged(servers: str) -> dict[str, Impression]:
    """Return the impressions on the topic by their id."""
    found = [msgspec.json.decode(record.value, type=Impression) for record in read_all(servers, "impressions")]
    assert len({one.impression_id for one in found}) == len(found)
    return {one.impression_id: one for one in found}


def test_impressions_and_feedback_are_joined_with_the_propensities_that_were_told(servers: str, tmp_path: Path) -> None:
    with RunningServer(tmp_path, servers) as server, RunningWorker(tmp_path, servers, configuration=JOIN) as worker:
        with server.asking() as app:
            told = [asked(app, "rank", {**RANK, "defer": number % 3 > 0}) for number in range(30)]
            shown = [one for number, one in enumerate(told) if number % 3 < 2]
            occurred = {name: one.occurred_at + 1 for name, one in logged(servers).items()}
            for number, one in enumerate(told):
                name = one["impression_id"]
                named = {"model": "feed", "impression_id": name, "occurred_at": occurred[name]}
                if number % 3 == 1:
                    asked(app, "activate", named)
                for _ in range(2):  # a retry
                    asked(app, "feedback", {**named, "signal": "click", "feedback_id": "f"})
        with closing(Apps(servers)) as apps:

            def all_closed() -> bool:
                apps.end(round(1000 * time.time()))  # what was shown waits for longer than what was not
                given_up = worker.metric("groundswell_join_total", outcome="not_shown")
                return given_up == 10 and len(read_all(servers, TOPICS.interactions)) >= len(shown)

            worker.until(all_closed, "all interactions, and what was never shown to be given up")
        joined = [decode_interaction(one.value) for one in read_all(servers, TOPICS.interactions)]
    found = {one.impression.impression_id: one for one in joined}
    assert len(found) == len(joined)
    assert set(found) == {one["impression_id"] for one in shown}  # and not what was deferred and never shown
    for one in shown:
        interaction = found[one["impression_id"]]
        assert interaction.impression.chosen_propensity == one["propensity"]
        assert interaction.impression.actions[interaction.impression.chosen].id == one["action"]
        assert "click" in interaction.signals
        assert [piece.feedback_id for piece in interaction.feedback].count("f") == 1


def test_it_decides_by_the_policy_that_is_on_the_topic(servers: str) -> None:
    with serving(servers) as app:
        assert asked(app, "rank", RANK)["basis"] == "uniform"
        publish(servers, 100)
        until(lambda: asked(app, "rank", RANK)["policy_version"] == 100, "the policy")
        told = asked(app, "rank", RANK)
        assert app.get("/readyz").status_code == 200
    actions = [Action(one["id"]) for one in ACTIONS]
    assert told["probabilities"] == Policy(snapshot(100)).probabilities({"user": "ann"}, actions)
    assert told["basis"] == "policy"
    assert logged(servers)[told["impression_id"]].policy_version == 100


def test_a_control_is_gone_by_and_impressions_say_mode_and_side(servers: str) -> None:
    canary = Control(
        schema_version=1, model="feed", version=1, mode="canary", by="ann", at=5, why="so", canary=Canary("user", 100)
    )
    publish(servers, 100)
    with serving(servers) as app:
        until(lambda: asked(app, "rank", RANK)["policy_version"] == 100, "the policy")
        before = asked(app, "rank", RANK)
        write_control(Settings(kafka=KafkaSettings(bootstrap_servers=servers)), canary, None, 0)
        until(lambda: asked(app, "rank", RANK)["mode"] == "canary", "the control")
        inside = asked(app, "rank", {**RANK, "own": "b"})
        outside = asked(app, "rank", {**RANK, "context": {}, "own": "b"})
        [model] = app.get("/v1/models").json()["models"]
    assert (model["mode"], model["policy_version"]) == ("canary", 100)
    assert (inside["basis"], inside["side"]) == ("policy", "canary")
    assert (outside["basis"], outside["side"], outside["action"]) == ("own", "rest", "b")
    written = [json.loads(record.value) for record in read_all(servers, "impressions")]
    found = {one["impression_id"]: one for one in written}
    for told in (before, inside, outside):
        logged = found[told["impression_id"]]
        assert (logged.get("mode", "online"), logged.get("side")) == (told["mode"], told["side"])
        assert logged.get("policy_version") == told["policy_version"]


def test_while_kafka_is_away_it_says_so_and_what_was_told_to_fail_does_not_turn_up_later(tmp_path: Path) -> None:
    running = EmbeddedBroker(tmp_path / "broker")
    servers = running.bootstrap_servers
    with running:
        create_topics(KafkaSettings(bootstrap_servers=servers), TopicSettings())
    with serving(servers, write_seconds=0.5) as app:
        refused = app.post("/v1/rank", json={**RANK, "impression_id": "refused"})
        assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
        assert app.post("/v1/rank?write=later", json={**RANK, "impression_id": "later"}).json()["written"] == "later"
        with running:
            until(lambda: app.post("/v1/rank", json=RANK).status_code == 200, "Kafka to be back")
            until(lambda: "later" in logged(servers), "what was to be written later")
            assert "refused" not in logged(servers)


def test_asked_to_end_it_answers_and_writes_what_is_under_way(servers: str, tmp_path: Path) -> None:
    with RunningServer(tmp_path, servers) as server, server.asking() as app:
        told = [app.post("/v1/rank?write=later", json=RANK).json()["impression_id"] for _ in range(200)]
        answers: list[dict[str, Any]] = []
        last = threading.Thread(target=lambda: answers.append(asked(app, "rank", RANK)))
        last.start()
        status, _ = server.stop()
        last.join()
    assert status == 0
    assert set(told) | {one["impression_id"] for one in answers} <= set(logged(servers))


def test_it_serves_https_by_files(servers: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    with serving(servers, certificate_file=tmp_path / "both.pem") as app:
        address = str(app.base_url).replace("http:", "https:")
        context = ssl.create_default_context()
        authority.configure_trust(context)
        assert httpx2.get(f"{address}/healthz", verify=context, timeout=PATIENCE).text == "ok\n"


def test_one_command_brings_all_that_it_takes_and_is_asked_as_the_documents_say(tmp_path: Path) -> None:
    with RunningServer(tmp_path, "", "--demo") as server:
        try:
            with server.asking() as app:
                [model] = app.get("/v1/models").json()["models"]
                assert model["model"] == "feed", "the configuration's, where there is one"
                for document in ("README.md", "docs/serving.md"):
                    path, body = curled((PROJECT / document).read_text())
                    assert f"[models.{body['model']}]" in CONFIG.read_text(), "the demo's own"
                    told = asked(app, path, {**body, "model": model["model"]})
                    assert told["written"] == "acknowledged", document
                named = {"model": model["model"], "impression_id": told["impression_id"]}
                asked(app, "feedback", {**named, "signal": "click"})
        finally:
            status, _ = server.stop()  # killed, it would leave broker and worker behind
    assert status == 0


def curled(text: str) -> tuple[str, dict[str, Any]]:
    """Return what the first curl of a document asks of a server of one's own: the operation and what it is given."""
    [command] = re.findall(r"^curl .*\n  .*$", text, re.MULTILINE)
    _, header, kind, address, data, body = shlex.split(command.replace("\\\n", ""))
    assert (header, kind, data) == ("-H", "Content-Type: application/json", "-d")
    assert address.startswith("http://127.0.0.1:6080/v1/")
    asks: dict[str, Any] = json.loads(body)
    return address.rpartition("/")[2], asks
