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
from groundswell.events import Action, Features, Interaction, Reward
from groundswell.policy import Policy, encode
from processors.learners import three_state_learner
from processors.learners.learner import Learner
from processors.learners.learner_choice import learner_for, restored_learner
from processors.models.config import InverseKinematicsConfig, ModelConfig
from processors.wire.plain_state import StateError
from tests.unit.heartbeat import heartbeats_go_on_during
from tests.unit.rounds import ACTIONS, interaction, uniform_log

MODEL = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), hash_bits=12)
IGL = ModelConfig.model_validate(
    {"name": "feed", "definitely_negative": ["dislike"], "hash_bits": 12, "reward": {"rule": "iclr", "alpha": 0.2}}
)
both_kinds = pytest.mark.parametrize("model", [MODEL, IGL], ids=["three-state", "iclr"])
LOG = uniform_log(2_000)


def bytes_of(learner: Learner) -> tuple[bytes, bytes]:
    return encode(learner.snapshot(None)), msgspec.msgpack.encode(learner.state())


def learned(log: Any, model: ModelConfig = MODEL) -> Learner:
    learner = learner_for(model)
    learner.learn(log)
    return learner


@both_kinds
@settings(max_examples=20)
@given(cuts=st.lists(st.integers(0, 300), max_size=4))
def test_how_a_log_is_cut_into_batches_changes_no_bit(model: ModelConfig, cuts: list[int]) -> None:
    log = LOG[:300]
    learner = learner_for(model)
    rewards: list[Reward | None] = []
    bounds = [0, *sorted(cuts), 300]
    for begin, end in pairwise(bounds):
        rewards += learner.learn(log[begin:end])
    whole = learner_for(model)
    assert whole.learn(log) == rewards
    assert bytes_of(whole) == bytes_of(learner)


@both_kinds
@settings(max_examples=10)
@given(cut=st.integers(0, 500))
def test_a_restored_learner_continues_to_the_bit(model: ModelConfig, cut: int) -> None:
    first = learned(LOG[:cut], model)
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(first.state()))
    second = restored_learner(model, stored)
    assert bytes_of(second) == bytes_of(first)
    assert second.learn(LOG[cut:500]) == first.learn(LOG[cut:500])
    assert bytes_of(second) == bytes_of(first) == bytes_of(learned(LOG[:500], model))


def test_a_state_of_another_configuration_is_refused() -> None:
    state = learned(LOG[:10]).state()
    with pytest.raises(StateError, match="another configuration"):
        restored_learner(MODEL.model_copy(update={"hash_bits": 13}), state)
    with pytest.raises(StateError, match="version 99"):
        restored_learner(MODEL, {**state, "state_version": 99})


def test_a_state_of_another_rule_is_refused_with_the_way_to_relearn_it() -> None:
    for model, other in ((MODEL, IGL), (IGL, MODEL)):
        with pytest.raises(StateError, match="`groundswell redecode --model feed` relearns it"):
            restored_learner(model, learned(LOG[:10], other).state())


def test_from_random_play_the_learner_finds_what_each_person_enjoys_and_hates() -> None:
    learner = learned(uniform_log(6_000, seed=4))
    states = ThreeStateUsers(3, len(ACTIONS), 0.3, 4).states
    for user in range(3):
        scores = learner.scores({"user": f"u{user}"}, ACTIONS)
        assert scores.argmax() == states[user].argmax()
        assert scores.argmin() == states[user].argmin()


@pytest.mark.parametrize("form", ["one-versus-rest", "softmax"])
def test_by_the_papers_rule_too(form: str) -> None:
    model = IGL.model_copy(update={"inverse_kinematics": InverseKinematicsConfig.model_validate({"form": form})})
    learner = learned(uniform_log(6_000, seed=4), model)
    states = ThreeStateUsers(3, len(ACTIONS), 0.3, 4).states
    for user in range(3):
        assert learner.scores({"user": f"u{user}"}, ACTIONS).argmax() == states[user].argmax()


def answered(count: int, joys: tuple[int, ...], actions: int, seed: int = 0) -> list[Interaction]:
    """Return random play of somebody who clicks on some actions, and is indifferent to the others but for the last,
    which is hated."""
    rng = random.Random(seed)
    offered, log = [Action(f"a{number}") for number in range(actions)], []
    for number in range(count):
        chosen = rng.randrange(actions)
        bad = "dislike" if rng.random() < 0.3 else "skip"
        signal = "click" if chosen in joys else (bad if chosen == actions - 1 and actions > 2 else "none")
        log.append(interaction(number, actions=offered, chosen=chosen, signals=[signal]))
    return log


