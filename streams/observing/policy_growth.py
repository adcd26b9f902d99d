"""Says when a policy grows by leaps, and which interaction took the most room of those that it came with."""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct

from processors.admission.interaction_records import Stretch
from processors.features.cross_counts import count_crosses
from processors.wire.envelopes import Envelope
from streams.observing.conditions import POLICY_GREW, Conditions
from streams.observing.metrics import Metrics

LEAP: Final = 3
"""How many times as large as the one before a policy is that has grown by a leap."""
LEAST_BYTES: Final = 256_000
"""Below it any growth is that of a young model."""
STANDS_SECONDS: Final = 3600.0


class Widest(Struct):
    """The interaction with the most crosses of features since a policy was published."""

    crosses: int
    impression: str
    topic_place: str
    features: int
    actions: int


class PolicyGrowth:
    """The sizes of the policies that are published here."""

    def __init__(self, metrics: Metrics, conditions: Conditions) -> None:
        self._metrics, self._conditions = metrics, conditions
        self._sizes: dict[str, int] = {}
        self._widest: dict[str, Widest] = {}
        self._said: dict[str, float] = {}

    def learned(self, model: str, stretch: Stretch) -> None:
        """Take note of the widest interaction of a stretch."""
        widest = _widest(stretch)
        if model not in self._widest or widest.crosses > self._widest[model].crosses:
            self._widest[model] = widest

    def published(self, model: str, size: int, now: float) -> None:
        """Take note of a policy of so many bytes, published at `now` (seconds)."""
        self._metrics.policy_bytes.labels(model).set(size)
        before, self._sizes[model] = self._sizes.get(model), size
        widest = self._widest.pop(model, None)
        if before is not None and widest is not None and size >= max(LEAST_BYTES, LEAP * before):
            self._said[model] = now
            says = (
                f"its policy has grown from {before:,} to {size:,} bytes; the widest of the impressions behind that, "
                f"{widest.impression!r} at {widest.topic_place}, has {widest.features} features and {widest.actions} "
                f"actions: {widest.crosses:,} crosses"
            )
            self._conditions.say(POLICY_GREW, says, model)
        elif now - self._said.get(model, now) >= STANDS_SECONDS:
            del self._said[model]
            self._conditions.say(POLICY_GREW, None, model)

    def leave(self, model: str) -> None:
        """Forget a model that another worker publishes from now on."""
        self._sizes.pop(model, None)
        self._widest.pop(model, None)
        self._said.pop(model, None)
        self._conditions.say(POLICY_GREW, None, model)


def _widest(stretch: Stretch) -> Widest:
    arrivals, rows = stretch.arrivals, np.array(stretch.rows, dtype=np.int64)
    contexts = np.diff(arrivals.arrays[0])[rows]
    crosses = np.where(arrivals.sealed[rows], contexts * (arrivals.counts[rows] + arrivals.features[rows]), 0)
    for place in np.flatnonzero(~arrivals.sealed[rows]).tolist():
        shown = stretch[place].impression
        crosses[place] = count_crosses(shown.context, shown.actions, crosses=False)[1]
    place = int(crosses.argmax())
    one = arrivals.read[rows[place]]
    source = one.source
    features = len(one.context if isinstance(one, Envelope) else one.impression.context)
    actions = int(arrivals.counts[rows[place]]) if isinstance(one, Envelope) else len(one.impression.actions)
    where = f"partition {source.partition}, offset {source.offset}"
    return Widest(int(crosses[place]), one.impression.impression_id[:64], where, features, actions)
