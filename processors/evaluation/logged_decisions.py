"""Decisions as they were logged, in columns: what every estimate of this room is made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LoggedDecisions:
    """n decisions among at most K actions each, in the order in which they were made.

    `rewards` (n) lie in [-1, 1], `chosen` (n) is the place of the action that was shown. `probabilities` (n, K) are
    those by which it was drawn: NaN where one was not logged, which that of the chosen action always was, and 0 in
    the places beyond the actions that were offered. `offered` (n, K) says which places these are not.

    Raises ValueError where a reward lies beyond [-1, 1], or an action was shown with no probability: whatever is made
    of such rows would be wrong.
    """

    rewards: Floats
    chosen: NDArray[np.int64]
    probabilities: Floats
    offered: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not (np.abs(self.rewards) <= 1.0).all():
            raise ValueError("a reward is not within [-1, 1]: scale rewards before they are evaluated")
        if not (self.propensities > 0.0).all():
            raise ValueError(
                "an action was shown whose logged probability is not above 0: its weight would be infinite"
            )

    def __len__(self) -> int:
        """Return how many decisions there are."""
        return len(self.rewards)

    @cached_property
    def propensities(self) -> Floats:
        """The logged probability of the action that was shown (n)."""
        shown: Floats = self.probabilities[np.arange(len(self.chosen)), self.chosen]
        return shown

    @cached_property
    def fully_logged(self) -> NDArray[np.bool_]:
        """Whether the probabilities of all actions were logged (n)."""
        return np.asarray(~np.isnan(self.probabilities).any(axis=1), dtype=np.bool_)

    def rows(self, chosen: NDArray[np.bool_]) -> Self:
        """Return some of the decisions."""
        return type(self)(self.rewards[chosen], self.chosen[chosen], self.probabilities[chosen], self.offered[chosen])

    def as_logged(self) -> Self:
        """Return the decisions as if nothing else had been offered, which whoever values the logging policy needs."""
        one = np.ones((len(self), 1))
        return type(self)(self.rewards, np.zeros(len(self), dtype=np.int64), one, one.astype(np.bool_))
