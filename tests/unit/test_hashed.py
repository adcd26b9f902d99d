"""Our estimators pass River's own checks, and do what they are for."""

import doctest
from collections.abc import Callable
from typing import Any

import pytest
from river import checks, metrics, optim
from river.datasets import synth
from river.linear_model import LogisticRegression
from river.multiclass import OneVsRestClassifier

from processors import hashed
from processors.hashed import HashedClassifier, HashedRegressor

ESTIMATORS = [HashedClassifier(bits=12), HashedClassifier(form="softmax", bits=12), HashedRegressor(bits=12)]


@pytest.mark.parametrize(
    ("estimator", "check"),
    [(estimator, check) for estimator in ESTIMATORS for check in checks.yield_checks(estimator)],
    ids=lambda item: getattr(item, "__name__", str(item)),
)
def test_rivers_own_check(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator.clone())


def test_a_weight_counts_as_so_much_evidence() -> None:
    def share(weight: float) -> float:
        model = HashedClassifier(bits=10)
        for _ in range(20):
            model.learn_one({"signal": "click"}, "cats", w=weight)
            model.learn_one({"signal": "click"}, "dogs", w=1.0)
        return model.predict_proba_one({"signal": "click"})["cats"]

    assert share(5.0) > share(1.0) > share(0.2)


def test_it_classifies_as_well_as_rivers_own() -> None:
    def accuracy(model: Any) -> float:
        metric = metrics.Accuracy()
        for x, y in synth.LED(seed=1, noise_percentage=0.1).take(3_000):
            metric.update(y, model.predict_one(x))
            model.learn_one(x, y)
        return float(metric.get())

    stock = OneVsRestClassifier(LogisticRegression(optimizer=optim.AdaGrad(1.0)))
    assert accuracy(HashedClassifier()) > accuracy(stock) - 0.03


def test_the_examples_in_the_docstrings_work() -> None:
    assert doctest.testmod(hashed).failed == 0
