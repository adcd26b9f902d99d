"""Whether people differ in what they mean by a signal: one person's skip is another's joy.

Pooled over people a signal that means joy from some and hatred from others reads as something in between, which is true
of nobody. Of each categorical feature of the context it is counted, by its values, which states a signal was taken for,
and asked whether that depends on the value (Pearson's chi-squared test of homogeneity, of values with enough plays):

    X^2 = sum over values v and states s of (n_vs - n_v n_s / n)^2 / (n_v n_s / n),  of (V - 1) (S - 1) degrees

It is said where X^2 is beyond its mean by `SURE` standard deviations, sqrt(2 (V - 1) (S - 1)), and values are not
all taken for the same. The feature that tells it best is named, and how many of its values go with which state; the
values themselves, which may be people, are not.

Memory is bounded: of many values a sample is counted, which gets smaller as they come.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Self
from zlib import crc32

from msgspec import Struct

from groundswell.events import FeatureValue, Reward

MOST_FEATURES: Final = 6
"""The first so many categorical features that come."""
MOST_VALUES: Final = 128
"""Of a feature. With more, every other one is left out from then on."""
LONGEST_VALUE: Final = 256
"""Characters. What is longer is a text and no category; values are kept."""
MOST_SIGNALS: Final = 20
"""The first so many that come."""
MEMORY: Final = 100.0
"""Plays of a signal with a value before they are halved, so that what changes is found."""
ENOUGH: Final = 5.0
"""Plays of a signal with a value before it is asked about."""
SURE: Final = 6.0
LOOKS_PER_STRETCH: Final = 16
STATES: Final = 3
"""-1, 0, +1: what is unknown is no meaning."""


class Differing(Struct, frozen=True):
    """A signal, the feature by whose values its meaning differs, and how many values go with -1, 0 and +1."""

    signal: str
    feature: str
    values: tuple[int, int, int]


class KeptFeature(Struct, frozen=True):
    """Of one feature as it is kept: one in `every` values, the signals that count, and plays by value and signal."""

    every: int
    signals: list[str]
    plays: dict[str, dict[str, list[float]]]


KeptPeople = dict[str, KeptFeature]
"""By feature."""


class PeopleDiffer:
    """Counts, for one model, of what signals were taken for, by the values of what tells people apart."""

    def __init__(self) -> None:
        self._features: dict[str, _Values] = {}

    def observe(self, contexts: Sequence[Mapping[str, FeatureValue]], rewards: Sequence[Reward | None]) -> None:
        """Look at some of a stretch."""
        for context, reward in zip(contexts, rewards, strict=True):
            if reward is None or reward.state is None:
                continue
            for name, value in context.items():  # the one that tells people apart best is found, not configured
                if isinstance(value, str) and len(value) > LONGEST_VALUE:
                    continue
                if isinstance(value, str | bool) and (name in self._features or len(self._features) < MOST_FEATURES):
                    self._features.setdefault(name, _Values()).add(str(value), reward.signal, reward.state + 1)

    def kept(self) -> KeptPeople:
        """Return the counts as they are kept."""
        return {name: values.kept() for name, values in self._features.items()}

    @classmethod
    def of(cls, kept: KeptPeople) -> Self:
        """Go on from counts that were kept."""
        people = cls()
        people._features = {name: _Values.of(one) for name, one in kept.items()}
        return people

    def differing(self) -> list[Differing]:
        """Return the signals in which people differ, the clearest first."""
        found: dict[str, tuple[float, Differing]] = {}
        for name, values in self._features.items():
            for signal in values.signals:
                counts = values.counts(signal)
                sure = _deviations(counts)
                groups = tuple(sum(_most(row) == state for row in counts) for state in range(STATES))
                if sure >= SURE and sum(map(bool, groups)) > 1 and sure > found.get(signal, (0.0,))[0]:
                    found[signal] = sure, Differing(signal, name, groups)  # type: ignore[arg-type]  # three states
        return [one for _, one in sorted(found.values(), key=lambda told: (-told[0], told[1].signal))]


class _Values:
    """Of one feature: by value and signal, how many plays were taken for -1, 0 and +1."""

    def __init__(self) -> None:
        self.signals: dict[str, None] = {}
        self._every = 1
        self._plays: dict[str, dict[str, list[float]]] = {}

    def add(self, value: str, signal: str, state: int) -> None:
        if not self._sampled(value):
            return
        if signal not in self.signals:
            if len(self.signals) == MOST_SIGNALS:
                return
            self.signals[signal] = None
        row = self._plays.setdefault(value, {}).setdefault(signal, [0.0] * STATES)
        row[state] += 1
        if sum(row) > MEMORY:
            row[:] = [count / 2 for count in row]
        while len(self._plays) > MOST_VALUES:
            self._every *= 2
            self._plays = {kept: plays for kept, plays in self._plays.items() if self._sampled(kept)}

    def kept(self) -> KeptFeature:
        return KeptFeature(self._every, list(self.signals), self._plays)

    @classmethod
    def of(cls, kept: KeptFeature) -> Self:
        values = cls()
        values._every, values.signals, values._plays = kept.every, dict.fromkeys(kept.signals), kept.plays
        if any(len(row) != STATES for plays in kept.plays.values() for row in plays.values()):
            raise ValueError(f"plays are counted by {STATES} states")
        return values

    def counts(self, signal: str) -> list[list[float]]:
        rows = [plays[signal] for plays in self._plays.values() if signal in plays]
        return [row for row in rows if sum(row) >= ENOUGH]

    def _sampled(self, value: str) -> bool:
        return self._every == 1 or crc32(value.encode()) % self._every == 0


def _most(row: Sequence[float]) -> int:
    return row.index(max(row))


def _deviations(rows: Sequence[Sequence[float]]) -> float:
    """Return by how many standard deviations X^2 is beyond its mean."""
    by_state = [float(sum(column)) for column in zip(*rows, strict=True)]
    degrees = (len(rows) - 1) * (sum(map(bool, by_state)) - 1)
    if degrees <= 0:
        return 0.0
    total = sum(by_state)
    squares = sum(
        (row[state] - sum(row) * by_state[state] / total) ** 2 / (sum(row) * by_state[state] / total)
        for row in rows
        for state in range(STATES)
        if by_state[state]
    )
    return float(squares - degrees) / math.sqrt(2 * degrees)
