"""What an app decides: drawn as the probabilities say, with all that the impression needs."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell import Action, Policy
from groundswell.client.decisions import decide, impression_of
from groundswell.events import FeatureValue
from tests.unit.groundswell.test_newest_snapshot import snapshot

ACTIONS = [Action("a"), Action("b"), Action("c")]


def test_a_decision_has_what_an_impression_says() -> None:
    policy = Policy(snapshot(7))
    found = decide("feed", policy, "policy", {"user": "ann"}, ACTIONS)
    assert found.action == ACTIONS[found.index]
    assert found.probabilities == policy.probabilities({"user": "ann"}, ACTIONS)
    assert found.propensity == found.probabilities[found.index]
    assert (found.policy_version, found.basis, found.model) == (7, "policy", "feed")


def test_without_a_policy_it_is_chance_and_says_so() -> None:
    drawn = [decide("feed", Policy.uniform(), "uniform", {}, ACTIONS) for _ in range(600)]
    assert all(one.probabilities == pytest.approx([1 / 3] * 3) for one in drawn)
    assert {one.policy_version for one in drawn} == {None}
    # Each is expected 200 times, with a standard deviation of 12.
    assert min(Counter(one.index for one in drawn).values()) > 100
    assert len({one.impression_id for one in drawn}) == 600


@given(st.lists(st.sampled_from(["x", "y", "z"]), max_size=5), st.text(max_size=3))
def test_what_is_drawn_could_have_been_drawn(ids: list[str], user: str) -> None:
    actions = [Action(f"{id}{place}") for place, id in enumerate(ids)]
    if not actions:
        with pytest.raises(ValueError, match="at least one action"):
            decide("feed", Policy(snapshot(7)), "policy", {"user": user}, actions)
        return
    found = decide("feed", Policy(snapshot(7)), "policy", {"user": user}, actions)
    assert found.propensity > 0
    assert sum(found.probabilities) == pytest.approx(1)


def test_actions_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="id of its own"):
        decide("feed", Policy.uniform(), "uniform", {}, [Action("a"), Action("a")])


def test_an_id_of_the_apps_own_is_kept() -> None:
    assert decide("feed", Policy.uniform(), "uniform", {}, ACTIONS, "web-1").impression_id == "web-1"


def test_a_decision_stays_as_it_was_made_whatever_the_app_does_with_its_own_afterwards() -> None:
    context: dict[str, FeatureValue] = {"user": "ann"}
    length: dict[str, FeatureValue] = {"length": 3.0}
    actions = [Action("a", length), Action("b"), Action("c")]
    found = decide("feed", Policy.uniform(), "uniform", context, actions)
    shown = found.action.id
    context["user"] = "bob"
    length["length"] = 9.0
    actions.reverse()
    actions.pop()
    assert found.action.id == shown
    said = impression_of(found, 0)
    assert said.context == {"user": "ann"}
    assert said.actions == [Action("a", {"length": 3.0}), Action("b"), Action("c")]