def likeliest(reward: Reward) -> int:
    assert reward.state_probabilities is not None
    return reward.state_probabilities.index(max(reward.state_probabilities)) - 1


@pytest.mark.parametrize(("joys", "actions"), [((0,), 2), ((0, 1), 4), ((0, 1, 2), 6)])
def test_several_enjoyed_actions_and_two_alone_are_told_from_what_nobody_cares_about(
    joys: tuple[int, ...], actions: int
) -> None:
    """Where most of what is shown is enjoyed, indifference is the rare thing."""
    log = answered(3_000, joys, actions)
    learner = learner_for(MODEL)
    rewards = learner.learn(log)
    scores = learner.scores({"user": "ann"}, log[0].impression.actions)
    assert set(scores.argsort()[-len(joys) :]) == set(joys)
    for one, reward in list(zip(log, rewards, strict=True))[1_000:]:
        assert reward is not None
        if one.signals[0] in {"click", "none"}:
            assert likeliest(reward) == (1 if one.signals[0] == "click" else 0)


def test_each_reward_says_how_likely_each_state_is() -> None:
    for reward in learner_for(MODEL).learn(LOG):
        assert reward is not None
        assert reward.state_probabilities is not None
        minus, zero, plus = reward.state_probabilities
        assert minus + zero + plus == pytest.approx(1, abs=1e-5)
        assert reward.reward == pytest.approx(plus - minus, abs=1e-5)
        assert (reward.state is None) == (reward.doubt is not None)
        assert reward.state in {None, likeliest(reward)}
    assert {one.state_probabilities for one in learner_for(IGL).learn(LOG) if one} == {None}


def test_what_the_model_is_told_of_signals_is_never_doubted() -> None:
    model = ModelConfig.model_validate(
        {"name": "feed", "definitely_negative": ["dislike"], "definitely_positive": ["like"], "indifferent": ["seen"]}
    )
    log = [
        interaction(number, chosen=number % 5, signals=[("dislike", "like", "seen", "click")[number % 4]])
        for number in range(400)
    ]
    certain = {"dislike": [1.0, 0.0, 0.0], "seen": [0.0, 1.0, 0.0], "like": [0.0, 0.0, 1.0]}
    for reward in learner_for(model).learn(log):
        assert reward is not None
        assert reward.state_probabilities == certain.get(reward.signal, reward.state_probabilities)


def test_definitely_positive_signals_do_as_well() -> None:
    model = ModelConfig(name="feed", definitely_positive=frozenset({"like"}))
    learner = learned(uniform_log(6_000, seed=4), model)
    states = ThreeStateUsers(3, len(ACTIONS), 0.3, 4).states
    for user in range(3):
        scores = learner.scores({"user": f"u{user}"}, ACTIONS)
        assert scores.argmax() == states[user].argmax()
        assert scores.argmin() == states[user].argmin()


def test_a_number_alone_ranks_actions_by_more_than_its_size() -> None:
    """At the origin too: what is liked there is known by the constant."""
    rng = random.Random(0)
    log = []
    for number in range(4_000):
        x, chosen = rng.uniform(-1, 1), rng.randrange(3)
        best = 0 if x < -0.3 else 1 if x < 0.3 else 2
        log.append(
            interaction(
                number,
                context={"x": x},
                actions=ACTIONS[:3],
                chosen=chosen,
                signals=["click" if chosen == best else "none"],
            )
        )
    learner = learned(log)
    policy = Policy(learner.snapshot(None))
    for x, best in ((-0.9, 0), (0.9, 2)):
        context: Features = {"x": x}
        assert learner.scores(context, ACTIONS[:3]).argmax() == best
        assert policy.scores(context, ACTIONS[:3]) == pytest.approx(learner.scores(context, ACTIONS[:3]).tolist())
    assert any(policy.scores({"x": 1e-6}, ACTIONS[:3]))


def test_the_two_state_rule_takes_every_extreme_for_joy() -> None:
    model = ModelConfig.model_validate({"name": "feed", "reward": {"rule": "two-state"}})
    assert {reward.state for reward in learner_for(model).learn(LOG) if reward} == {0, 1}


