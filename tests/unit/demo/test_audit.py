"""The audit finds what is lost and what is counted twice, whatever else goes on."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from experiments.demo.audit import UNKNOWN, Audit
from groundswell.events import Action, Feedback, Impression, Interaction, Reward, RewardState, Source

ACTIONS = [Action(id=f"action-{number}") for number in range(3)]


def impression(number: int) -> Impression:
    return Impression(
        schema_version=1,
        impression_id=f"i{number}",
        occurred_at=number,
        model="m",
        context={"user": f"user-{number % 2}"},
        actions=ACTIONS,
        chosen=number % 3,
        propensity=0.5,
    )


def feedback(number: int) -> Feedback:
    return Feedback(
        schema_version=1,
        impression_id=f"i{number}",
        feedback_id=f"f{number}",
        occurred_at=number,
        signal="click",
    )


def interaction(number: int, *given: Feedback) -> Interaction:
    signals = [one.signal for one in given] or ["none"]
    return Interaction(
        schema_version=1,
        source=Source(0, number, 0),
        impression=impression(number),
        feedback=list(given),
        signals=signals,
    )


def reward(number: int, state: RewardState = 0, version: int | None = None) -> Reward:
    return Reward(
        schema_version=1,
        impression_id=f"i{number}",
        model="m",
        occurred_at=number,
        source=Source(0, number, 0),
        action=f"action-{number % 3}",
        signal="click",
        state=state,
        reward=float(state),
        posterior=0.1,
        threshold=0.7,
        weight=1.0,
        ik_version=number if version is None else version,
        policy_version=number if version is None else version,
    )


def perfect(count: int = 6) -> Audit:
    audit = Audit()
    for number in range(count):
        audit.add_impression(impression(number))
        given = [feedback(number)] if number % 2 else []
        for one in given:
            audit.add_feedback(one)
        audit.add_interaction(interaction(number, *given))
        audit.add_reward(reward(number))
    return audit


PERFECT = {
    "impressions_produced": 6,
    "impressions_repeated": 0,
    "impressions_deferred": 0,
    "feedback_produced": 3,
    "feedback_repeated": 0,
    "interactions_joined": 6,
    "joined_twice": 0,
    "interactions_learned": 6,
    "learned_twice": 0,
    "lost": 0,
    "feedback_joined": 3,
    "feedback_late": 0,
    "feedback_lost": 0,
    "dead_letters": 0,
}


def test_a_perfect_run_has_nothing_amiss() -> None:
    assert perfect().counts() == PERFECT


@pytest.mark.parametrize(
    ("add", "changed"),
    [
        (lambda audit: audit.add_impression(impression(0)), {"impressions_repeated": 1}),
        (lambda audit: audit.add_feedback(feedback(1)), {"feedback_repeated": 1}),
        (lambda audit: audit.add_interaction(interaction(2)), {"joined_twice": 1}),
        (lambda audit: audit.add_reward(reward(2)), {"learned_twice": 1}),
        (lambda audit: audit.add_impression(impression(6)), {"impressions_produced": 7, "lost": 1}),
        (lambda audit: audit.add_feedback(feedback(4)), {"feedback_produced": 4, "feedback_lost": 1}),
        (lambda audit: audit.add_dead_letter("schema"), {"dead_letters": 1}),
    ],
)
def test_one_record_more_is_noticed(add: Callable[[Audit], None], changed: dict[str, int]) -> None:
    audit = perfect()
    add(audit)
    assert audit.counts() == PERFECT | changed


def test_what_was_deferred_is_lost_unless_it_is_joined_and_its_activation_is_no_feedback() -> None:
    audit = perfect()
    shown = msgspec.structs.replace(feedback(6), signal="shown", feedback_id="shown")
    deferred = msgspec.structs.replace(impression(6), deferred=True)
    audit.add_impression(deferred)
    audit.add_feedback(shown)
    produced = PERFECT | {"impressions_produced": 7, "impressions_deferred": 1}
    assert audit.counts() == produced | {"lost": 1}
    audit.add_interaction(msgspec.structs.replace(interaction(6, shown), impression=deferred, signals=["none"]))
    audit.add_reward(reward(6))
    assert audit.counts() == produced | {"interactions_joined": 7, "interactions_learned": 7}


def test_late_feedback_is_accounted_for() -> None:
    audit = perfect()
    audit.add_feedback(feedback(4))
    audit.add_late(feedback(4))
    assert audit.counts() == PERFECT | {"feedback_produced": 4, "feedback_late": 1}


def test_an_unknown_state_is_kept_with_its_reason() -> None:
    audit = perfect(1)
    audit.add_reward(msgspec.structs.replace(reward(1), state=None, doubt="undetermined_signal", weight=0.25))
    assert audit.inferred().tolist() == [0, UNKNOWN]
    assert [(one.doubt, one.weight) for one in audit.judged] == [(None, 1.0), ("undetermined_signal", 0.25)]


def test_each_reward_has_its_user_and_action() -> None:
    audit = perfect()
    assert audit.users().tolist() == [0, 1, 0, 1, 0, 1]
    assert audit.actions().tolist() == [0, 1, 2, 0, 1, 2]
    assert audit.inferred().tolist() == [0] * 6
