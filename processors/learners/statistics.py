"""What a learner counts about itself, for metrics and for trust."""

from __future__ import annotations

from typing import Final, Literal, Self

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from processors.wire.plain_state import Amount, Count, Finite

UNKNOWN: Final = "unknown"
STATES: Final = ("-1", "0", "1", UNKNOWN)
"""The inferred states by which everything is counted."""
Assumption = Literal["definite_signal", "informative_feedback", "indifference", "rare_extremes"]
"""What a reward rule takes for granted, and can check."""
_SUMS: Final = (
    "ik_log_loss", "prior_log_loss", "ik_correct", "prior_correct", "ik_calibration", "weights", "squared_weights",
    "largest_weight", "extreme_weights", "cut",
)  # fmt: skip


class Statistics(Struct):
    """Counters and sums since the model began; `states` is keyed by "-1", "0", "1" and "unknown".

    `weights` are importance weights, 1/(K p) times the weight of the impression, as they were learned with: of `cut`
    interactions they were smaller than logged (`influence.py`). Log losses are in nats and, like
    the correct counts, weighted with them as the inverse kinematics is; the prior is 1/K for each action, which is
    right under those weights. Divide by `weights` for a mean.

    `extreme_weights` are those of the interactions that were taken for -1 or 1, also where that is in doubt.

    `ik_calibration` sums w / P over the interactions whose shown action the posterior P ranked first. Where posteriors
    mean what they say its mean is sum_a P(a) 1[a first] / P(a) = 1; below it they are too sure of themselves, above
    it not sure enough. P of a first-ranked action is at least 1/K, so that no single term is large.
    """

    learned: Count = 0
    skipped: Count = 0
    states: dict[str, Count] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    definitely_negative: Count = 0
    ik_log_loss: Finite = 0.0
    prior_log_loss: Amount = 0.0
    ik_correct: Amount = 0.0
    prior_correct: Amount = 0.0
    ik_calibration: Amount = 0.0
    weights: Amount = 0.0
    squared_weights: Amount = 0.0
    largest_weight: Amount = 0.0
    extreme_weights: Amount = 0.0
    cut: Amount = 0.0

    @classmethod
    def of(cls, skipped: int, sums: NDArray[np.float64]) -> Self:
        """Return the statistics whose `sums` in the order of `running_totals.py` these are."""
        definitely_negative, *others = sums[len(STATES) :].tolist()
        states = {state: int(count) for state, count in zip(STATES, sums.tolist(), strict=False)}
        named = dict(zip(_SUMS, others, strict=True))
        return cls(
            learned=sum(states.values()),
            skipped=skipped,
            states=states,
            definitely_negative=int(definitely_negative),
            **named,
        )

    def sums(self) -> NDArray[np.float64]:
        """Return the sums in the order of `running_totals.py`."""
        others = [getattr(self, name) for name in _SUMS]
        states = [self.states.get(state, 0) for state in STATES]  # earlier releases knew no unknown one
        return np.array([*states, self.definitely_negative, *others], dtype=np.float64)