def test_the_published_rules_pay_as_their_equations_say() -> None:
    for rule, expected in (("workshop", {-1.0, 0.0, 0.25}), ("iclr", {-4.0, 0.0, 1.0})):
        model = ModelConfig.model_validate(
            {
                "name": "feed",
                "definitely_negative": ["dislike"],
                "reward": {"rule": rule, "alpha": 0.25},
            }
        )
        assert {reward.reward for reward in learner_for(model).learn(LOG) if reward} == expected


RAMP = ModelConfig.model_validate(
    {"name": "feed", "definitely_negative": ["dislike"], "reward": {"rule": "iclr", "alpha": 0.25, "extreme": "ramp"}}
)


def test_the_ramp_pays_by_how_sure_the_posterior_is_and_never_more_than_the_step_at_its_end() -> None:
    # K = 5, at most one of them rewarded: K P is 5/4 where nothing was, 5 where it was, and half-way 25/8.
    rewards = [reward for reward in learner_for(RAMP).learn(LOG) if reward]
    for reward in rewards:
        strength = min(max((5 * reward.posterior - 5 / 4) / (25 / 8 - 5 / 4), 0.0), 1.0)
        full = -4.0 if reward.signal == "dislike" else 1.0
        assert reward.reward == pytest.approx(full * strength)
        assert reward.state == (0 if strength <= 0.5 else math.copysign(1, full))
        assert reward.threshold is not None
        assert (reward.state != 0) == (reward.posterior > reward.threshold)
    assert {True, False} == {reward.reward in (-4.0, 0.0, 1.0) for reward in rewards}, "some are in between"


@pytest.mark.parametrize(("most", "fewest"), [(1, 3), (2, 5)])
def test_the_ramp_needs_more_than_twice_as_many_actions_as_are_rewarded(most: int, fewest: int) -> None:
    reward = RAMP.reward.model_copy(update={"most_rewarded": most})
    learner = learner_for(RAMP.model_copy(update={"reward": reward}))
    few, enough = ([Action(f"b{i}") for i in range(count)] for count in (fewest - 1, fewest))
    assert [one is None for one in learner.learn([interaction(0, actions=few), interaction(1, actions=enough)])] == [
        True,
        False,
    ]


def test_the_ramp_pays_in_a_batch_what_it_pays_one_at_a_time() -> None:
    one, many = learner_for(RAMP), learner_for(RAMP)
    singly = [reward for each in LOG[:300] for reward in one.learn([each])]
    assert many.learn(LOG[:300]) == singly
    assert bytes_of(one) == bytes_of(many)


@both_kinds
def test_a_reward_tells_where_it_comes_from(model: ModelConfig) -> None:
    learner = learned(LOG[:1_000], model)
    reward = learner.learn([interaction(7, context={"user": "u0"}, chosen=2, propensity=0.1, weight=3.0)])[0]
    assert reward is not None
    assert (reward.impression_id, reward.action, reward.signal) == ("i7", "a2", "none")
    assert (reward.ik_version, reward.policy_version) == (1_000, 1_000)
    assert reward.weight == pytest.approx(3.0 / (5 * 0.1))
    if model is IGL:
        assert reward.threshold == pytest.approx(2 / 5)
        assert (reward.state != 0) == (reward.posterior > 2 / 5)
    else:
        assert reward.threshold is None


@pytest.mark.parametrize(("model", "fewest"), [(MODEL, 2), (IGL, 3)], ids=["three-state", "iclr"])
def test_rounds_with_too_few_actions_are_counted_but_not_learned(model: ModelConfig, fewest: int) -> None:
    few, enough = ([Action(f"b{i}") for i in range(count)] for count in (fewest - 1, fewest))
    log = [interaction(0, actions=enough), *LOG[1:5], interaction(5, actions=few), *LOG[5:10]]
    learner = learner_for(model)
    rewards = learner.learn(log)
    assert [reward is None for reward in rewards] == [False] * 5 + [True] + [False] * 5
    assert (learner.interactions_included, learner.statistics.skipped) == (11, 1)
    assert learner.statistics.learned == 10


def test_a_definitely_negative_signal_stands_for_all_others() -> None:
    rewards = learner_for(MODEL).learn([interaction(0, signals=["click", "dislike", "like"])])
    assert rewards[0] is not None
    assert rewards[0].signal == "dislike"


