import math
import random
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from experiments.people.three_state import ThreeStateUsers
from groundswell.events import Action, Features
from groundswell.policy import encode
from processors.learners.learner import Learner, StateError
from processors.models.config import ModelConfig
from tests.unit.heartbeat import heartbeat_during
from tests.unit.rounds import ACTIONS, interaction, uniform_log

MODEL = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), hash_bits=12)
LOG = uniform_log(2_000)


def bytes_of(learner: Learner) -> tuple[bytes, bytes]:
    return encode(learner.snapshot(None)), msgspec.msgpack.encode(learner.state())


def learned(log: Any, model: ModelConfig = MODEL) -> Learner:
    learner = Learner(model)
    learner.learn(log)
    return learner


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=4))
def test_how_a_log_is_cut_into_batches_changes_no_bit(cuts: list[int]) -> None:
    log = LOG[:300]
    learner = Learner(MODEL)
    rewards = []
    bounds = [0, *sorted(cuts), 300]
    for begin, end in pairwise(bounds):
        rewards += learner.learn(log[begin:end])
    whole = Learner(MODEL)
    assert whole.learn(log) == rewards
    assert bytes_of(whole) == bytes_of(learner)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 500))
def test_a_restored_learner_continues_to_the_bit(cut: int) -> None:
    first = learned(LOG[:cut])
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(first.state()))
    second = Learner.restore(MODEL, stored)
    assert bytes_of(second) == bytes_of(first)
    assert second.learn(LOG[cut:500]) == first.learn(LOG[cut:500])
    assert bytes_of(second) == bytes_of(first) == bytes_of(learned(LOG[:500]))


def test_a_state_of_another_configuration_is_refused() -> None:
    state = learned(LOG[:10]).state()
    with pytest.raises(StateError, match="another configuration"):
        Learner.restore(MODEL.model_copy(update={"hash_bits": 13}), state)
    with pytest.raises(StateError, match="version 99"):
        Learner.restore(MODEL, {**state, "state_version": 99})


@pytest.mark.parametrize("form", ["one-versus-rest", "softmax"])
@pytest.mark.parametrize("rule", ["counts", "pooled", "pooled-own", "mixture"])
def test_from_random_play_the_learner_finds_what_each_person_enjoys_and_hates(form: str, rule: str) -> None:
    model = ModelConfig.model_validate(
        {
            "name": "feed",
            "definitely_negative": ["dislike"],
            "inverse_kinematics": {"form": form},
            "reward": {"rule": rule},
        }
    )
    learner = learned(uniform_log(6_000, seed=4), model)
    states = ThreeStateUsers(3, len(ACTIONS), 0.3, 4).states
    for user in range(3):
        scores = learner.scores({"user": f"u{user}"}, ACTIONS)
        assert scores.argmax() == states[user].argmax()
        assert scores.argmin() == states[user].argmin()


def test_definitely_positive_signals_do_as_well() -> None:
    model = ModelConfig(name="feed", definitely_positive=frozenset({"like"}))
    learner = learned(uniform_log(6_000, seed=4), model)
    states = ThreeStateUsers(3, len(ACTIONS), 0.3, 4).states
    for user in range(3):
        scores = learner.scores({"user": f"u{user}"}, ACTIONS)
        assert scores.argmax() == states[user].argmax()
        assert scores.argmin() == states[user].argmin()


def test_the_two_state_rule_takes_every_extreme_for_joy() -> None:
    model = ModelConfig.model_validate({"name": "feed", "reward": {"rule": "two-state"}})
    assert {reward.state for reward in Learner(model).learn(LOG) if reward} == {0, 1}


def test_the_published_rules_pay_as_their_equations_say() -> None:
    for rule, expected in (("workshop", {-1.0, 0.0, 0.25}), ("iclr", {-4.0, 0.0, 1.0})):
        model = ModelConfig.model_validate(
            {
                "name": "feed",
                "definitely_negative": ["dislike"],
                "reward": {"rule": rule, "alpha": 0.25},
            }
        )
        assert {reward.reward for reward in Learner(model).learn(LOG) if reward} == expected


def test_a_reward_tells_where_it_comes_from() -> None:
    learner = learned(LOG[:1_000])
    reward = learner.learn([interaction(7, context={"user": "u0"}, chosen=2, propensity=0.1, weight=3.0)])[0]
    assert reward is not None
    assert (reward.impression_id, reward.action, reward.signal) == ("i7", "a2", "none")
    assert (reward.ik_version, reward.policy_version) == (1_000, 1_000)
    assert reward.weight == pytest.approx(3.0 / (5 * 0.1))
    assert reward.threshold == pytest.approx(2 / 5)
    assert (reward.state != 0) == (reward.posterior > reward.threshold)


