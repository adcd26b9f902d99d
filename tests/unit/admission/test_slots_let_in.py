"""Impressions of a decision over slots are let in, joined and learned as any other; a decision that is none is told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from groundswell import Action
from groundswell.client.acting import Acting
from groundswell.client.decisions import impression_of
from groundswell.client.slots import decide_slots
from groundswell.events import DecisionSlot
from processors.admission.event_records import Admission, Refusal
from processors.join.entries import Pending, ShownImpression
from processors.join.written_interactions import encode_interaction
from processors.learners.learner_choice import learner_for
from processors.models.config import ModelConfig
from processors.wire.envelopes import decode_interaction
from tests.factories import MODEL, Record, admitted, encode, impression, models

NOW = 2_000_000
ADMISSION = Admission(models(MODEL), 300_000)


def test_all_slots_are_let_in_joined_and_learned_in_their_own_context() -> None:
    chance = Acting(known=True).chosen({}, "policy")
    decisions = decide_slots(
        MODEL, chance, {"user": "u"}, [Action("a"), Action("b"), Action("c")], ["top", "side"], "d"
    )
    written = [msgspec.json.encode(impression_of(one, 1_000_000)) for one in decisions]
    records = [Record(f"d/{number}".encode(), value, number, NOW) for number, value in enumerate(written)]
    learner = learner_for(ModelConfig(name=MODEL, definitely_negative=frozenset({"dislike"}), hash_bits=10))
    found = []
    for shown in ADMISSION.impressions(records):
        assert isinstance(shown, ShownImpression)
        found.append(decode_interaction(encode_interaction(Pending(shown, shown.occurred_at, ()), 3, 0)))
    assert [one.impression.decision for one in found] == [DecisionSlot("d", 0, 2), DecisionSlot("d", 1, 2)]
    assert [one.impression.context["slot"] for one in found] == ["top", "side"]
    assert [len(one.impression.actions) for one in found] == [3, 2]
    assert [None if one is None else one.impression_id for one in learner.learn(found)] == ["d/0", "d/1"]


@pytest.mark.parametrize(
    "decision",
    ["d", {}, {"id": "d"}, {"id": "", "slot": 0, "slots": 1}, {"id": "d", "slot": -1, "slots": 1},
     {"id": "d", "slot": 0, "slots": 101}, {"id": "d", "slot": 0.5, "slots": 1}],
)  # fmt: skip
def test_a_decision_that_is_none_is_refused_as_what_does_not_fit(decision: Any) -> None:
    refused = admitted(ADMISSION.impressions, b"i1", encode(impression(decision=decision)), 5, NOW)
    assert isinstance(refused, Refusal)
    assert refused.reason == "schema"
    assert "decision" in refused.detail
