"""What the learners say to Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from processors.events import Reward
from processors.statistics import Statistics
from streams.metrics import Metrics

MEMORY = 1000
"""Of how many interactions the gauges speak: one that many interactions ago counts 1/e of the newest."""
STATES = ("-1", "0", "1")


class LearningMetrics:
    """Translates what learners counted into metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._recent: dict[str, RecentStatistics] = {}

    def repeated(self) -> None:
        """Count an interaction that had been learned before."""
        self._metrics.relearned.inc()

    def refused(self, topic: str, reason: str) -> None:
        """Count a record that could not be learned from."""
        self._metrics.dead_letters.labels(topic, reason).inc()

    def follow(self, model: str, statistics: Statistics) -> None:
        """Begin with a model whose history so far is `statistics`."""
        self._recent[model] = RecentStatistics(statistics)

    def learned(self, model: str, rewards: Sequence[Reward | None], statistics: Statistics) -> None:
        """Count what came of a stretch; the model's `statistics` already include it."""
        metrics = self._metrics
        inferred = [reward for reward in rewards if reward is not None]
        for (signal, state), count in Counter((reward.signal, str(reward.state)) for reward in inferred).items():
            metrics.rewards.labels(model, state).inc(count)
            metrics.signal_states.labels(model, metrics.signal_label(model, signal), state).inc(count)
        metrics.skipped.labels(model).inc(len(rewards) - len(inferred))
        metrics.extreme.labels(model).inc(sum(reward.state != 0 for reward in inferred))
        recent = self._recent[model]
        metrics.definitely_negative.labels(model).inc(recent.add(statistics))
        if not recent.weights:
            return
        for state in STATES:
            metrics.state_rate.labels(model, state).set(recent.states[state] / recent.learned)
        metrics.ik_log_loss.labels(model).set(recent.ik_log_loss / recent.weights)
        metrics.ik_prior_log_loss.labels(model).set(recent.prior_log_loss / recent.weights)
        metrics.ik_accuracy.labels(model).set(recent.ik_correct / recent.weights)
        metrics.ik_prior_accuracy.labels(model).set(recent.prior_correct / recent.weights)
        metrics.mean_weight.labels(model).set(recent.weights / recent.learned)
        metrics.effective_share.labels(model).set(
            recent.weights**2 / max(recent.squared_weights, 1e-300) / recent.learned
        )
        metrics.largest_weight.labels(model).set(statistics.largest_weight)

    def restored(self, model: str, version: int) -> None:
        """Note the version of the policy that was published before a restart."""
        self._metrics.policy_version.labels(model).set(version)

    def published(self, model: str, version: int) -> None:
        """Note a published policy."""
        self._metrics.policies_published.labels(model).inc()
        self._metrics.policy_version.labels(model).set(version)
        self._metrics.policy_published.labels(model).set_to_current_time()

    def checkpointed(self, partition: int, size: int) -> None:
        """Note a checkpoint of so many bytes."""
        self._metrics.checkpoint.labels(str(partition)).set_to_current_time()
        self._metrics.checkpoint_bytes.labels(str(partition)).set(size)

    def drop(self, partition: int, models: Sequence[str]) -> None:
        """Withdraw the gauges of a partition that has gone to another worker."""
        self._metrics.drop_interaction_partition(partition)
        for model in models:
            self._metrics.drop_model(model)
            self._recent.pop(model, None)


class RecentStatistics:
    """The sums of `Statistics`, fading: each interaction makes the earlier ones count a little less."""

    def __init__(self, so_far: Statistics) -> None:
        self._before = _copy(so_far)
        self.states = dict.fromkeys(STATES, 0.0)
        self.learned = 0.0
        self.weights = self.squared_weights = 0.0
        self.ik_log_loss = self.prior_log_loss = self.ik_correct = self.prior_correct = 0.0

    def add(self, now: Statistics) -> int:
        """Take in what has been counted since the last call; return how many signals were definitely negative."""
        before, self._before = self._before, _copy(now)
        new = now.learned - before.learned
        fading = (1 - 1 / MEMORY) ** new
        self.learned = fading * self.learned + new
        for state in STATES:
            self.states[state] = fading * self.states[state] + now.states[state] - before.states[state]
        for name in ("weights", "squared_weights", "ik_log_loss", "prior_log_loss", "ik_correct", "prior_correct"):
            setattr(self, name, fading * getattr(self, name) + getattr(now, name) - getattr(before, name))
        return now.definitely_negative - before.definitely_negative


def _copy(statistics: Statistics) -> Statistics:
    return msgspec.convert(msgspec.to_builtins(statistics), Statistics)
