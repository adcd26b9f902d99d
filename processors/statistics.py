"""What a learner counts about itself, for metrics and for trust."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct, field


class Statistics(Struct):
    """Counters and sums since the model began; `states` is keyed by "-1", "0" and "1".

    `weights` are importance weights, 1/(K p) times the weight of the impression. Log losses are in nats and, like
    the correct counts, weighted with them as the inverse kinematics is; the prior is 1/K for each action, which is
    right under those weights. Divide by `weights` for a mean.

    `ik_calibration` sums w / P over the interactions whose shown action the posterior P ranked first. Where posteriors
    mean what they say its mean is sum_a P(a) 1[a first] / P(a) = 1; below it they are too sure of themselves, above
    it not sure enough. P of a first-ranked action is at least 1/K, so that no single term is large.
    """

    learned: int = 0
    skipped: int = 0
    states: dict[str, int] = field(default_factory=lambda: {"-1": 0, "0": 0, "1": 0})
    definitely_negative: int = 0
    ik_log_loss: float = 0.0
    prior_log_loss: float = 0.0
    ik_correct: float = 0.0
    prior_correct: float = 0.0
    ik_calibration: float = 0.0
    weights: float = 0.0
    squared_weights: float = 0.0
    largest_weight: float = 0.0

    def add(self, definitely_negative: bool, weight: float, actions: int, output: Sequence[float]) -> None:
        """Count one interaction; `output` is state, reward, posterior, log loss and correctness."""
        state, _, _, log_loss, correct = output
        self.learned += 1
        self.states["0" if not state else "1" if state > 0 else "-1"] += 1
        self.definitely_negative += definitely_negative
        self.ik_log_loss += weight * log_loss
        self.prior_log_loss += weight * math.log(actions)
        self.ik_correct += weight * correct
        self.prior_correct += weight / actions
        if correct:
            self.ik_calibration += weight * math.exp(min(log_loss, math.log(actions)))
        self.weights += weight
        self.squared_weights += weight * weight
        self.largest_weight = max(self.largest_weight, weight)
