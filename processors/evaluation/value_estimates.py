"""What a policy would have earned, as one number: IPS, SNIPS and DR of all that was logged, nothing faded.

With w = pi(a | x) / p(a | x) of the action a that was shown, r its reward and q a prediction of rewards made before,

    IPS    mean(w r)                                                (Horvitz & Thompson 1952)
    SNIPS  sum(w r) / sum(w)                                        (Swaminathan & Joachims 2015, eq. 11)
    DR     mean(w (r - q(x, a)) + sum over b of pi(b | x) q(x, b))   (Dudik, Langford & Li 2011, eq. 2)

Assumed for all three: the shown action was drawn by the logged probabilities, and p(a | x) > 0 wherever pi(a | x) >
0; else IPS takes what was never shown to be worth 0, SNIPS what the rest is worth, and DR what was predicted. IPS and
DR are unbiased then whatever q is; SNIPS has a bias of O(1 / n). None of them says how sure it is:
`confidence_sequence.py` does.
"""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct

from processors.evaluation.logged_decisions import Floats, LoggedDecisions

DEVIATIONS = 5.0
"""How many standard errors the mean weight may be off before it is said that logged probabilities are wrong."""
ENOUGH = 100.0
"""So many effective decisions before a mean weight is called too small."""
ROUNDED = 1e-3
"""Logged probabilities are rounded."""


class ValueEstimates(Struct):
    """Sums over decisions; plain values, and nothing that grows.

    `unsupported` adds up the probability with which the policy would have shown what could not be shown, as far as the
    log has the probabilities of all actions. `rewards` are of what was shown.
    """

    count: int = 0
    rewards: float = 0.0
    weights: float = 0.0
    squared_weights: float = 0.0
    weighted_rewards: float = 0.0
    robust: float = 0.0
    largest_weight: float = 0.0
    unsupported: float = 0.0

    def add(self, decisions: LoggedDecisions, target: Floats, predicted: Floats) -> None:
        """Take in decisions, with the probabilities pi of their actions (n, K) and rewards predicted before (n, K)."""
        if not len(decisions):
            return
        rows = np.arange(len(decisions))
        weights = target[rows, decisions.chosen] / decisions.propensities
        self.count += len(decisions)
        self.rewards += float(decisions.rewards.sum())
        self.weights += float(weights.sum())
        self.squared_weights += float(weights @ weights)
        self.weighted_rewards += float(weights @ decisions.rewards)
        self.robust += float(weights @ (decisions.rewards - predicted[rows, decisions.chosen]))
        self.robust += float((target * predicted).sum())
        self.largest_weight = max(self.largest_weight, float(weights.max()))
        self.unsupported += float(target[decisions.offered & (decisions.probabilities == 0.0)].sum())

    @property
    def ips(self) -> float | None:
        """The mean weighted reward; by chance it may lie beyond [-1, 1]. None before the first decision."""
        return self.weighted_rewards / self.count if self.count else None

    @property
    def snips(self) -> float | None:
        """The weighted mean reward; None while the policy would have shown nothing of what was shown."""
        return self.weighted_rewards / self.weights if self.weights else None

    @property
    def dr(self) -> float | None:
        """The doubly robust mean. None before the first decision."""
        return self.robust / self.count if self.count else None

    @property
    def effective(self) -> float:
        """How many equal decisions speak of the policy: sum(w)^2 / sum(w^2) (Kish 1965)."""
        return self.weights * self.weights / self.squared_weights if self.squared_weights else 0.0

    @property
    def supported(self) -> float:
        """The share of what the policy would have shown that could be shown, as far as the log tells."""
        return 1.0 - self.unsupported / self.count if self.count else 1.0

    @property
    def mean_weight(self) -> float:
        """Mean of w; by right probabilities it is `supported`, in expectation."""
        return self.weights / self.count if self.count else 0.0

    def misweighted(self) -> bool:
        """Say whether the mean weight is further from the expected one than chance explains.

        Then logged probabilities are not those that were acted by; or, where it is less and only the probability of the
        shown action was logged, the policy would show what never was.
        """
        if self.count < 2:
            return False
        variance = max(0.0, self.squared_weights / self.count - self.mean_weight**2)
        off = self.mean_weight - self.supported
        if off < 0.0 and self.effective < ENOUGH:
            return False  # weights that are seldom and large: the mean is too small until one comes
        return abs(off) > DEVIATIONS * math.sqrt(variance / self.count) + ROUNDED
