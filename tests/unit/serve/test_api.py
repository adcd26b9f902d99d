"""What is asked over HTTP, and what comes of it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from experiments.servers.embedded_broker import free_port
from groundswell import Action
from groundswell.client import EventLog, EventLogError
from streams.serve.deciders import terms_of
from tests.unit.groundswell.test_newest_snapshot import snapshot
from tests.unit.serve.served import ACTIVATE, FEEDBACK, RANK, TOKENS, KeptLog, Stuck, api, client, client_of

JSON = {"Content-Type": "application/json"}
WRITES = [("rank", RANK), ("feedback", FEEDBACK), ("activate", ACTIVATE)]
each_write = pytest.mark.parametrize(("path", "body"), WRITES)


def test_a_decision_is_told_as_it_is_logged() -> None:
    log = KeptLog()
    app = client(log, feed=Stuck("feed", snapshot(500)))
    told = app.post("/v1/rank", json={**RANK, "impression_id": "mine"}).json()
    [(decision, deferred)] = log.impressions
    assert not deferred
    assert told == {
        "model": "feed",
        "impression_id": "mine",
        "action": decision.action.id,
        "index": decision.index,
        "propensity": decision.probabilities[decision.index],
        "probabilities": decision.probabilities,
        "policy_version": 500,
        "basis": "policy",
        "mode": "online",
        "side": None,
        "agreed": None,
        "written": "acknowledged",
    }
    assert math.isclose(sum(told["probabilities"]), 1)


def test_before_any_policy_it_is_chance_and_says_so() -> None:
    app = client()
    told = app.post("/v1/rank", json=RANK).json()
    [feed, _] = app.get("/v1/models").json()["models"]
    assert told["probabilities"] == [1 / 3] * 3
    assert (told["basis"], told["policy_version"]) == ("uniform", None)
    assert (feed["model"], feed["basis"], feed["policy_version"]) == ("feed", "uniform", None)


def test_what_is_deferred_counts_once_it_is_activated() -> None:
    log = KeptLog()
    app = client(log)
    shown = app.post("/v1/rank", json={**RANK, "defer": True}).json()["impression_id"]
    for _ in range(2):  # a retry
        assert app.post("/v1/activate", json={"model": "feed", "impression_id": shown}).status_code == 200
    assert [deferred for _, deferred in log.impressions] == [True]
    assert log.feedbacks == [(shown, "shown", None, "shown", None)] * 2


def test_feedback_is_logged_as_it_was_told_and_gets_an_id_where_it_has_none() -> None:
    log = KeptLog()
    whole = {**FEEDBACK, "value": 2.5, "feedback_id": "f1", "occurred_at": 1_700_000_000_000}
    app = client(log)
    assert app.post("/v1/feedback", json=whole).json() == {
        "impression_id": "i1",
        "feedback_id": "f1",
        "written": "acknowledged",
    }
    given = [app.post("/v1/feedback", json=FEEDBACK).json()["feedback_id"] for _ in range(2)]
    assert log.feedbacks[0] == ("i1", "click", 2.5, "f1", 1_700_000_000_000)
    assert [one[3] for one in log.feedbacks[1:]] == given
    assert len(set(given)) == 2


@each_write
def test_written_later_it_is_answered_first_and_says_so(path: str, body: dict[str, Any]) -> None:
    prompt, patient = KeptLog(), KeptLog(waits=True)
    app = client(prompt, patient)
    assert app.post(f"/v1/{path}?write=later", json=body).json()["written"] == "later"
    assert (prompt.written, patient.written) == (0, 1)


@each_write
@pytest.mark.parametrize("log", [KeptLog(EventLogError("Kafka is away")), KeptLog(waits=True)], ids=["fails", "waits"])
def test_what_kafka_does_not_acknowledge_is_told_to_try_again_and_taken_back(
    path: str, body: dict[str, Any], log: KeptLog
) -> None:
    app = client(log, write_seconds=0.1)
    answer = app.post(f"/v1/{path}", json=body)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert "write=later" in answer.json()["detail"]
    assert all(message.done() for message in log.messages)  # one that waits is cancelled


@each_write
def test_what_cannot_even_wait_is_told_to_try_again_and_not_to_ask_as_it_did(path: str, body: dict[str, Any]) -> None:
    app = client(KeptLog(), KeptLog(EventLogError("100000 messages wait for Kafka already")))
    answer = app.post(f"/v1/{path}?write=later", json=body)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert "so much waits for Kafka already" in answer.json()["detail"]


@each_write
@pytest.mark.parametrize(
    ("token", "model", "status"),
    [
        (None, "feed", 401),
        ("of-nobody", "feed", 401),
        ("", "feed", 401),
        ("of-feed", "feed", 200),
        ("of-feed", "other", 403),
        ("of-feed", "no-such-model", 403),  # whether there is one is not for it to know
        ("of-none", "feed", 403),
        ("of-all", "other", 200),
        ("of-all", "no-such-model", 404),
    ],
)
def test_a_token_has_the_rights_that_are_its_own(
    path: str, body: dict[str, Any], token: str | None, model: str, status: int
) -> None:
    log = KeptLog()
    app = client(log, token=token, tokens=TOKENS)
    answer = app.post(f"/v1/{path}", json={**body, "model": model})
    assert answer.status_code == status
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert log.written == (status == 200)


def test_a_token_is_told_its_own_models_and_which_was_meant() -> None:
    def told(token: str, model: str) -> str:
        detail: str = (
            client(token=token, tokens=TOKENS).post("/v1/rank", json={**RANK, "model": model}).json()["detail"]
        )
        return detail

    assert "it has them for feed: did you mean 'feed'? Else" in told("of-feed", "fed")
    assert "it has them for feed: use that of the model" in told("of-feed", "zzz")
    assert "did you mean" not in told("of-feed", "othr")  # nor is there a model other for it
    assert "it has them for no model" in told("of-none", "feed")


def test_a_token_sees_its_own_models_alone() -> None:
    served = api(tokens=TOKENS)
    for token, models in (("of-feed", ["feed"]), ("of-all", ["feed", "other"]), ("of-none", [])):
        told = client_of(served, token).get("/v1/models").json()
        assert [one["model"] for one in told["models"]] == models
    metrics = {token: client_of(served, token).get("/metrics") for token in ("of-feed", "of-all", "of-none")}
    assert [one.status_code for one in metrics.values()] == [403, 200, 200]
    assert "other" not in metrics["of-feed"].text
    for page in ("/v1/models", "/metrics", "/openapi.json"):
        assert client_of(served).get(page).status_code == 401
    assert client_of(served).get("/healthz").status_code == 200  # probes have none


def changed(body: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps({**body, **changes}).encode()


@pytest.mark.parametrize(
    ("path", "content", "status", "words"),
    [
        ("rank", b"", 400, "no JSON"),
        ("rank", b"{", 400, "no JSON"),
        ("rank", b'{"model": "\xff"}', 400, "no JSON"),
        (
            "rank",
            b'{"actions": [{"id": "a", "x": ' + b"[" * 100_000,
            422,
            "no member `x` in `$.actions[0]`; there are id, features",
        ),
        ("rank", b"[]", 422, "Expected `object`"),
        ("rank", changed(RANK, model="fed"), 404, "did you mean 'feed'?"),
        ("rank", changed(RANK, actions=[]), 422, "actions"),
        ("rank", changed(RANK, actions=[{"id": "a"}, {"id": "a"}]), 422, "each with an id of its own"),
        ("rank", changed(RANK, actions=[{"id": "a"}, {"id": 5}]), 422, "$.actions[1].id"),
        ("rank", changed(RANK, actions=[{"id": ""}]), 422, "$.actions[0].id"),
        ("rank", changed(RANK, actions=["a", "b"]), 422, '$.actions[0]`; for example "actions": [{"id":"a"},{"id":"b"'),
        ("rank", changed(RANK, actions="a,b"), 422, 'got `str` - at `$.actions`; for example "actions": [{"id":"a"}'),
        ("rank", changed(RANK, action=[]), 422, "no member `action`; did you mean `actions`?"),
        (
            "rank",
            changed(RANK, actions=[{"id": "a", "featurs": {"x": 1}}]),
            422,
            "no member `featurs` in `$.actions[0]`; did you mean `features`?",
        ),
        ("rank", changed(RANK, context={"age": 31, "user": None}), 422, 'got `null` - at `$.context["user"]`'),
        ("rank", changed(RANK, context={"user": ["ann"]}), 422, '`$.context["user"]`'),
        ("rank", changed(RANK, context={"": "ann"}), 422, 'of length >= 1 - at `$.context[""]`'),
        ("rank", changed(RANK, context={"age": 1}).replace(b": 1}", b": 1e999}"), 422, "out of range"),
        ("rank", changed(RANK, context={"age": 1}).replace(b": 1}", b": NaN}"), 400, "no JSON"),
        ("rank", changed(RANK, impression_id="i" * 257), 422, "$.impression_id"),
        ("rank", changed(RANK, actions=[{"id": "a"}, {"id": "b", "features": {"p": None}}]), 422, 'features["p"]`'),
        (
            "rank",
            changed(RANK, slots=[{"id": "top", "featurs": {}}]),
            422,
            "no member `featurs` in `$.slots[0]`; did you mean `features`?",
        ),
        ("rank", changed(RANK, contextFeatures=[]), 422, "no member `contextFeatures`; did you mean `context`?"),
        ("rank", changed(RANK, eventId="e"), 422, "no member `eventId`; did you mean `impression_id`?"),
        ("rank", changed(RANK, impressionId="e"), 422, "no member `impressionId`; did you mean `impression_id`?"),
        ("rank", changed(RANK, deferActivation=True), 422, "did you mean `defer`?"),
        ("rank", changed(RANK, xyz=1), 422, "no member `xyz`; there are model, actions, context, impression_id, defer"),
        ("rank", changed(RANK, own="d"), 422, "own is 'd': give one of the actions"),
        ("rank", changed(RANK, own=""), 422, "$.own"),
        ("rank", changed(RANK, own=2), 422, "$.own"),
        ("rank", changed(RANK, own=[]), 422, "$.own"),
        ("rank", changed(RANK, own=["a"]), 422, "own is ['a']"),
        ("rank", changed(RANK, own=[0.5, 0.5]), 422, "2 probabilities for 3 actions"),
        ("rank", changed(RANK, own=[0.5, 0.5, 0.5]), 422, "must sum to 1"),
        ("feedback", changed(FEEDBACK, reward=1), 422, "no member `reward`; did you mean `signal`?"),
        ("feedback", changed(FEEDBACK, signal=""), 422, "$.signal"),
        ("feedback", changed(FEEDBACK, model="fed"), 404, "did you mean 'feed'?"),
        ("feedback", changed(FEEDBACK, occurred_at=-1), 422, "$.occurred_at"),
        ("activate", changed(ACTIVATE, impression_id=""), 422, "$.impression_id"),
        ("activate", changed(ACTIVATE, model="fed"), 404, "did you mean 'feed'?"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_where_it_is_wrong(
    path: str, content: bytes, status: int, words: str
) -> None:
    log = KeptLog()
    app = client(log)
    answer = app.post(f"/v1/{path}", content=content, headers=JSON)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert words in answer.json()["detail"]
    assert log.written == 0


@pytest.mark.parametrize("later", ["", "?write=later"])
def test_feedback_that_says_that_there_was_none_is_told_to_be_left_out(later: str) -> None:
    with EventLog(f"127.0.0.1:{free_port()}") as prompt, EventLog(f"127.0.0.1:{free_port()}") as patient:
        app = client(prompt, patient)
        answer = app.post(f"/v1/feedback{later}", json={**FEEDBACK, "signal": "none"})
    assert answer.status_code == 422
    assert "says that nothing came back: send nothing then" in answer.json()["detail"]


@each_write
def test_a_large_body_is_refused_however_it_says_its_length(path: str, body: dict[str, Any]) -> None:
    large = json.dumps({**body, "padding": "x" * 10_000_000}).encode()
    app = client()
    for content in (large, iter([large[:5_000_000], large[5_000_000:]])):
        answer = app.post(f"/v1/{path}", content=content, headers=JSON)
        assert (answer.status_code, "262,144 bytes" in answer.json()["detail"]) == (413, True)


def test_what_would_take_long_to_decide_is_refused() -> None:
    many = [{"id": str(number), "features": {str(one): 1 for one in range(20)}} for number in range(100)]
    app = client(max_terms=10_000)
    answer = app.post("/v1/rank", json={**RANK, "context": dict.fromkeys("abcdefghi", 1), "actions": many})
    assert (answer.status_code, "21,000 terms" in answer.json()["detail"]) == (422, True)
    assert app.post("/v1/rank", json=RANK).status_code == 200


def test_terms_are_those_of_all_features_and_their_pairs() -> None:
    actions = [Action("a"), Action("b", {"x": 1, "y": 2})]
    assert terms_of(4, actions, crosses=False) == 5 * 2 * 3
    assert terms_of(4, actions, crosses=True) == (5 + 6) * 2 * 3


@pytest.mark.parametrize(
    ("headers", "query", "status", "words"),
    [
        ({"Content-Type": "text/plain"}, "", 415, "application/json"),
        ({"Content-Type": "application/json; charset=utf-8"}, "", 200, ""),
        ({**JSON, "Host": "evil.example"}, "", 421, "allowed_hosts"),
        (JSON, "?write=never", 400, "write is acknowledged"),
        (JSON, "?write=later&write=later", 400, "write is acknowledged"),
        (JSON, "?write=acknowledged", 200, ""),
        (JSON, "?wirte=later", 400, "'wirte' is no parameter of this query: the only one is write"),
        (JSON, "?write=later&Write=later", 400, "'Write' is no parameter"),
        (JSON, "?later", 400, "'later' is no parameter"),
        (JSON, "?" + "x" * 1_000, 400, "'" + "x" * 100 + "' is no parameter"),
    ],
)
def test_how_it_is_asked(headers: dict[str, str], query: str, status: int, words: str) -> None:
    app = client()
    answer = app.post(f"/v1/rank{query}", content=json.dumps(RANK), headers=headers)
    assert answer.status_code == status
    assert words in answer.text


def test_nothing_is_asked_by_the_query_where_there_is_nothing_to_ask() -> None:
    app = client(tokens=TOKENS, token="of-all")
    for path in ("/v1/models", "/openapi.json", "/metrics"):
        answer = app.get(f"{path}?model=feed")
        assert (answer.status_code, "'model' is no parameter" in answer.json()["detail"]) == (400, True)
    stranger = client(tokens=TOKENS).get("/v1/models?model=feed")
    assert stranger.status_code == 401  # who asks comes first


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/rank", "POST"),
        ("PUT", "/v1/feedback", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/healthz", "GET, HEAD"),
    ],
)
def test_a_method_by_which_nothing_is_asked_names_the_one_to_use(method: str, path: str, allowed: str) -> None:
    answer = client().request(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert answer.json()["detail"].endswith(f"ask by {allowed.replace(', ', ' or ')}")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/v1/rank/", "did you mean /v1/rank?"),
        ("/v1/reward", "did you mean /v1/feedback?"),
        ("/personalizer/v1.0/events/e1/reward", "did you mean /v1/feedback?"),
        ("/v1/events/e1/activate", "did you mean /v1/activate?"),
        ("/v2/ranks", "did you mean /v1/rank?"),
        ("/model", "did you mean /v1/models?"),
        ("/health", "did you mean /healthz?"),
        ("/ready", "did you mean /readyz?"),
        ("/", "there are /v1/rank, /v1/feedback, /v1/activate, /v1/models, /openapi.json, /metrics, /healthz, /readyz"),
    ],
)
def test_a_path_that_is_none_is_told_which_was_meant(path: str, meant: str) -> None:
    answer = client().get(path, follow_redirects=False)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"].endswith(meant)


def test_more_than_a_second_bears_is_told_when_to_come_again() -> None:
    served = api(requests_per_second=0.01, tokens=TOKENS)  # none more as long as the test takes
    feed, other = client_of(served, "of-feed"), client_of(served, "of-all").get("/v1/models")
    asked = [feed.get("/v1/models") for _ in range(3)]
    assert [one.status_code for one in asked] == [200, 429, 429]
    refused = [one for one in asked if one.status_code == 429]
    assert {1 <= int(one.headers["Retry-After"]) <= 100 for one in refused} == {True}
    assert other.status_code == 200  # one does not use up what is another's


def test_it_is_ready_once_it_is_known_whether_there_are_policies() -> None:
    app = client(feed=Stuck("feed", read=False))
    assert (app.get("/readyz").status_code, app.get("/healthz").status_code) == (503, 200)
    assert "feed are not read yet: Kafka is away" in app.get("/readyz").text
    served = api()
    assert client_of(served).get("/readyz").text == "ready\n"
    served.draining = True
    ends = client_of(served).get("/readyz")
    assert (ends.status_code, ends.text) == (503, "ends\n")


def test_what_nobody_thought_of_is_answered_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    feed = Stuck("feed")
    monkeypatch.setattr(feed, "decide", fails)
    app = client(feed=feed)
    answer = app.post("/v1/rank", json=RANK)
    assert (answer.status_code, answer.json()["status"]) == (500, 500)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "its log says more" in answer.json()["detail"]
    assert "a bug" not in answer.text
    assert 'answers_total{operation="rank",status="500"} 1.0' in app.get("/metrics").text


def test_what_is_done_is_counted() -> None:
    app = client()
    begins = app.get("/metrics").text.splitlines()
    assert 'groundswell_serve_answers_total{operation="rank",status="500"} 0.0' in begins
    assert 'groundswell_serve_decisions_total{basis="last_known",model="other"} 0.0' in begins
    app.post("/v1/rank", json=RANK)
    app.post("/v1/rank", json={})
    shown = app.get("/metrics").text
    for line in (
        'groundswell_serve_answers_total{operation="rank",status="200"} 1.0',
        'groundswell_serve_answers_total{operation="rank",status="422"} 1.0',
        'groundswell_serve_decisions_total{basis="uniform",model="feed"} 1.0',
        'groundswell_serve_messages_total{outcome="written",write="acknowledged"} 1.0',
        'groundswell_serve_following{model="feed"} 0.0',
    ):
        assert line in shown.splitlines()
