"""Decisions in columns, some thousand at a time, with actions and segments as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from groundswell.events import FeatureValue, Impression
from processors.evaluation.logged_decisions import LoggedDecisions
from streams.evaluation.rewarded import Rewarded

MOST_DECISIONS: Final = 4_000
MOST_CELLS: Final = 400_000
"""Of a batch: decisions by the actions of the one that has most. So many float64 take 3 MB."""
MOST_ACTIONS: Final = 2_000
"""Actions that are told apart; all others are one."""
OTHERS: Final = "all other actions"


class Numbers:
    """Numbers of names, from 0 on, in the order in which they come; all beyond `most` have the number `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many names have a number of their own."""
        return len(self._numbers)

    def of(self, name: str) -> int:
        """Return the number of a name."""
        if len(self._numbers) < self._most:
            return self._numbers.setdefault(name, len(self._numbers))
        return self._numbers.get(name, self._most)

    def names(self, others: str) -> list[str]:
        """Return the names by their numbers, that of all others last."""
        return [*self._numbers, *[others] * (self._most + 1 - len(self._numbers))]


@dataclass(frozen=True)
class Batch:
    """Decisions in columns, their impressions, and the numbers of their actions (n, K) and segments (n)."""

    impressions: list[Impression]
    decisions: LoggedDecisions
    actions: NDArray[np.int64]
    segments: NDArray[np.int64]


class Batches:
    """Makes columns of decisions. Segments are the values of a `feature` of the context, or all of it where None."""

    def __init__(self, feature: str | None, most_segments: int) -> None:
        self._feature = feature
        self.actions, self.segments = Numbers(MOST_ACTIONS), Numbers(most_segments)
        self._known: dict[tuple[str, ...], list[int]] = {}

    def of(self, rewarded: Iterable[Rewarded]) -> Iterator[Batch]:
        """Yield the decisions in their order, batch by batch."""
        some: list[Rewarded] = []
        widest = 0
        for one in rewarded:
            width = len(one.impression.actions)
            if some and (len(some) >= MOST_DECISIONS or max(widest, width) * (len(some) + 1) > MOST_CELLS):
                yield self._batch(some, widest)
                some, widest = [], 0
            some.append(one)
            widest = max(widest, width)
        if some:
            yield self._batch(some, widest)

    def _batch(self, some: list[Rewarded], width: int) -> Batch:
        shape = len(some), width
        probabilities, offered = np.zeros(shape), np.zeros(shape, dtype=np.bool_)
        actions, segments = np.zeros(shape, dtype=np.int64), np.zeros(len(some), dtype=np.int64)
        impressions = [one.impression for one in some]
        for row, impression in enumerate(impressions):
            count = len(impression.actions)
            offered[row, :count] = True
            actions[row, :count] = self._numbered(impression)
            if impression.probabilities is not None:
                probabilities[row, :count] = impression.probabilities
            else:
                probabilities[row, :count] = 1.0 if count == 1 else np.nan
                probabilities[row, impression.chosen] = impression.chosen_propensity
            segments[row] = self._segment(impression.context)
        chosen = np.array([one.chosen for one in impressions], dtype=np.int64)
        rewards = np.array([one.reward for one in some])
        return Batch(impressions, LoggedDecisions(rewards, chosen, probabilities, offered), actions, segments)

    def _numbered(self, impression: Impression) -> list[int]:
        ids = tuple([action.id for action in impression.actions])
        found = self._known.get(ids)
        if found is None:
            if len(self._known) >= MOST_ACTIONS:
                self._known.clear()
            found = self._known[ids] = [self.actions.of(name) for name in ids]
        return found

    def _segment(self, context: Mapping[str, FeatureValue]) -> int:
        if self._feature is None:
            return self.segments.of("")
        return self.segments.of(f"{self._feature}={context.get(self._feature, '(none)')}")
