"""River: our models behind its interface, and stock models in the places of ours."""

from __future__ import annotations

import copy
import functools
from collections import defaultdict
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError
from river import checks, optim

from experiments.people.three_state import ThreeStateUsers
from groundswell.events import Action, Impression, Interaction, Source
from groundswell.policy import Policy
from processors.learners.learner_choice import learner_for, restored_learner
from processors.learners.papers_learner import PapersLearner
from processors.learners.river_estimators import HashedOneVersusRest, HashedRegressor
from processors.learners.stock_learner import StockLearner
from processors.learners.stock_models import EstimatorError
from processors.learners.stock_state import UnplainError, from_plain, plain_copy, to_plain
from processors.learners.three_state_learner import ThreeStateLearner
from processors.models.config import ModelConfig
from processors.wire.plain_state import StateError

ACTIONS = [Action(f"a{number}") for number in range(5)]
LOGISTIC = {
    "class": "river.linear_model.LogisticRegression",
    "parameters": {"optimizer": {"class": "river.optim.AdaGrad", "parameters": {"lr": 1.0}}},
}
LINEAR = {"class": "river.linear_model.LinearRegression", "parameters": {"optimizer": {"class": "river.optim.AdaGrad"}}}


def configured(**changes: Any) -> ModelConfig:
    reward = {"rule": "iclr", "alpha": 0.3}
    return ModelConfig.model_validate({"name": "m", "definitely_negative": ["dislike"], "reward": reward, **changes})


STOCK = configured(inverse_kinematics={"estimator": LOGISTIC}, bandit={"estimator": LINEAR})


def log(count: int, seed: int = 0) -> tuple[ThreeStateUsers, list[Interaction]]:
    """Return people and what they did when shown actions uniformly at random."""
    people = ThreeStateUsers(3, len(ACTIONS), 0.3, seed)
    interactions = []
    for offset in range(count):
        user, chosen = people.arrive(), offset % len(ACTIONS)
        interactions.append(
            Interaction(
                schema_version=1,
                source=Source(0, offset, 0),
                impression=Impression(
                    schema_version=1,
                    impression_id=str(offset),
                    occurred_at=offset,
                    model="m",
                    context={"user": f"u{user}"},
                    actions=ACTIONS,
                    chosen=chosen,
                    propensity=1 / len(ACTIONS),
                ),
                feedback=[],
                signals=[people.signal(user, chosen)],
            )
        )
    return people, interactions


@pytest.mark.parametrize(
    "model", [HashedOneVersusRest(bits=12), HashedRegressor(bits=12)], ids=lambda m: type(m).__name__
)
def test_our_models_pass_the_checks_that_river_has_for_its_own(model: Any) -> None:
    failed = []
    for check in checks.yield_checks(model):
        try:
            check(copy.deepcopy(model))
        except Exception as error:  # all failures at once, by name
            failed.append(f"{check.__name__}: {error!r}")
    assert not failed


@pytest.mark.parametrize(
    "config",
    [STOCK, configured(inverse_kinematics={"estimator": LOGISTIC}), configured(bandit={"estimator": LINEAR})],
    ids=["both", "classifier", "regressor"],
)
def test_stock_models_learn_who_enjoys_what(config: ModelConfig) -> None:
    people, interactions = log(4000)
    learner = learner_for(config)
    rewards = learner.learn(interactions)
    policy = Policy(learner.snapshot(None))
    for user in range(people.users):
        greedy = policy.greedy({"user": f"u{user}"}, ACTIONS)
        assert people.state(user, greedy.index(max(greedy))) == 1
    inferred = [reward.state for reward in rewards[2000:] if reward]
    states = [
        people.state(int(str(one.impression.context["user"])[1:]), one.impression.chosen) for one in interactions[2000:]
    ]
    # Of what is hated, IGL-P(3) pays for the dislikes as much as it is paid for the rest: on the average nothing.
    right = [found == state for found, state in zip(inferred, states, strict=True) if state >= 0]
    assert sum(right) / len(right) > 0.9


def test_a_stock_learner_goes_on_from_a_checkpoint_as_if_nothing_had_been() -> None:
    _, interactions = log(600)
    unbroken, first = learner_for(STOCK), learner_for(STOCK)
    unbroken.learn(interactions)
    first.learn(interactions[:300])
    second = restored_learner(STOCK, msgspec.msgpack.decode(msgspec.msgpack.encode(first.state())))
    second.learn(interactions[300:])
    assert second.snapshot(None) == unbroken.snapshot(None)


def test_only_what_names_a_stock_estimator_is_slow() -> None:
    assert type(learner_for(configured())) is PapersLearner
    assert type(learner_for(configured(reward={}))) is ThreeStateLearner
    assert type(learner_for(STOCK)) is StockLearner


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inverse_kinematics": {"estimator": {"class": "river.linear_model.SoftmaxRegression"}}}, "no sample weights"),
        ({"inverse_kinematics": {"estimator": LINEAR}}, "no classifier"),
        ({"bandit": {"estimator": LOGISTIC}}, "no regressor"),
        ({"bandit": {"estimator": {"class": "river.tree.HoeffdingTreeRegressor"}}}, "no linear weights"),
        (
            {"inverse_kinematics": {"estimator": {"class": "river.nowhere.Nothing"}}},
            r"there is no .* Name a class by its",
        ),
        (
            {"bandit": {"estimator": {**LINEAR, "parameters": {"pace": 1}}}},
            r"cannot be made with pace: .* It takes optimizer",
        ),
        ({"bandit": {"estimator": {"class": "river.linear_model.LogisticRegression"}}}, "is no regressor.*: take one"),
    ],
)
def test_an_estimator_that_cannot_serve_is_refused_with_the_consequence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(EstimatorError, match=message):
        learner_for(configured(**changes))


@pytest.mark.parametrize("role", ["inverse_kinematics", "bandit"])
def test_the_default_rule_says_by_which_one_a_stock_estimator_learns(role: str) -> None:
    with pytest.raises(ValidationError, match=r'reward = {rule = "iclr", alpha = 0.1}'):
        configured(reward={}, **{role: {"estimator": LOGISTIC}})


@pytest.mark.parametrize("path", ["os.system", "river", "builtins.eval"])
def test_nothing_but_river_is_named(path: str) -> None:
    with pytest.raises(ValidationError):
        configured(bandit={"estimator": {"class": path}})


def test_a_state_that_names_another_class_is_refused() -> None:
    with pytest.raises(StateError, match="only River's own"):
        from_plain(["object", "subprocess", "Popen", []])


def test_a_default_that_is_made_by_no_plain_type_is_refused_by_what_it_is() -> None:
    """As those of forests (a partial) and factorization machines (an initializer, which has no name) are."""
    for factory in (functools.partial(int), optim.initializers.Zeros()):
        with pytest.raises(UnplainError, match="a defaultdict whose default is made by"):
            to_plain(defaultdict(factory))


def test_what_cannot_be_written_without_pickle_is_named() -> None:
    with pytest.raises(UnplainError, match="function"):
        to_plain([lambda: None])


def test_what_is_shared_stays_shared() -> None:
    shared: list[int] = [1]
    copied = plain_copy([shared, shared, {"again": shared}])
    assert copied[0] is copied[1] is copied[2]["again"]
