"""The reward of an action as it was on the average of the decisions before: what the doubly robust estimates start
from.

Whatever is predicted, the estimates are right; the closer to the truth it is, the less they vary.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from processors.evaluation.logged_decisions import Floats

PRIOR = 10.0
"""So many decisions with the mean reward of all actions are added to those of each."""


class PredictedRewards:
    """Mean rewards of at most `most` actions, by their numbers from 0 on."""

    def __init__(self, most: int) -> None:
        self._count, self._total = 0, 0.0
        self._counts, self._totals = np.zeros(most), np.zeros(most)

    def predict(self, actions: NDArray[np.int64]) -> Floats:
        """Return a prediction for each of these actions, in [-1, 1], in their shape."""
        overall = self._total / (self._count + 1)
        means = (self._totals + PRIOR * overall) / (self._counts + PRIOR)
        found: Floats = means[actions]
        return found

    def learn(self, actions: NDArray[np.int64], rewards: Floats) -> None:
        """Learn the rewards of actions that were shown; what was predicted before rests on none of them."""
        self._count += len(rewards)
        self._total += float(rewards.sum())
        self._counts += np.bincount(actions, minlength=len(self._counts))
        self._totals += np.bincount(actions, rewards, minlength=len(self._totals))
