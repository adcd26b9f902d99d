"""What is said of policies from logs: true values found, wrong propensities found, right ones left in peace."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import pytest
from msgspec.structs import replace

from groundswell.events import Action, Features, FeatureValue, Impression, Interaction, Reward
from groundswell.exploration import probabilities
from groundswell.policy import Policy, PolicySnapshot
from processors.features.cross_counts import count_crosses
from processors.learners.learner_choice import learner_for
from processors.policies.off_policy_value import ValueEstimate
from processors.policies.policy_watch import COST_PER_STRETCH, HELD, MOST_COST, HeldPolicy, PolicyWatch
from tests.unit.rounds import ACTIONS, interaction, uniform_log
from tests.unit.stand_ins import worker_settings

EPSILON = 0.2
CONTEXT: Features = {"user": "u0"}
CONTEXTS: list[Features] = [CONTEXT, {"user": "u1", "hour": 13, "new": True}, {"user": "nobody"}, {}]


@pytest.fixture(scope="module")
def snapshot() -> PolicySnapshot:
    """A policy that has learned what three users want."""
    learner = learner_for(worker_settings().models["feed"])
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


def watched(
    snapshot: PolicySnapshot, logged: Logged, count: int = 600, stated: int | None = None, weight: float = 1.0
) -> PolicyWatch:
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
            policy_version=snapshot.version if stated is None else stated, weight=weight,
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
            estimate.add(4.0 if matches else 0.0, reward, 1.0)
        value = estimate.value()
        assert value is not None
        held += value.low <= truth <= value.high
    assert 0.9 <= held / 300 <= 0.99


KEPT = {1: 1.0, 0: 0.1, -1: 1.0}
"""The rate at which a log is kept by what came of an impression: those without anything are many, and dull."""


def test_a_sub_sampled_log_says_what_the_whole_one_would_have_said() -> None:
    rng, held, means = random.Random(0), 0, []
    truth, rounds = 0.3 * 1 - 0.1, 300
    for _ in range(rounds):
        estimate = ValueEstimate(memory=10**9)
        for _ in range(600):
            matches = rng.random() < 0.25
            reward = rng.choices((1, 0, -1), weights=(3, 6, 1))[0]
            if rng.random() < KEPT[reward]:
                estimate.add(4.0 if matches else 0.0, reward, 1 / KEPT[reward])
        value = estimate.value()
        assert value is not None
        means.append((value.ips, value.snips, estimate.logged))
        held += value.low <= truth <= value.high
    for estimates in zip(*means, strict=True):
        assert sum(estimates) / rounds == pytest.approx(truth, abs=0.02)
    assert held / rounds >= 0.94, "the four that are added make it wide where few weigh much"


def test_a_log_of_which_every_tenth_is_kept_says_the_same_as_if_it_were_whole(snapshot: PolicySnapshot) -> None:
    whole, tenth = (watched(snapshot, HONEST["propensity"], weight=weight).value for weight in (1.0, 10.0))
    assert tuple(tenth.value() or ()) == pytest.approx(tuple(whole.value() or ()))
    assert tenth.logged == pytest.approx(whole.logged)


def wide(number: int, actions: int, context: int, features: int) -> Interaction:
    """Return an interaction with so many actions, and features of context and of each action."""
    return interaction(
        number,
        context={f"c{i}": "x" for i in range(context)},
        actions=[Action(f"a{i}", {f"f{j}": "y" for j in range(features)}) for i in range(actions)],
        propensity=0.5,
    )


@pytest.mark.parametrize(
    ("size", "looked_at"),
    [
        ((11, 1, 0), 200),
        ((11, 5, 3), 200),
        ((100, 20, 5), 22),
        ((10_000, 0, 0), 0),
        ((1000, 20, 10), 0),
        ((100, 190, 100), 0),
    ],
    ids=["small", "usual", "dear: 12,600 crosses", "many actions", "231,000 crosses", "1,929,100 crosses"],
)
def test_what_is_scored_is_bounded_by_crosses_whatever_an_interaction_holds(
    snapshot: PolicySnapshot, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int, int], looked_at: int
) -> None:
    scored: list[int] = []
    original = HeldPolicy.scores

    def counted(
        policy: HeldPolicy,
        context: Mapping[str, FeatureValue],
        actions: Sequence[Action],
    ) -> list[float]:
        scored.append(count_crosses(context, actions, crosses=False)[1])
        return original(policy, context, actions)

    monkeypatch.setattr(HeldPolicy, "scores", counted)
    watch, stretches = PolicyWatch(), 100
    watch.published(snapshot)
    one = wide(0, *size)
    reward = _reward(one.impression, 1)
    for _ in range(stretches):
        watch.observe([one] * 4, [reward] * 4)
    assert len(scored) == pytest.approx(looked_at, abs=1)
    assert sum(scored) <= stretches * COST_PER_STRETCH + MOST_COST


def test_dear_interactions_are_looked_at_as_often_as_cheap_ones_among_them(snapshot: PolicySnapshot) -> None:
    """Else the estimates would speak of the cheap ones only. Here the dear ones are half, and all that is enjoyed."""
    watch, rng = PolicyWatch(), random.Random(3)
    watch.published(snapshot)
    for number in range(20_000):
        dear = rng.random() < 0.5
        one = wide(number, 3, 40 if dear else 1, 20 if dear else 1)
        watch.observe([one], [_reward(one.impression, 1 if dear else 0)])
    assert watch.value.logged == pytest.approx(0.5, abs=0.1)


def test_an_action_set_is_scored_once_where_the_newest_policy_was_acted_by(
    snapshot: PolicySnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[int] = []

    def greedy(policy: HeldPolicy, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> list[float]:
        scored.append(policy.version)
        return [1.0, *[0.0] * (len(actions) - 1)]

    monkeypatch.setattr(HeldPolicy, "greedy", greedy)
    watch = PolicyWatch()
    newer = replace(snapshot, version=snapshot.version + 1)
    watch.published(snapshot)
    watch.published(newer)
    for version, expected in (
        (snapshot.version, [newer.version, snapshot.version]),
        (newer.version, [newer.version]),
    ):
        scored.clear()
        stating = replace(interaction(0, propensity=1.0).impression, policy_version=version)
        watch.observe([_with(interaction(0), stating)], [_reward(stating, 0)])
        assert scored == expected
    assert watch.propensities.checked == 2


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
