"""A learner that is one of several of the same model, each with a part of its interactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from processors.learners import running_totals
from processors.learners.learner import Learner
from processors.learners.shard_mixing import ADDITIVE_TOTALS, LARGEST, Contribution, add_rows, own_rows
from processors.models.config import ModelConfig
from processors.wire.packed_arrays import packed, packed_rows, unpacked, unpacked_rows


class ShardLearner(Learner):
    """Learns its own interactions on top of what the other shards contributed.

    Its scores, probabilities and snapshots are of the whole model as far as it knows it. It is a function of the
    sequence of its interactions and of the contributions taken in between them.
    """

    def __init__(self, model: ModelConfig) -> None:
        super().__init__(model)
        self._others_interactions = 0
        self._others: dict[str, NDArray[np.float64]] = {
            name: np.zeros((len(table), 2)) for name, table in self._tables.items()
        }
        self._others_totals = np.zeros(running_totals.TOTALS)

    @property
    def version(self) -> int:
        """How many interactions, of all shards, the policy of this moment includes."""
        return self.interactions_included + self._others_interactions

    def contribution(self) -> Contribution:
        """Return what came of this shard's own interactions."""
        return Contribution(
            interactions=self.interactions_included,
            tables={name: own_rows(table, self._others[name]) for name, table in self._tables.items()},
            totals=self._totals - self._others_totals,
            seen=self._seen.copy(),
        )

    def take_in(self, contributions: Iterable[Contribution]) -> None:
        """Put what the other shards contributed in the place of what they had contributed before."""
        own, before = self.contribution(), self._others
        self._others = {name: np.zeros_like(table) for name, table in before.items()}
        self._others_interactions = 0
        self._others_totals[:] = 0.0
        for one in contributions:
            self._others_interactions += one.interactions
            self._others_totals[ADDITIVE_TOTALS] += one.totals[ADDITIVE_TOTALS]
            self._seen |= one.seen
            for name, rows in one.tables.items():
                self._others[name][rows.numbers] += rows.additive
                if (table := self._tables[name]).shape[1] > LARGEST:
                    table[rows.numbers, LARGEST] = np.maximum(table[rows.numbers, LARGEST], rows.largest)
        for name, table in self._tables.items():
            add_rows(table, own.tables[name], self._others[name], before[name])
        self._totals = own.totals + self._others_totals
        self._totals[running_totals.CONTEXT_FEATURES] = float(np.bitwise_count(self._seen).sum())

    def state(self) -> dict[str, object]:
        """Return everything as plain values."""
        return {
            **super().state(),
            "others": {
                "interactions": self._others_interactions,
                "tables": {name: packed_rows(table) for name, table in self._others.items()},
                "totals": packed(self._others_totals),
            },
        }

    @classmethod
    def restore(cls, model: ModelConfig, state: Mapping[str, Any]) -> Self:
        """Return a learner that continues as the one whose `state()` this is. Raises `StateError` if it cannot."""
        learner = super().restore(model, state)
        others = state["others"]
        learner._others_interactions = others["interactions"]
        learner._others = {name: unpacked_rows(table) for name, table in others["tables"].items()}
        learner._others_totals = unpacked(others["totals"])
        return learner
