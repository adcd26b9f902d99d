"""What a learner counts about itself, for metrics and for trust."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

MOST_SIGNALS: Final = 64
"""Signals beyond the first so many are counted together: producers do not decide how many metrics there are."""
OTHER_SIGNALS: Final = "(other)"


class Statistics(Struct):
    """Counters and sums since the model began; `states` and `signals` are keyed by "-1", "0" and "1".

    Log losses are in nats and, like the correct counts, weighted with 1/(K p) as the inverse kinematics is; the
    prior is 1/K for each action, which is right under those weights. Divide by `weights` for a mean.
    """

    learned: int = 0
    skipped: int = 0
    states: dict[str, int] = field(default_factory=lambda: {"-1": 0, "0": 0, "1": 0})
    signals: dict[str, dict[str, int]] = field(default_factory=dict)
    extreme: int = 0
    anchored: int = 0
    ik_log_loss: float = 0.0
    prior_log_loss: float = 0.0
    ik_correct: float = 0.0
    prior_correct: float = 0.0
    weights: float = 0.0
    squared_weights: float = 0.0
    largest_weight: float = 0.0

    def add(self, signal: str, anchored: bool, weight: float, actions: int, output: Sequence[float]) -> None:
        """Count one interaction; `output` is state, reward, posterior, log loss and correctness."""
        state, _, _, log_loss, correct = output
        name = "0" if not state else "1" if state > 0 else "-1"
        if signal not in self.signals and len(self.signals) >= MOST_SIGNALS:
            signal = OTHER_SIGNALS
        if signal not in self.signals:
            self.signals[signal] = {"-1": 0, "0": 0, "1": 0}
        self.learned += 1
        self.states[name] += 1
        self.signals[signal][name] += 1
        self.extreme += bool(state)
        self.anchored += anchored
        self.ik_log_loss += weight * log_loss
        self.prior_log_loss += weight * math.log(actions)
        self.ik_correct += weight * correct
        self.prior_correct += weight / actions
        self.weights += weight
        self.squared_weights += weight * weight
        self.largest_weight = max(self.largest_weight, weight)

    @property
    def effective_sample_size(self) -> float:
        """(sum w)^2 / sum w^2 (Kish 1965): as many equally weighted interactions would be worth the same."""
        return self.weights**2 / self.squared_weights if self.squared_weights else 0.0

    @property
    def mean_weight(self) -> float:
        """The mean of 1/(K p), 1 in expectation where propensities are the true ones."""
        return self.weights / self.learned if self.learned else 0.0