def test_rounds_with_two_actions_are_counted_but_not_learned() -> None:
    log = [*LOG[:5], interaction(5, actions=[Action("a"), Action("b")]), *LOG[5:10]]
    learner = Learner(MODEL)
    rewards = learner.learn(log)
    assert [reward is None for reward in rewards] == [False] * 5 + [True] + [False] * 5
    assert (learner.interactions_included, learner.statistics.skipped) == (11, 1)
    assert learner.statistics.learned == 10


def test_a_definitely_negative_signal_stands_for_all_others() -> None:
    rewards = Learner(MODEL).learn([interaction(0, signals=["click", "dislike", "like"])])
    assert rewards[0] is not None
    assert rewards[0].signal == "dislike"


def test_action_sets_may_change_from_round_to_round() -> None:
    rng = random.Random(0)
    people = ThreeStateUsers(2, 8, 0.3, 5)
    learner = Learner(MODEL)
    every = [Action(f"a{i}", {"length": 0.1 * i}) for i in range(8)]
    for number in range(8_000):
        offered = rng.sample(range(8), rng.randint(3, 6))
        user, chosen = people.arrive(), rng.randrange(len(offered))
        learner.learn(
            [
                interaction(
                    number,
                    context={"user": f"u{user}"},
                    actions=[every[i] for i in offered],
                    chosen=chosen,
                    signals=[people.signal(user, offered[chosen])],
                )
            ]
        )
    for user in range(2):
        assert learner.scores({"user": f"u{user}"}, every).argmax() == people.states[user].argmax()


def test_statistics_count_what_happened() -> None:
    learner = Learner(MODEL)
    rewards = [reward for reward in learner.learn(LOG) if reward]
    statistics = learner.statistics
    assert statistics.states == {str(state): sum(reward.state == state for reward in rewards) for state in (-1, 0, 1)}
    assert statistics.definitely_negative == sum(reward.signal == "dislike" for reward in rewards)
    assert statistics.weights / statistics.learned == pytest.approx(1)
    assert statistics.weights**2 / statistics.squared_weights == pytest.approx(2_000)
    assert statistics.ik_log_loss < statistics.prior_log_loss
    assert statistics.ik_correct > statistics.prior_correct


@pytest.mark.parametrize("number", [10**400, -(10**400), 1e308, float(2**62)])
def test_no_number_breaks_the_weights(number: float) -> None:
    learner = Learner(MODEL)
    actions = [Action(f"a{i}", {"x": number}) for i in range(3)]
    for count in range(50):
        learner.learn([interaction(count, context={"y": number}, actions=actions, signals=["click"])])
    assert all(abs(value) < 1e6 for value in learner.snapshot(None).bandit.values)


@pytest.mark.parametrize("number", [2_000, 1_767_225_600, 1e300])
def test_a_number_far_beyond_those_before_is_learned_as_any_other(number: float) -> None:
    learner = learned([interaction(n, context={"amount": 1}, chosen=n % 5, signals=["click"]) for n in range(300)])
    [reward] = learner.learn([interaction(300, context={"amount": number}, signals=["click"])])
    assert reward is not None
    assert 0 <= reward.posterior <= 1
    assert math.isfinite(learner.statistics.ik_log_loss)
    assert all(math.isfinite(value) for value in learner.snapshot(None).bandit.values)


def test_heartbeats_go_on_while_a_batch_is_learned() -> None:
    context: Features = {f"f{n}": n for n in range(40)}
    actions = [Action(f"a{n}") for n in range(500)]
    crossed = Learner(MODEL.model_copy(update={"context_crosses": True}))
    log = [interaction(n, context=context, actions=actions) for n in range(10)]
    crossed.learn(log[:1])
    held = heartbeat_during(lambda: crossed.learn(log))
    assert held.longest_pause < held.taken / 2


def test_the_scale_of_a_number_does_not_matter() -> None:
    def scores(unit: float) -> list[float]:
        learner = Learner(MODEL)
        actions = [Action(f"a{i}", {"x": unit * (i + 1)}) for i in range(4)]
        for count in range(400):
            chosen = count % 4
            learner.learn([interaction(count, actions=actions, chosen=chosen, signals=[f"s{chosen == 3}"])])
        return list(learner.scores({"user": "ann"}, actions))

    assert scores(1.0) == pytest.approx(scores(1000.0), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("given_settings", "complaint"),
    [
        ({}, "could not be told apart"),
        ({"definitely_negative": ["x"], "definitely_positive": ["x"]}, "at once"),
        ({"definitely_negative": ["x"], "reward": {"rule": "iclr"}}, "needs alpha"),
        ({"definitely_negative": ["x"], "reward": {"alpha": 0.5}}, "do nothing"),
        ({"definitely_negative": ["x"], "reward": {"threshold": 1.0}}, "greater than 1"),
        ({"definitely_negative": ["x"], "hash_bits": 40}, "less than or equal to 26"),
        ({"definitely_negative": ["x"], "sede": 1}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_are_refused(given_settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ModelConfig.model_validate({"name": "feed", **given_settings})
