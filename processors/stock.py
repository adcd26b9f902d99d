"""Stock River estimators in the places of our own, by configuration.

They take dictionaries of hashed features and know actions by their ids. A classifier that tells only two
classes apart is copied for each action (one versus rest). They are slower than the compiled estimators by a
factor of ten to fifty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.estimator import Estimator, build_bandit, build_classifier
from processors.plain import flattened, rebuilt

Sparse = dict[int, float]


class StockInverseKinematics:
    """P(action | context, feedback) by a stock classifier."""

    def __init__(self, estimator: Estimator) -> None:
        self._fresh = build_classifier(estimator)
        self._one_for_all = bool(self._fresh._multiclass)
        self._models: dict[str, Any] = {}

    def posteriors(self, x: Sparse, actions: Sequence[str]) -> NDArray[np.float64]:
        """Return the probability of each action given the features of context and feedback."""
        if self._one_for_all:
            shares = self._model("").predict_proba_one(x)
            return np.array([float(shares.get(action, 0.0)) for action in actions])
        return np.array([float(self._model(a).predict_proba_one(x).get(True, 0.5)) for a in actions])

    def learn(self, x: Sparse, actions: Sequence[str], chosen: int, weight: float) -> None:
        """Learn one label per action, all with the same weight, or the one of all actions."""
        if self._one_for_all:
            self._model("").learn_one(x, actions[chosen], w=weight)
            return
        for number, action in enumerate(actions):
            self._model(action).learn_one(x, number == chosen, w=weight)

    def state(self) -> Any:
        """Return everything as plain values."""
        return [[action, flattened(model)] for action, model in self._models.items()]

    def restore(self, state: Any) -> None:
        """Continue from a `state()`."""
        self._models = {action: rebuilt(model) for action, model in state}

    def _model(self, action: str) -> Any:
        if action not in self._models:
            self._models[action] = self._fresh.clone()
        return self._models[action]


class StockBandit:
    """The score of an action by a stock linear regressor, whose weights go into the policy snapshot."""

    def __init__(self, estimator: Estimator) -> None:
        self._model = build_bandit(estimator)

    def learn(self, x: Sparse, reward: float, weight: float) -> None:
        """Learn the reward of the action shown."""
        self._model.learn_one(x, reward, w=weight)

    def write(self, table: NDArray[np.float64]) -> None:
        """Write the weights to the first column of `table`."""
        for index, weight in dict(self._model.weights).items():
            table[index, 0] = weight

    def state(self) -> Any:
        """Return everything as plain values."""
        return flattened(self._model)

    def restore(self, state: Any) -> None:
        """Continue from a `state()`."""
        self._model = rebuilt(state)
