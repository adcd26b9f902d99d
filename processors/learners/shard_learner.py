"""A learner that is one of several of the same model, each with a part of its interactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from processors.learners import running_totals, three_state
from processors.learners.learner import Learner
from processors.learners.papers_learner import PapersLearner
from processors.learners.shard_mixing import Contribution, Evidence, Means, Mixture
from processors.learners.three_state_learner import ThreeStateLearner
from processors.models.config import ModelConfig
from processors.wire.packed_arrays import packed, packed_rows, table_of, unpacked, unpacked_rows
from processors.wire.plain_state import Count, read_as, require

WEIGHTS: Final = Means(weights=[0], precision=1, largest=2)


class OthersState(msgspec.Struct):
    """What a shard's `state()` holds of the others."""

    interactions: Count
    tables: dict[str, Any]
    totals: Any


class ShardLearner(Learner):
    """Learns its own interactions on top of what the other shards contributed.

    Its scores, probabilities and snapshots are of the whole model as far as it knows it. It is a function of the
    sequence of its interactions and of the contributions taken in between them.
    """

    mixtures: ClassVar[Mapping[str, Mixture]]
    """How each table mixes."""
    added: ClassVar[list[int]]
    """The running totals that are sums. The others forget at their own pace, and each shard keeps its own."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__(model)
        self._others_interactions = 0
        self._others: dict[str, NDArray[np.float64]] = {
            name: self.mixtures[name].nothing(len(table)) for name, table in self._tables.items()
        }
        self._others_totals = np.zeros(self.totals)

    @property
    def version(self) -> int:
        """How many interactions, of all shards, the policy of this moment includes."""
        return self.interactions_included + self._others_interactions

    def contribution(self) -> Contribution:
        """Return what came of this shard's own interactions."""
        return Contribution(
            interactions=self.interactions_included,
            tables={name: self.mixtures[name].own(table, self._others[name]) for name, table in self._tables.items()},
            totals=self._totals - self._others_totals,
            seen=self._seen[running_totals.COUNTED] | self._seen[running_totals.COUNTED_BEFORE],
        )

    def take_in(self, contributions: Iterable[Contribution]) -> None:
        """Put what the other shards contributed in the place of what they had contributed before."""
        own, taken = self.contribution(), list(contributions)
        self._others_interactions = sum(one.interactions for one in taken)
        self._others_totals[:] = 0.0
        counted = own.seen
        for one in taken:
            self._others_totals[self.added] += one.totals[self.added]
            counted |= one.seen
        for name, table in self._tables.items():
            contributed = [one.tables[name] for one in taken]
            self._others[name] = self.mixtures[name].mixed(table, own.tables[name], self._others[name], contributed)
        self._totals = own.totals + self._others_totals
        self._totals[running_totals.CONTEXT_FEATURES] = float(np.bitwise_count(counted).sum())

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
        what = f"the state of model {model.name!r}, of the other shards"
        others = read_as(OthersState, state.get("others"), what)
        learner._others_interactions = others.interactions
        learner._others = {
            name: unpacked_rows(table_of(others.tables, name, what), table.shape, f"{what}, table {name}")
            for name, table in learner._others.items()
        }
        totals = unpacked(others.totals, np.float64, (None,), f"{what}, totals")[: learner.totals]
        require(len(totals) == learner.totals, f"{what}, totals: there are {len(totals)}")
        learner._others_totals = totals
        return learner


class ThreeStateShard(ShardLearner, ThreeStateLearner):
    """A shard by the default rule."""

    mixtures: ClassVar[Mapping[str, Mixture]] = {
        "bandit": Means(
            weights=[three_state.SCORE, three_state.EXTREME, three_state.NEGATIVES],
            precision=three_state.SEEN,
            largest=three_state.LARGEST,
        ),
        "signals": Evidence(
            odds=range(three_state.MEANING, three_state.MEANING + 3),
            slopes=range(three_state.SLOPES, three_state.SLOPES + 3),
            weight=three_state.WEIGHT,
            bound=three_state.KEPT_OWN,
        ),
    }
    added: ClassVar[list[int]] = [
        running_totals.LEARNED,
        running_totals.ACTIONS_SEEN,
        three_state.MINUSES,
        three_state.ZEROS,
        three_state.PLUSES,
        three_state.PLAYS,
        three_state.NAMED,
        three_state.THERE,
        three_state.THERE_WEIGHT,
        three_state.ELSEWHERE,
        three_state.ELSEWHERE_WEIGHT,
        three_state.WEIGHTS,
        three_state.INDIFFERENT_WEIGHTS,
    ]


class PapersShard(ShardLearner, PapersLearner):
    """A shard by the papers' rules."""

    mixtures: ClassVar[Mapping[str, Mixture]] = {"inverse_kinematics": WEIGHTS, "bandit": WEIGHTS}
    added: ClassVar[list[int]] = [running_totals.LEARNED, running_totals.ACTIONS_SEEN]
