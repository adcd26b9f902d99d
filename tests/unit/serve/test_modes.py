"""Over HTTP as in an app's own process a control says who decides, and the answer and the impression say who did."""

from __future__ import annotations

import json
import queue
from contextlib import closing
from typing import Any

import msgspec
import pytest

from groundswell.client import Following, policies
from groundswell.client.decisions import impression_of
from streams.serve.deciders import Deciders
from streams.serve.messages import OfferedAction, RankRequest
from streams.settings import Settings, TopicSettings
from tests.factories import models
from tests.unit.groundswell import test_controls as controls
from tests.unit.groundswell.test_following_controls import Scripted, control, pinned, published, until
from tests.unit.groundswell.test_newest_snapshot import snapshot
from tests.unit.serve.served import RANK, KeptLog, Stuck, client

OWN = [0.0, 0.75, 0.25]
HALF = {"feature": "user", "percent": 50}


def following(**said: Any) -> Stuck:
    """Return what decides by version 200, beside a control that may name version 100."""
    return Stuck("feed", snapshot(200), control=controls.control(**said), pinned=snapshot(100))


@pytest.mark.parametrize(
    ("said", "context", "own", "version", "basis", "side"),
    [
        ({"mode": "online"}, controls.IN, OWN, 200, "policy", None),
        ({"mode": "log-only"}, controls.IN, OWN, None, "own", None),
        ({"mode": "log-only"}, controls.IN, None, None, "uniform", None),
        ({"mode": "apprentice"}, controls.IN, OWN, None, "own", None),
        ({"mode": "apprentice"}, controls.IN, "b", None, "own", None),
        ({"mode": "frozen", "policy_version": 100}, controls.IN, OWN, 100, "pinned", None),
        ({"mode": "frozen", "policy_version": 150}, controls.IN, OWN, None, "own", None),
        ({"mode": "canary", "canary": HALF}, controls.IN, OWN, 200, "policy", "canary"),
        ({"mode": "canary", "canary": HALF}, controls.OUT, OWN, None, "own", "rest"),
        ({"mode": "canary", "canary": HALF, "policy_version": 100}, controls.OUT, OWN, 100, "pinned", "rest"),
    ],
)
def test_who_decides_is_told_and_logged(
    said: dict[str, Any], context: dict[str, Any], own: Any, version: int | None, basis: str, side: str | None
) -> None:
    log = KeptLog()
    app = client(log, feed=following(**said))
    asked = {**RANK, "context": context} | ({} if own is None else {"own": own})
    told = app.post("/v1/rank", json=asked).json()
    [(decision, _)] = log.impressions
    logged = json.loads(msgspec.json.encode(impression_of(decision, 1_000)))
    assert (told["policy_version"], told["basis"], told["mode"], told["side"]) == (version, basis, said["mode"], side)
    assert told["agreed"] == decision.agreed
    assert (told["agreed"] is not None) == (said["mode"] == "apprentice")
    if basis == "own":
        assert told["probabilities"] == (OWN if own == OWN else [0.0, 1.0, 0.0])
    assert logged["probabilities"] == told["probabilities"]
    assert logged.get("policy_version") == version
    assert (logged.get("mode", "online"), logged.get("side")) == (said["mode"], side)
    assert f'decisions_total{{basis="{basis}",model="feed"}} 1.0' in app.get("/metrics").text


@pytest.mark.parametrize(
    ("said", "basis", "rest", "pinned_version"),
    [
        ({"mode": "online"}, "policy", None, None),
        ({"mode": "log-only"}, "own", None, None),
        ({"mode": "apprentice"}, "own", None, None),
        ({"mode": "frozen", "policy_version": 100}, "pinned", None, 100),
        ({"mode": "frozen", "policy_version": 150}, "uniform", None, 150),
        ({"mode": "canary", "canary": HALF}, "policy", "own", None),
        ({"mode": "canary", "canary": HALF, "policy_version": 100}, "policy", "pinned", 100),
        ({"mode": "canary", "canary": HALF, "policy_version": 150}, "policy", "uniform", 150),
    ],
)
def test_models_tell_what_decides_beside_the_newest_policy(
    said: dict[str, Any], basis: str, rest: str | None, pinned_version: int | None
) -> None:
    app = client(feed=following(**said))
    [feed, other] = app.get("/v1/models").json()["models"]
    assert (feed["mode"], feed["policy_version"]) == (said["mode"], 200)
    assert (feed["basis"], feed["rest"], feed["pinned_version"]) == (basis, rest, pinned_version)
    assert (other["mode"], other["basis"], other["policy_version"]) == ("online", "uniform", None)
    assert 'following{model="feed"} 1.0' in app.get("/metrics").text  # whatever decides


def test_a_model_that_has_a_problem_is_told_by_a_metric() -> None:
    stuck = Stuck("feed", snapshot(200))
    stuck.following = Following(up_to_date=True, problem="none has the feature 'usr'")
    app = client(feed=stuck)
    assert app.get("/v1/models").json()["models"][0]["problem"] == "none has the feature 'usr'"
    told = app.get("/metrics").text
    assert 'groundswell_serve_problem{model="feed"} 1.0' in told
    assert 'groundswell_serve_problem{model="other"} 0.0' in told


def test_until_it_is_known_whether_there_is_a_control_the_mode_is_null_and_own_decides() -> None:
    app = client(feed=Stuck("feed", snapshot(200), read=False))
    told = app.post("/v1/rank", json={**RANK, "own": "c"}).json()
    assert (told["mode"], told["basis"], told["policy_version"], told["action"]) == (None, "own", None, "c")
    assert app.get("/v1/models").json()["models"][0]["mode"] is None
    assert app.get("/v1/models").json()["models"][0]["basis"] == "uniform"


def test_policies_and_controls_are_read_from_the_topics_that_are_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scripted, "coming", queue.Queue(), raising=False)
    monkeypatch.setattr(Scripted, "ends", {"snapshots": 1, "who-decides": 2}, raising=False)
    monkeypatch.setattr(policies, "KafkaConsumer", Scripted)
    said = [one._replace(topic="who-decides") for one in (pinned(100), control(1, "frozen", 100))]
    Scripted.coming.put([published(200)._replace(topic="snapshots"), *said])
    settings = Settings(models=models("feed"), topics=TopicSettings(policies="snapshots", controls="who-decides"))
    with closing(Deciders.following(settings, None, {"bootstrap_servers": "localhost:9092"})) as deciders:
        until(lambda: deciders.not_ready() is None)
        [told] = deciders.models()
        made = deciders.decide(RankRequest(model="feed", actions=[OfferedAction("a"), OfferedAction("b")]))
    assert (told.mode, told.policy_version) == ("frozen", 200)
    assert (made.mode, made.basis, made.policy_version) == ("frozen", "pinned", 100)
