"""What is shown to whom, of about the last thousand interactions: shares of actions by segment, what came of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, Self, TypeVar

from msgspec import Struct

from processors.learners.statistics import STATES

MEMORY: Final = 1000
"""Of how many interactions the counts speak: one that many interactions ago counts 1/e of the newest."""
ACTIONS_PER_STRETCH: Final = 64
"""Looked at, of the interactions of a stretch: each stands for those between it and the next."""
MOST_ACTIONS: Final = 100
"""Counted of a model; of more, the commonest."""
ROOM: Final = 800
"""Actions that are counted until the rarer ones are forgotten: to find the commonest takes as long as a stretch."""
MOST_LISTED: Final = 12
MOST_GAIN: Final = 1e6
ALL_FADED: Final = 20 * MEMORY
"""Interactions after which nothing is left of what was before."""
LEAST: Final = 1e-3
"""Of an interaction: what has faded further is forgotten."""

DIGITS: Final = 4
"""That are kept of counts."""

T = TypeVar("T")
Counts = defaultdict[T, float]


class ShownAction(Struct):
    """One action: its share of what was shown, of all and of each segment, and what it was taken for, as shares."""

    action: str
    share: float
    by_segment: list[float]
    states: list[float]


class Shown(Struct):
    """What one model shows, the commonest action first; `further` is the share of those that are not listed."""

    segments: list[str]
    actions: list[ShownAction]
    further: float


class KeptActions(Struct):
    """Counts as they are kept: by action, segment and state, and by segment."""

    counts: list[tuple[str, str, str, float]]
    by_segment: dict[str, float]


class ShownActions:
    """Counts of one model that fade: instead of all the old ones getting smaller, the new ones count for more."""

    def __init__(self) -> None:
        self._counts: dict[str, Counts[tuple[str, str]]] = {}
        self._by_segment: Counts[str] = defaultdict(float)
        self._gain = 1.0

    def add(self, shown: Mapping[tuple[str, str, str], int]) -> None:
        """Take in how many were shown in a stretch, by action, segment and inferred state."""
        self._gain /= (1 - 1 / MEMORY) ** min(sum(shown.values()), ALL_FADED)
        for (action, segment, state), count in shown.items():
            self._counts.setdefault(action, defaultdict(float))[segment, state] += self._gain * count
            self._by_segment[segment] += self._gain * count
        if self._gain > MOST_GAIN or len(self._counts) > ROOM:
            self._tidy()

    def kept(self) -> KeptActions:
        """Return the counts as they are kept."""
        self._tidy()
        counts = [
            (action, segment, state, round(count, DIGITS))
            for action, found in self._counts.items()
            for (segment, state), count in found.items()
        ]
        return KeptActions(counts, {segment: round(count, DIGITS) for segment, count in self._by_segment.items()})

    @classmethod
    def of(cls, kept: KeptActions) -> Self:
        """Go on from counts that were kept."""
        actions = cls()
        for action, segment, state, count in kept.counts:
            actions._counts.setdefault(action, defaultdict(float))[segment, state] += count
        actions._by_segment.update(kept.by_segment)
        return actions

    def shown(self, most_segments: int) -> Shown:
        """Return what is shown, in so many segments."""
        segments = sorted(self._by_segment, key=lambda one: (-self._by_segment[one], one))[:most_segments]
        listed = [self._row(action, segments) for action in self._commonest()[:MOST_LISTED]]
        further = max(0.0, 1 - sum(row.share for row in listed)) if listed else 0.0
        return Shown(segments, listed, further)

    def _commonest(self) -> list[str]:
        return sorted(self._counts, key=lambda action: (-sum(self._counts[action].values()), action))

    def _row(self, action: str, segments: Iterable[str]) -> ShownAction:
        counts = self._counts[action]
        by_segment: Counts[str] = defaultdict(float)
        by_state: Counts[str] = defaultdict(float)
        for (segment, state), count in counts.items():
            by_segment[segment] += count
            by_state[state] += count
        total = sum(counts.values())
        return ShownAction(
            action,
            total / sum(self._by_segment.values()),
            [by_segment[segment] / self._by_segment[segment] for segment in segments],
            [by_state[state] / total for state in STATES],
        )

    def _tidy(self) -> None:
        """Forget rare actions and what has faded, and let the newest count for one again."""
        kept = self._commonest()[:MOST_ACTIONS]
        scaled = {action: _scaled(self._counts[action], self._gain) for action in kept}
        self._counts = {action: counts for action, counts in scaled.items() if counts}
        self._by_segment = _scaled(self._by_segment, self._gain)
        self._gain = 1.0


def _scaled(counts: Counts[T], by: float) -> Counts[T]:
    return defaultdict(float, {key: count / by for key, count in counts.items() if count > LEAST * by})
