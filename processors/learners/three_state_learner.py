"""The default learner: what feedback means and what people think of actions are learned at once, in three states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from groundswell.policy import PolicySnapshot
from processors.features.ragged_rows import Arrays
from processors.learners import kernel_columns, three_state, three_state_scores
from processors.learners.learner import Learner
from processors.learners.signal_reading import SignalReading
from processors.models.config import ModelConfig

DIGITS = 6
"""Of the probabilities that a reward carries: nobody is surer than that, and more of them would take more room."""


class ThreeStateLearner(Learner):
    """Learns P(-1, 0, +1 | context, action) and what each signal says of them, and rewards by the difference of both.

    `processors/learners/reward_rules.py` has what it rests on. Its policy counts the constant feature also where a
    context has a number: with numbers alone all actions would score 0 at the origin.
    """

    state_version: ClassVar[int] = 2
    totals: ClassVar[int] = three_state.TOTALS
    learns_values: ClassVar[bool] = True

    @property
    def fewest_actions(self) -> int:
        """Two: one action that is all there is tells nothing."""
        return 2

    @staticmethod
    def _empty_tables(size: int) -> dict[str, NDArray[np.float64]]:
        return {
            "bandit": np.zeros((size, three_state.BANDIT_COLUMNS)),
            "signals": np.zeros((size, three_state.SIGNAL_COLUMNS)),
        }

    def _learned(self, arrays: Arrays, rows: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        outputs = np.empty((len(rows), three_state.OUTPUTS))
        three_state.learn_batch(
            *self._tables.values(),
            self._seen,
            self._totals,
            self._sums,
            self._parameters,
            arrays,
            rows,
            weights,
            outputs,
        )
        return outputs

    def _score(self, arrays: Arrays, context: int, actions: int, out: NDArray[np.float64]) -> None:
        shared = self._parameters[kernel_columns.SHARED]
        three_state_scores.action_scores(self._tables["bandit"], arrays, shared, context, actions, out)

    def _state_probabilities(self, outputs: NDArray[np.float64]) -> Sequence[list[float] | None]:
        probabilities: list[list[float]] = outputs[:, three_state.MINUS : three_state.PLUS + 1].round(DIGITS).tolist()
        return probabilities

    def state(self) -> dict[str, object]:
        """Return everything as plain values."""
        return {**super().state(), "reading": self._reading.state()}

    @classmethod
    def restore(cls, model: ModelConfig, state: Mapping[str, Any]) -> Self:
        """Return a learner that continues as the one whose `state()` this is. Raises `StateError` if it cannot.

        A state of before values were read and leaks looked for begins with them where it was left.
        """
        learner = super().restore(model, state)
        if "reading" in state:
            learner._reading = SignalReading.restore(model, state["reading"])
        return learner

    def snapshot(self, parent: int | None) -> PolicySnapshot:
        """Return the policy of this moment."""
        return msgspec.structs.replace(super().snapshot(parent), constant_beside_numbers=True)
