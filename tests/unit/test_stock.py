"""Stock River estimators named in the configuration."""

from typing import Any

import msgspec
import pytest

from experiments.three_state import ThreeStateUsers
from processors.learner import Learner
from processors.model import ModelConfig
from processors.plain import NotPlainError, rebuilt
from processors.policy import Policy, decode, encode
from tests.unit.rounds import ACTIONS, uniform_log

LOGISTIC = {
    "class": "river.linear_model.LogisticRegression",
    "parameters": {
        "optimizer": {"class": "river.optim.AdaGrad", "parameters": {"lr": 1.0}},
        "intercept_lr": 0.0,
    },
}
LINEAR = {"class": "river.linear_model.LinearRegression", "parameters": {"intercept_lr": 0.0}}
TREE = {"class": "river.tree.HoeffdingTreeClassifier"}


def model(ik: Any = None, bandit: Any = None) -> ModelConfig:
    return ModelConfig.model_validate(
        {
            "name": "feed",
            "definitely_negative": ["dislike"],
            "hash_bits": 12,
            "inverse_kinematics": {"estimator": ik},
            "bandit": {"estimator": bandit},
        }
    )


@pytest.mark.parametrize(("ik", "bandit"), [(LOGISTIC, None), (None, LINEAR), (LOGISTIC, LINEAR)])
def test_stock_estimators_find_what_people_enjoy(ik: Any, bandit: Any) -> None:
    learner = Learner(model(ik, bandit))
    learner.learn(uniform_log(4_000, seed=4))
    states = ThreeStateUsers(3, len(ACTIONS), 0.3, 4).states
    policy = Policy(decode(encode(learner.snapshot(None))))
    for user in range(3):
        scores = policy.scores({"user": f"u{user}"}, ACTIONS)
        assert scores.index(max(scores)) == states[user].argmax()
        assert learner.scores({"user": f"u{user}"}, ACTIONS).tolist() == pytest.approx(scores)


@pytest.mark.parametrize(("ik", "bandit"), [(LOGISTIC, None), (None, LINEAR), (LOGISTIC, LINEAR)])
def test_a_restored_learner_with_stock_estimators_continues_to_the_bit(ik: Any, bandit: Any) -> None:
    log = uniform_log(400)
    first = Learner(model(ik, bandit))
    first.learn(log[:250])
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(first.state()))
    second = Learner.restore(model(ik, bandit), stored)
    assert second.learn(log[250:]) == first.learn(log[250:])
    assert encode(second.snapshot(None)) == encode(first.snapshot(None))


@pytest.mark.parametrize(
    ("ik", "bandit", "complaint"),
    [
        ({"class": "river.naive_bayes.GaussianNB"}, None, "no sample weights"),
        ({"class": "river.linear_model.LogisticRegresion"}, None, "cannot build"),
        ({"class": "river.linear_model.LogisticRegression", "parameters": {"lr": 1}}, None, "cannot build"),
        (LINEAR, None, "no classifier"),
        (None, LOGISTIC, "no linear regressor"),
        (None, {"class": "river.tree.HoeffdingTreeRegressor"}, "no linear regressor|without pickle"),
        ({"class": "os.system"}, None, "pattern"),
    ],
)
def test_estimators_that_cannot_work_are_refused(ik: Any, bandit: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        model(ik, bandit)


def test_a_checkpoint_cannot_name_anything_but_river() -> None:
    with pytest.raises(NotPlainError, match="no part of River"):
        rebuilt({"kind": "subprocess:Popen", "items": []})
