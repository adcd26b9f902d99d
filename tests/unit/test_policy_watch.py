"""What is said of policies from logs: true values found, wrong propensities found, right ones left in peace."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from processors.events import Features, Impression, Interaction, Reward
from processors.exploration import probabilities
from processors.learner import Learner
from processors.off_policy import ValueEstimate
from processors.policy import Policy, PolicySnapshot
from processors.policy_watch import HELD, HeldPolicy, PolicyWatch
from tests.unit.rounds import ACTIONS, interaction, uniform_log
from tests.unit.stand_ins import worker_settings

EPSILON = 0.2
CONTEXT: Features = {"user": "u0"}


@pytest.fixture(scope="module")
def snapshot() -> PolicySnapshot:
    """A policy that has learned what three users want."""
    learner = Learner(worker_settings().models["feed"])
    learner.learn(uniform_log(1500))
    return learner.snapshot(None)


def chances(snapshot: PolicySnapshot) -> list[float]:
    """How likely each action is when an app acts by the policy with its own epsilon."""
    scores = Policy(snapshot).scores(CONTEXT, ACTIONS)
    return probabilities(scores, type(snapshot.exploration)("epsilon-greedy", EPSILON))


Logged = Callable[[list[float], int], tuple[list[float] | None, float | None]]
"""From the true probabilities and what was shown to the `probabilities` and `propensity` that are logged."""
HONEST: dict[str, Logged] = {
    "probabilities": lambda true, chosen: (true, None),
    "propensity": lambda true, chosen: (None, true[chosen]),
}
WRONG: dict[str, Logged] = {
    "1/K as probabilities": lambda true, chosen: ([1 / len(true)] * len(true), None),
    "1/K as propensity": lambda true, chosen: (None, 1 / len(true)),
}


def watched(snapshot: PolicySnapshot, logged: Logged, count: int = 600, stated: int | None = None) -> PolicyWatch:
    """Return a watch that has seen an app act by the policy; what is best is enjoyed, what is worst hated."""
    rng, true, watch = random.Random(1), chances(snapshot), PolicyWatch()
    scores = Policy(snapshot).scores(CONTEXT, ACTIONS)
    best, worst = scores.index(max(scores)), scores.index(min(scores))
    watch.published(snapshot)
    for number in range(count):
        [chosen] = rng.choices(range(len(ACTIONS)), weights=true)
        distribution, propensity = logged(true, chosen)
        shown = Impression(
            schema_version=1, impression_id=f"i{number}", occurred_at=number, model="feed", context=CONTEXT,
            actions=ACTIONS, chosen=chosen, probabilities=distribution, propensity=propensity,
            policy_version=snapshot.version if stated is None else stated,
        )  # fmt: skip
        one = interaction(number)
        watch.observe([_with(one, shown)], [_reward(shown, (chosen == best) - (chosen == worst))])
    return watch


def _with(one: Interaction, shown: Impression) -> Interaction:
    return Interaction(schema_version=1, source=one.source, impression=shown, feedback=[], signals=["none"])


def _reward(shown: Impression, state: int) -> Reward:
    return Reward(
        schema_version=1, impression_id=shown.impression_id, model="feed", occurred_at=0,
        source=interaction(0).source, action="a", signal="none", state=state,  # type: ignore[arg-type]
        reward=float(state), posterior=0.2, threshold=0.4, weight=1.0, ik_version=0, policy_version=0,
    )  # fmt: skip


@pytest.mark.parametrize("logged", HONEST.values(), ids=HONEST)
def test_right_propensities_agree_with_what_is_shown(snapshot: PolicySnapshot, logged: Logged) -> None:
    rates = watched(snapshot, logged).propensities.rates()
    assert rates is not None
    assert rates[0] == pytest.approx(1 - EPSILON + EPSILON / len(ACTIONS), abs=0.06)
    assert rates[0] - rates[1] == pytest.approx(0, abs=0.06)


@pytest.mark.parametrize("logged", WRONG.values(), ids=WRONG)
def test_an_app_that_logs_chance_and_acts_by_the_policy_is_found_out(snapshot: PolicySnapshot, logged: Logged) -> None:
    rates = watched(snapshot, logged).propensities.rates()
    assert rates is not None
    assert rates[0] - rates[1] > 0.5


@pytest.mark.parametrize("stated", [10**9, 1], ids=["a version that never was", "a version that is not at hand"])
def test_what_acts_by_an_unknown_policy_is_not_judged(snapshot: PolicySnapshot, stated: int) -> None:
    assert watched(snapshot, HONEST["probabilities"], stated=stated).propensities.checked == 0


def test_the_newest_policy_is_worth_what_its_choice_earns(snapshot: PolicySnapshot) -> None:
    watch = watched(snapshot, HONEST["propensity"])
    value = watch.value.value()
    assert value is not None
    assert value.snips == pytest.approx(1), "what it ranks first is always enjoyed"
    assert value.ips == pytest.approx(1, abs=0.1)
    assert watch.value.logged == pytest.approx(1 - EPSILON, abs=0.06)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, held = random.Random(0), 0
    truth = 0.3 * 1 - 0.1
    for _ in range(300):
        estimate = ValueEstimate(memory=1000)
        for _ in range(400):
            matches = rng.random() < 0.25
            reward = rng.choices((1, 0, -1), weights=(3, 6, 1))[0]
            estimate.add(4.0 if matches else 0.0, reward)
        value = estimate.value()
        assert value is not None
        held += value.low <= truth <= value.high
    assert 0.9 <= held / 300 <= 0.99


def test_few_policies_are_held_and_those_the_log_has_passed_are_let_go(snapshot: PolicySnapshot) -> None:
    watch = watched(snapshot, HONEST["probabilities"], 1)
    for version in range(1, 100):
        watch.published(replace(snapshot, version=snapshot.version + version))
    assert len(watch._held) == HELD
    newest = snapshot.version + 99
    shown = interaction(0, propensity=1.0).impression
    stating = replace(shown, policy_version=newest)
    watch.observe([_with(interaction(0), stating)], [_reward(stating, 0)])
    assert not watch._held


def test_a_held_policy_ranks_as_the_policy_does(snapshot: PolicySnapshot) -> None:
    held, policy = HeldPolicy(snapshot), Policy(snapshot)
    for user in ("u0", "u1", "u2", "nobody"):
        assert held.scores({"user": user}, ACTIONS) == policy.scores({"user": user}, ACTIONS)
    assert dict(held._weights) == dict(policy._weights)
