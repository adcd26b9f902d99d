"""Several slots over HTTP: an action for each, logged as it is told."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from groundswell.client import EventLogError
from groundswell.client.decisions import Decision
from groundswell.events import DecisionSlot
from tests.unit.groundswell.test_newest_snapshot import snapshot
from tests.unit.serve.served import RANK, KeptLog, Stuck, client

SLOTS = [{"id": "top", "features": {"size": "large"}}, {"id": "side"}]
ASKED: dict[str, Any] = {**RANK, "slots": SLOTS}


def test_it_is_told_as_it_is_logged_an_impression_a_slot() -> None:
    log = KeptLog()
    told = client(log, feed=Stuck("feed", snapshot(500))).post(
        "/v1/rank", json={**ASKED, "impression_id": "mine", "defer": True}
    )
    answer = told.json()
    (top, _), (side, _) = log.impressions
    assert [deferred for _, deferred in log.impressions] == [True, True]
    assert (answer["decision_id"], answer["policy_version"], answer["written"]) == ("mine", 500, "acknowledged")
    assert [one["slot"] for one in answer["slots"]] == ["top", "side"]
    assert (top.slot, side.slot) == (DecisionSlot("mine", 0, 2), DecisionSlot("mine", 1, 2))
    assert top.context == {"user": "ann", "slot": "top", "slot.size": "large"}
    for one, decision in zip(answer["slots"], (top, side), strict=True):
        assert one["impression_id"] == decision.impression_id
        assert one["action"] == decision.action.id == RANK["actions"][one["index"]]["id"]
        assert one["propensity"] == decision.propensity == one["probabilities"][one["index"]]
    first, second = answer["slots"]
    assert second["probabilities"][first["index"]] == 0.0
    assert sorted(second["probabilities"])[1:] == sorted(side.probabilities)


def test_the_apps_own_rule_has_an_action_for_each() -> None:
    told = client().post("/v1/rank", json={**ASKED, "own": ["c", "a"]}).json()
    assert [(one["action"], one["propensity"]) for one in told["slots"]] == [("c", 1.0), ("a", 1.0)]
    assert told["basis"] == "own"


def test_actions_repeat_where_they_may() -> None:
    alone = {**ASKED, "actions": [{"id": "a"}], "repeats": True}
    assert [one["action"] for one in client().post("/v1/rank", json=alone).json()["slots"]] == ["a", "a"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"slots": []}, "$.slots"),
        ({"slots": [{"id": "top"}, {"id": "top"}]}, "id of its own"),
        ({"slots": [{"id": "top", "feature": {}}]}, "feature"),
        ({"actions": [{"id": "a"}]}, "2 slots and 1 actions"),
        ({"context": {"slot": "x"}}, "the context has 'slot'"),
        ({"own": "a"}, "give a list"),
        ({"own": [0.5, 0.25, 0.25]}, "for 2 slots"),
        ({"slots": None, "own": ["a", "b", "c"]}, "give an action, its id, or a list with the probability"),
        ({"slots": None, "repeats": True}, "repeats is for slots"),
    ],
)
def test_what_cannot_be_decided_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    log = KeptLog()
    answer = client(log).post("/v1/rank", json={**ASKED, **changes})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert log.messages == []


def test_terms_count_once_for_each_slot() -> None:
    app = client(max_terms=1_000)
    many = [{"id": str(number)} for number in range(40)]
    assert app.post("/v1/rank", json={**ASKED, "actions": many}).status_code == 200  # 2 slots, 4 features
    refused = app.post("/v1/rank", json={**ASKED, "actions": many, "slots": [{"id": str(one)} for one in range(9)]})
    assert (refused.status_code, "1,080 terms" in refused.json()["detail"]) == (422, True)


class FailingSecond(KeptLog):
    """The first message waits for ever, each after it fails."""

    def shown(self, decision: Decision, *, deferred: bool = False) -> Future[None]:
        message: Future[None] = Future()
        if self.messages:
            message.set_exception(EventLogError("too large"))
        self.messages.append(message)
        return message


def test_where_one_is_not_written_those_that_wait_are_taken_back() -> None:
    log = FailingSecond()
    assert client(log).post("/v1/rank", json=ASKED).status_code == 503
    assert log.messages[0].cancelled()


def test_written_later_one_that_fails_at_once_is_told() -> None:
    assert client(KeptLog(), KeptLog(waits=True)).post("/v1/rank?write=later", json=ASKED).json()["written"] == "later"
    assert client(KeptLog(), FailingSecond()).post("/v1/rank?write=later", json=ASKED).status_code == 503
