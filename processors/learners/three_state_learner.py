"""The default learner: what feedback means and what people think of actions are learned at once, in three states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Self

import msgspec
import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from groundswell.events import Action, FeatureValue
from groundswell.features import CONSTANT_HASH
from groundswell.policy import InDoubt, PolicySnapshot
from processors.features.ragged_rows import Arrays
from processors.learners import (
    doubtful_contexts,
    exploration_schedule,
    kernel_columns,
    three_state,
    three_state_batch,
    three_state_scores,
)
from processors.learners.learner import Learner
from processors.learners.signal_reading import Read, SignalReading
from processors.learners.statistics import Assumption
from processors.models.config import ModelConfig
from processors.wire.packed_arrays import packed_rows

FIRST_ROOM: Final = 256
MOST_KEPT: Final = 100_000
"""Crosses of one interaction, for which there is room from the beginning, and at most from one batch to the next."""


class ThreeStateLearner(Learner):
    """Learns P(-1, 0, +1 | context, action) and what each signal says of them, and rewards by the difference of both.

    `processors/learners/reward_rules.py` has what it rests on. Its policy counts the constant feature also where a
    context has a number: with numbers alone all actions would score 0 at the origin.
    """

    state_version: ClassVar[int] = 2
    totals: ClassVar[int] = three_state.TOTALS
    signed_totals: ClassVar[Sequence[int]] = (three_state.TOLD,)
    outputs: ClassVar[int] = three_state.OUTPUTS
    learns_values: ClassVar[bool] = True
    unsigned: ClassVar[Mapping[str, Sequence[int]]] = {
        "bandit": (three_state.SEEN, three_state.LARGEST, three_state.BETTER, three_state.WORSE),
        "signals": range(three_state.SLOPES, three_state.WEIGHT + 1),
    }

    def __init__(self, model: ModelConfig) -> None:
        super().__init__(model)
        self._doubtful = np.zeros((doubtful_contexts.SLOTS, doubtful_contexts.COLUMNS))
        self._scratch = _room_for(FIRST_ROOM)

    @property
    def fewest_actions(self) -> int:
        """Two: one action that is all there is tells nothing."""
        return 2

    @property
    def violated(self) -> Mapping[Assumption, bool]:
        """Of each assumption of the rule that can be checked: whether it fails now."""
        return {
            "definite_signal": bool(three_state.unanchored(self._totals)),
            "informative_feedback": bool(three_state.uninformed(self._totals)),
            "indifference": bool(three_state.without_indifference(self._totals)),
        }

    @staticmethod
    def _empty_tables(size: int) -> dict[str, NDArray[np.float64]]:
        return {
            "bandit": np.zeros((size, three_state.BANDIT_COLUMNS)),
            "signals": np.zeros((size, three_state.SIGNAL_COLUMNS)),
        }

    def _learned(
        self, arrays: Arrays, rows: NDArray[np.int64], weights: NDArray[np.float64], read: Read
    ) -> NDArray[np.float64]:
        outputs, scratch, watching = np.empty((len(rows), self.outputs)), self._scratch, self._reading.watching(read)
        while True:
            crosses = three_state_batch.learn_batch(
                *self._tables.values(),
                (self._seen, self._totals, self._sums),
                self._parameters,
                arrays,
                rows,
                weights,
                watching,
                self._doubtful,
                scratch,
                outputs,
            )
            if crosses <= len(scratch[0]):
                return outputs
            scratch = _room_for(crosses)
            if crosses <= MOST_KEPT:
                self._scratch = scratch

    def _decide(self) -> bool:
        if misled := super()._decide():
            three_state.count_anew(self._tables["bandit"])
        return misled

    def _score(self, arrays: Arrays, context: int, actions: int, out: NDArray[np.float64]) -> None:
        shared = self._parameters[kernel_columns.SHARED]
        three_state_scores.action_scores(self._tables["bandit"], arrays, shared, context, actions, out)

    def probabilities(self, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> list[float]:
        """Return the probability with which to show each action, as the snapshot of this moment would."""
        self._store.trim()
        row, actions_row = self._store.context(context), self._store.actions(actions)
        scores, result = np.empty((2, len(actions)))
        now = self.exploration
        three_state_scores.probabilities(
            self._tables["bandit"],
            self._totals,
            self._doubtful,
            self._store.arrays,
            self._parameters[kernel_columns.SHARED],
            row,
            actions_row,
            (exploration_schedule.KINDS[now.kind], now.parameter),
            self.model.exploration.floor_in_doubt,
            scores,
            result,
        )
        found: list[float] = result.tolist()
        return found

    def snapshot(self, parent: int | None) -> PolicySnapshot:
        """Return the policy of this moment."""
        features = self._features_in_doubt() if (floor := self.model.exploration.floor_in_doubt) else []
        return msgspec.structs.replace(
            super().snapshot(parent),
            constant_beside_numbers=True,
            in_doubt=InDoubt(floor, features) if features else UNSET,
        )

    def _features_in_doubt(self) -> list[int]:
        if three_state.failing(self._totals) != three_state.SURE:
            return [CONSTANT_HASH]
        return doubtful_contexts.listed(self._doubtful)

    def state(self) -> dict[str, object]:
        """Return everything as plain values."""
        return {**super().state(), "reading": self._reading.state(), "doubtful": packed_rows(self._doubtful)}

    @classmethod
    def restore(cls, model: ModelConfig, state: Mapping[str, Any]) -> Self:
        """Return a learner that continues as the one whose `state()` this is. Raises `StateError` if it cannot.

        A state of before values were read, leaks looked for and doubt kept begins with them where it was left.
        """
        learner = super().restore(model, state)
        if "reading" in state:
            learner._reading = SignalReading.restore(model, state["reading"])
        if "doubtful" in state:
            learner._doubtful = doubtful_contexts.restored(state["doubtful"])
        return learner


def _room_for(crosses: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return np.empty(crosses, dtype=np.int64), np.empty(crosses)
