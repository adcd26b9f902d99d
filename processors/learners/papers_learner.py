"""The learner by the papers' rules: a compiled classifier of actions, extreme posteriors, a bandit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from groundswell.policy import PolicySnapshot
from processors.features.ragged_rows import Arrays
from processors.learners import kernel, kernel_columns
from processors.learners.learner import Learner, sparse
from processors.learners.signal_reading import Read


class PapersLearner(Learner):
    """Learns P(action | context, feedback), and takes what it says for extreme by "two-state", "workshop" or "iclr"."""

    state_version: ClassVar[int] = 1
    unsigned: ClassVar[Mapping[str, Sequence[int]]] = {"inverse_kinematics": (1, 2), "bandit": (1, 2)}

    @property
    def fewest_actions(self) -> int:
        """Two only where the threshold is below 2: K * P cannot exceed K. More than 2 m for the ramp."""
        reward = self.model.reward
        if reward.extreme == "ramp":
            return 2 * reward.most_rewarded + 1
        return 2 if reward.threshold < 2 else 3

    @staticmethod
    def _empty_tables(size: int) -> dict[str, NDArray[np.float64]]:
        return {"inverse_kinematics": np.zeros((size, 3)), "bandit": np.zeros((size, 3))}

    def _learned(
        self, arrays: Arrays, rows: NDArray[np.int64], weights: NDArray[np.float64], read: Read
    ) -> NDArray[np.float64]:
        return self._learned_as(arrays, rows, np.ones(len(rows)), weights)

    def _learned_as(
        self, arrays: Arrays, rows: NDArray[np.int64], meanings: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Learn a batch, with what an embedding makes of the feedback of each interaction, or 1."""
        outputs = np.empty((len(rows), kernel_columns.OUTPUTS))
        kernel.learn_batch(
            *self._tables.values(),
            self._seen,
            self._totals,
            self._sums,
            self._parameters,
            arrays,
            rows,
            meanings,
            weights,
            outputs,
        )
        return outputs

    def _thresholds(self, counts: Sequence[int]) -> Sequence[float | None]:
        reward = self.model.reward
        if reward.extreme == "ramp":
            m = reward.most_rewarded
            return [(3 / (count - m) + 1 / m) / 4 for count in counts]
        return [reward.threshold / count for count in counts]

    def snapshot(self, parent: int | None) -> PolicySnapshot:
        """Return the policy of this moment, with the classifier that it was learned by."""
        classifier = sparse(self._tables["inverse_kinematics"])
        return msgspec.structs.replace(super().snapshot(parent), inverse_kinematics=classifier)
