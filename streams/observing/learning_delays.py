"""How long what a partition learns takes: from its window's end to its reward, and from there to a policy."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from processors.join.config import JoinConfig
from processors.learners.reward_columns import RewardColumns
from streams.observing.metrics import Metrics


class Delays:
    """Remembers when things happened until it is acknowledged what came of them. Times are in seconds since 1970."""

    def __init__(self, metrics: Metrics, join: JoinConfig) -> None:
        self._metrics = metrics
        self._window = join.wait + join.grace
        self._occurred: list[int] = []
        self._unpublished: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        self._published: list[tuple[float, int]] = []

    def learned(self, model: str, rewards: RewardColumns, now: float) -> None:
        """Note a stretch of interactions whose rewards are being written.

        When the window of a deferred impression began is not known here: it is left out.
        """
        self._occurred += [shown.occurred_at for one in rewards.interactions if not (shown := one.impression).deferred]
        self._unpublished[model].append((now, len(rewards)))

    def published(self, model: str, *, here: bool) -> None:
        """Note that a policy includes all that was learned of a model, and is being written `here` or elsewhere."""
        included = self._unpublished.pop(model, [])
        if here:
            self._published += included

    def acknowledged(self, now: float) -> None:
        """Observe what has been written: Kafka has all of it."""
        if self._occurred:
            # An app's clock may be ahead, and its windows close early by ours.
            delays = np.maximum(now - self._window - np.array(self._occurred) / 1000, 0.0)
            self._metrics.reward_delay.observe_many(delays)
            self._occurred = []
        for learned_at, interactions in self._published:
            self._metrics.publication_delay.observe_many([now - learned_at], times=interactions)
        self._published = []
