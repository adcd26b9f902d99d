"""What a model has seen lately: what signals were taken for, what was shown, by what people differ. It fades.

The live page shows it. It goes with the model's past from one start to the next (`model_pasts.py`), in bounded room.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from processors.learners.people_differ import KeptPeople, PeopleDiffer
from processors.learners.statistics import STATES
from streams.observing.shown_actions import KeptActions, ShownActions

MEMORY: Final = 1000
"""Of how many interactions counts of signals speak: one that many interactions ago counts 1/e of the newest."""
LEAST: Final = 1e-3
"""Of an interaction: what has faded further is not kept."""
DIGITS: Final = 4
MOST_BYTES: Final = 300_000
"""That are kept: of very many values, signals and actions less is, and found again from the start."""

ByState = tuple[float, float, float, float]
"""Of the reward states -1, 0, +1 and the unknown one."""
T = TypeVar("T", str, tuple[str, str])


class RecentCounts(Generic[T]):
    """Counts by something and state that fade: the last `MEMORY` interactions of a model, more or less."""

    def __init__(self) -> None:
        self._totals: dict[tuple[T, str], float] = {}
        self.counts: dict[tuple[T, str], float] = {}

    def update(self, totals: Mapping[tuple[T, str], float]) -> None:
        """Take in what has been counted since the beginning."""
        new = {key: total - self._totals.get(key, 0.0) for key, total in totals.items()}
        fading = (1 - 1 / MEMORY) ** sum(new.values())
        keys = {**self.counts, **new}
        self.counts = {key: fading * self.counts.get(key, 0.0) + new.get(key, 0.0) for key in keys}
        self._totals = dict(totals)

    def states(self) -> dict[T, ByState]:
        """Return the counts by state, of the most frequent first."""
        names = {name for name, _ in self.counts}
        found = {name: by_state({state: self.counts.get((name, state)) for state in STATES}) for name in names}
        return dict(sorted(found.items(), key=lambda one: (-sum(one[1]), one[0])))

    def kept(self) -> list[tuple[T, str, float]]:
        """Return the counts as they are kept."""
        found = [(name, state, round(count, DIGITS)) for (name, state), count in self.counts.items()]
        return [one for one in found if one[2] > LEAST]

    def restore(self, kept: list[tuple[T, str, float]]) -> None:
        """Go on from counts that were kept."""
        self.counts = {(name, state): count for name, state, count in kept}


class KeptRecently(Struct):
    """What a model has seen lately, as it is kept."""

    signals: list[tuple[str, str, float]]
    segments: list[tuple[tuple[str, str], str, float]]
    shown: KeptActions | None = None
    people: KeptPeople | None = None


class RecentPast:
    """What one model has seen lately."""

    def __init__(self) -> None:
        self.signals: RecentCounts[str] = RecentCounts()
        self.segments: RecentCounts[tuple[str, str]] = RecentCounts()
        self.shown = ShownActions()
        self.people = PeopleDiffer()

    def kept(self) -> KeptRecently | None:
        """Return as much of it as is kept, or None where even that is too much."""
        signals, segments = self.signals.kept(), self.segments.kept()
        shown = self.shown.kept()
        for kept in (
            KeptRecently(signals, segments, shown, self.people.kept()),
            KeptRecently(signals, segments, shown),
            KeptRecently(signals, segments),
        ):
            if len(msgspec.json.encode(kept)) <= MOST_BYTES:
                return kept
        return None

    def restore(self, kept: KeptRecently) -> None:
        """Go on from what was kept. Raises `ValueError` where it is not what is kept."""
        people = PeopleDiffer() if kept.people is None else PeopleDiffer.of(kept.people)
        self.signals.restore(kept.signals)
        self.segments.restore(kept.segments)
        self.shown = ShownActions() if kept.shown is None else ShownActions.of(kept.shown)
        self.people = people


def by_state(values: Mapping[str, float | None]) -> ByState:
    """Return values by state in the order of the states, 0 where there is none."""
    minus, zero, plus, unknown = (values.get(state) or 0.0 for state in STATES)
    return minus, zero, plus, unknown