def test_action_sets_may_change_from_round_to_round() -> None:
    rng = random.Random(0)
    people = ThreeStateUsers(2, 8, 0.3, 5)
    learner = learner_for(MODEL)
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
    learner = learner_for(MODEL)
    rewards = [reward for reward in learner.learn(LOG) if reward]
    statistics = learner.statistics
    counted = {str(state): sum(reward.state == state for reward in rewards) for state in (-1, 0, 1)}
    assert statistics.states == {**counted, "unknown": sum(reward.state is None for reward in rewards)}
    assert 0 < statistics.states["unknown"] < statistics.learned == len(rewards)
    assert statistics.definitely_negative == sum(reward.signal == "dislike" for reward in rewards)
    assert statistics.weights / statistics.learned == pytest.approx(1)
    assert statistics.weights**2 / statistics.squared_weights == pytest.approx(2_000)
    assert statistics.ik_log_loss < statistics.prior_log_loss
    assert statistics.ik_correct > statistics.prior_correct


@pytest.mark.parametrize("number", [10**400, -(10**400), 1e308, float(2**62)])
def test_no_number_breaks_the_weights(number: float) -> None:
    learner = learner_for(MODEL)
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
    crossed = learner_for(MODEL.model_copy(update={"context_crosses": True}))
    log = [interaction(n, context=context, actions=actions) for n in range(10)]
    crossed.learn(log[:1])
    assert heartbeats_go_on_during(lambda: crossed.learn(log))


def test_the_scale_of_a_number_does_not_matter() -> None:
    def scores(unit: float) -> list[float]:
        learner = learner_for(MODEL)
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
        ({"definitely_negative": ["none"]}, "cannot be definite"),
        ({"definitely_negative": ["x"], "indifferent": ["x"]}, "indifferent and definite at once"),
        ({"indifferent": ["x"], "reward": {"rule": "two-state"}}, "knows no indifferent signals"),
        ({"definitely_negative": ["x"], "reward": {"threshold": 3.0}}, "threshold would silently do nothing"),
        ({"definitely_negative": ["x"], "reward": {"extreme": "ramp"}}, "extreme would silently do nothing"),
        ({"reward": {"rule": "two-state", "extreme": "ramp", "threshold": 3.0}}, "no threshold"),
        ({"reward": {"rule": "two-state", "most_rewarded": 2}}, "asks not for most_rewarded"),
        ({"definitely_negative": ["x"], "reward": {"rule": "mixture"}}, "no more.*groundswell redecode"),
        ({"definitely_negative": ["x"], "reward": {"prior_strength": 5}}, "no more.*groundswell redecode"),
        ({"definitely_negative": ["x"], "reward": {"extreme": "graded"}}, "no more.*groundswell redecode"),
        ({"definitely_negative": ["x"], "inverse_kinematics": {"form": "softmax"}}, "form of .* silently do nothing"),
        ({"definitely_negative": ["x"], "inverse_kinematics": {"weight_cap": 5}}, "weight_cap of .* do nothing"),
        ({"definitely_negative": ["x"], "reward": {"alpha": 0.5}}, "do nothing"),
        ({"definitely_negative": ["x"], "reward": {"threshold": 1.0}}, "greater than 1"),
        ({"definitely_negative": ["x"], "hash_bits": 40}, "less than or equal to 26"),
        ({"definitely_negative": ["x"], "sede": 1}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_are_refused(given_settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ModelConfig.model_validate({"name": "feed", **given_settings})


@pytest.mark.parametrize("kept", [10, three_state_learner.MOST_KEPT])
def test_what_is_wider_than_all_before_is_learned_once_and_as_with_room_from_the_beginning(
    monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    wide = interaction(7, context={f"c{n}": n for n in range(60)}, signals=("dislike",))
    log = [*LOG[:100], wide, *LOG[100:200], wide]
    monkeypatch.setattr(three_state_learner, "FIRST_ROOM", 100_000)
    with_room = learned(log)
    monkeypatch.setattr(three_state_learner, "FIRST_ROOM", 1)
    monkeypatch.setattr(three_state_learner, "MOST_KEPT", kept)
    without = learner_for(MODEL)
    assert list(without.learn(log)) == list(learner_for(MODEL).learn(log))
    assert bytes_of(without) == bytes_of(with_room)
