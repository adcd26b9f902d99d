"""What the learners say to Prometheus."""

from __future__ import annotations

from collections import deque

from streams.metrics import Metrics

RATE_OVER = 1000
"""How many of the last interactions the reward-state rates are taken over."""


class LearningMetrics:
    """Translates what learners did into metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._recent: dict[str, deque[int]] = {}

    def repeated(self) -> None:
        """Count an interaction that had been learned before."""
        self._metrics.relearned.inc()

    def refused(self, topic: str, reason: str) -> None:
        """Count a record that could not be learned from."""
        self._metrics.dead_letters.labels(topic, reason).inc()
