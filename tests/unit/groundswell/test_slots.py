"""A decision over several slots: an impression a slot, each drawn from what the slots before it have left."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from groundswell import Action, Policy
from groundswell.client import Decision, Slot
from groundswell.client.acting import Acting, Chosen
from groundswell.client.decisions import impression_of
from groundswell.client.slots import decide_slots
from groundswell.events import DecisionSlot, Impression, contradiction
from tests.unit.groundswell.test_controls import control
from tests.unit.groundswell.test_newest_snapshot import snapshot

ACTIONS = [Action("a"), Action("b", {"length": 3}), Action("c")]
SLOTS = [Slot("top", {"size": "large"}), "side"]
NEWEST = Chosen(Policy(snapshot(7)), "policy", "online")
CHANCE = Chosen(Policy.uniform(), "uniform", "online")


def decided(by: Chosen = NEWEST, **options: Any) -> list[Decision]:
    given: dict[str, Any] = {"context": {"user": "ann"}, "actions": ACTIONS, "slots": SLOTS, "decision_id": "d"}
    return decide_slots("feed", by, **(given | options))


def test_each_slot_is_a_decision_of_its_own_in_a_context_that_names_it() -> None:
    top, side = decided()
    assert top.context == {"user": "ann", "slot": "top", "slot.size": "large"}
    assert side.context == {"user": "ann", "slot": "side"}
    assert (top.impression_id, side.impression_id) == ("d/0", "d/1")
    assert (top.slot, side.slot) == (DecisionSlot("d", 0, 2), DecisionSlot("d", 1, 2))
    assert {one.policy_version for one in (top, side)} == {7}


def test_a_slot_has_what_the_ones_before_it_have_left_and_its_probabilities_are_given_these() -> None:
    policy = Policy(snapshot(7))
    for _ in range(50):
        top, side = decided()
        assert list(top.actions) == ACTIONS
        assert list(side.actions) == [one for one in ACTIONS if one.id != top.action.id]
        assert top.probabilities == policy.probabilities(top.context, top.actions)
        assert side.probabilities == policy.probabilities(side.context, side.actions)


def test_the_pair_is_as_likely_as_its_propensities_say() -> None:
    drawn = Counter(tuple(one.action.id for one in decided(CHANCE)) for _ in range(1_800))
    # Each of six pairs is expected 300 times, with a standard deviation of 16.
    assert len(drawn) == 6
    assert min(drawn.values()) > 200


def test_actions_repeat_where_they_may() -> None:
    several = [decided(CHANCE, repeats=True, actions=ACTIONS[:1]) for _ in range(3)]
    assert [[one.action.id for one in both] for both in several] == [["a", "a"]] * 3


def test_the_apps_own_rule_decides_all_slots_where_no_policy_does() -> None:
    top, side = decided(CHANCE, own=["c", ACTIONS[0]])
    assert [(one.action.id, one.basis, one.propensity) for one in (top, side)] == [("c", "own", 1.0), ("a", "own", 1.0)]


def test_where_a_policy_decides_the_own_rule_may_name_what_is_gone() -> None:
    for _ in range(50):
        assert {one.basis for one in decided(own=["a", "b"])} == {"policy"}


def test_all_slots_are_on_the_same_side_of_a_canary() -> None:
    halved = Acting(
        Policy(snapshot(200)), control=control(mode="canary", canary={"feature": "user", "percent": 50}), known=True
    )
    sides = set()
    for number in range(40):
        context = {"user": f"user-{number}"}
        top, side = decided(halved.chosen(context, "policy"), context=context, own=["a", "b"])
        assert (top.side, top.basis) == (side.side, side.basis)
        sides.add(top.side)
    assert sides == {"canary", "rest"}


def test_an_impression_says_of_which_decision_it_is_and_is_sound() -> None:
    for one in decided():
        written = msgspec.json.decode(msgspec.json.encode(impression_of(one, 5)), type=Impression)
        assert written.decision == one.slot
        assert contradiction(written) is None


def test_what_is_decided_alone_says_nothing_of_slots() -> None:
    alone = Decision(
        model="feed", impression_id="i", context={}, actions=ACTIONS, index=0, probabilities=[1.0, 0.0, 0.0],
        policy_version=None, basis="own",
    )  # fmt: skip
    assert b"decision" not in msgspec.json.encode(impression_of(alone, 5))


def test_a_decision_gets_an_id_of_its_own() -> None:
    ids = [one.slot.id for _ in range(2) for one in decided(decision_id=None) if one.slot is not None]
    assert ids[0] == ids[1] != ids[2] == ids[3]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"slots": []}, ValueError, "at least one"),
        ({"slots": [f"s{number}" for number in range(101)], "repeats": True}, ValueError, "at most 100"),
        ({"slots": ["top", "top"]}, ValueError, "id of its own"),
        ({"slots": ["1", "2", "3", "4"]}, ValueError, "4 slots and 3 actions"),
        ({"slots": "top"}, TypeError, "slots is 'top': give a list"),
        ({"slots": [5]}, TypeError, "a slot is 5: give a Slot"),
        ({"slots": [Slot("top", {"size": None})]}, TypeError, "'size' is None"),  # type: ignore[dict-item]
        ({"context": {"slot": "top"}}, ValueError, "the context has 'slot'"),
        ({"context": {"slot.size": 1}}, ValueError, "the context has 'slot.size'"),
        ({"own": ["a"]}, ValueError, "own is ['a'] for 2 slots"),
        ({"own": ["a", "a"]}, ValueError, "for 2 slots"),
        ({"own": ["a", "nothing"]}, ValueError, "one of the actions"),
        ({"own": "a"}, TypeError, "own is 'a': give a list"),
        ({"actions": [Action("a"), Action("a")]}, ValueError, "id of its own"),
    ],
)
def test_what_cannot_be_decided_is_told(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error) as told:
        decided(**options)
    assert words in str(told.value)
