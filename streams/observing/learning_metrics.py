"""What the learners say to Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence

import msgspec

from groundswell.events import Interaction, RewardState
from groundswell.policy import PolicySnapshot
from groundswell.worth import WorthTable
from processors.admission.interaction_records import Stretch, contexts, signals
from processors.join.config import JoinConfig
from processors.learners.people_differ import LOOKS_PER_STRETCH, Differing
from processors.learners.reward_columns import RewardColumns
from processors.learners.signal_reading import Leak
from processors.learners.statistics import STATES, UNKNOWN, Assumption, Statistics
from processors.models.config import ModelConfig
from processors.policies.policy_watch import PolicyWatch
from streams.observing.conditions import Conditions
from streams.observing.context_segments import Segments
from streams.observing.leak_report import LeakReport
from streams.observing.learning_delays import Delays
from streams.observing.logging_habits import LoggingHabitsReport
from streams.observing.looking_on import LookingOn
from streams.observing.metrics import Metrics
from streams.observing.model_pasts import ModelPasts
from streams.observing.numeric_ids import NumericIdsReport
from streams.observing.policy_growth import PolicyGrowth
from streams.observing.shown_actions import ACTIONS_PER_STRETCH, Shown
from streams.observing.signal_names import SignalNamesReport
from streams.settings import SegmentSettings

MEMORY = 1000
"""Of how many interactions the gauges speak: one that many interactions ago counts 1/e of the newest."""
ALL_SEGMENTS = ""
"""The label of all segments together."""
FADING = (
    "weights", "squared_weights", "ik_log_loss", "prior_log_loss", "ik_correct", "prior_correct", "ik_calibration",
    "cut",
)  # fmt: skip


class LearningMetrics:
    """Translates what learners counted into metrics."""

    def __init__(
        self,
        metrics: Metrics,
        segments: Mapping[str, SegmentSettings] | None = None,
        conditions: Conditions | None = None,
        models: Mapping[str, ModelConfig] | None = None,
    ) -> None:
        self._metrics = metrics
        self.looking_on = LookingOn(metrics)
        conditions = conditions or Conditions(metrics)
        self._habits = LoggingHabitsReport(conditions)
        self._signals = SignalNamesReport(conditions, models or {})
        self._numbers = NumericIdsReport(conditions)
        self._growth = PolicyGrowth(metrics, conditions)
        self._segments = {model: Segments(settings) for model, settings in (segments or {}).items()}
        self._recent: dict[str, RecentStatistics] = {}
        self._watches: dict[str, PolicyWatch] = {}
        self.pasts = ModelPasts({model: settings.feature for model, settings in (segments or {}).items()})
        self._leaks = LeakReport(metrics)

    def delays(self, join: JoinConfig) -> Delays:
        """Return what a partition tells its delays."""
        return Delays(self._metrics, join)

    def repeated(self, number: int) -> None:
        """Count interactions that had been learned before."""
        self._metrics.relearned.inc(number)

    def refused(self, topic: str, reason: str) -> None:
        """Count a record that could not be learned from."""
        self._metrics.dead_letters.labels(topic, reason).inc()

    def disbelieved(self, topic: str) -> None:
        """Count what lies on an internal topic and is not what a worker writes."""
        self._metrics.disbelieved.labels(topic).inc()

    def may_refuse(self, topic: str, reason: str) -> None:
        """Begin to count at 0, so that the first one is a rise."""
        self._metrics.dead_letters.labels(topic, reason)

    def follow(self, partition: int, model: str, statistics: Statistics) -> None:
        """Begin with a model's learner on a partition, whose history so far is `statistics`."""
        self._recent.setdefault(model, RecentStatistics()).follow(partition, statistics)
        self._watches.setdefault(model, PolicyWatch())

    def learned(
        self,
        partition: int,
        model: str,
        interactions: Sequence[Interaction],
        rewards: RewardColumns,
        statistics: Statistics,
    ) -> None:
        """Count what came of a stretch; the model's `statistics` already include it.

        Call it before the policy that includes the stretch is published.
        """
        self._count(model, interactions, rewards)
        self._speak_of_recent(partition, model, statistics)
        self._watch(model, interactions, rewards)
        self._habits.learned(model, interactions)
        if isinstance(interactions, Stretch):
            self._growth.learned(model, interactions)

    def forgot(self, model: str, forgotten: Mapping[str, int]) -> None:
        """Note how many users and signals of an embedding have given way to new ones so far."""
        for setting, number in forgotten.items():
            self._metrics.forgotten.labels(model, setting).set(number)

    def assumed(self, model: str, violated: Mapping[Assumption, bool]) -> None:
        """Note which of its assumptions hold."""
        for assumption, fails in violated.items():
            self._metrics.violated.labels(model, assumption).set(fails)

    def leaking(self, partition: int, model: str, leaks: Mapping[str, Leak]) -> None:
        """Note which signals a model's learner on a partition has found to tell the action."""
        self._leaks.note(partition, model, leaks)

    def _count(self, model: str, interactions: Sequence[Interaction], rewards: RewardColumns) -> None:
        metrics, segments = self._metrics, self._segments.get(model)
        labels: Sequence[str] = [ALL_SEGMENTS] * len(rewards.places)
        states: Counter[str] = Counter()
        inferred = rewards.states
        # Once over the rewards, which are many; the rest goes over what is different.
        if segments is None:
            counted = {(ALL_SEGMENTS, *pair): number for pair, number in rewards.counted().items()}
        else:
            every = [segments.label(context) for context in contexts(interactions)]
            labels = [every[place] for place in rewards.places]
            counted = Counter(zip(labels, rewards.signals, inferred, strict=True))
        for (segment, signal, state_or_none), number in counted.items():
            state = _label(state_or_none)
            states[state] += number
            label = metrics.signal_label(model, signal)
            metrics.signal_states.labels(model, label, state).inc(number)
            if segments is not None:
                metrics.segment_signal_states.labels(model, segment, label, state).inc(number)
        for state, number in states.items():
            metrics.rewards.labels(model, state).inc(number)
        metrics.skipped.labels(model).inc(len(rewards) - states.total())
        metrics.extreme.labels(model).inc(states["-1"] + states["1"])
        # Of actions, and so of what is different, there may be as many as rewards: a sample speaks for them.
        step = max(1, len(labels) // ACTIONS_PER_STRETCH)
        shown = Counter(zip(rewards.actions[::step], labels[::step], map(_label, inferred[::step]), strict=True))
        recent = self.pasts.recent(model)
        recent.shown.add({key: step * number for key, number in shown.items()})
        step = max(1, len(interactions) // LOOKS_PER_STRETCH)
        looked_at = interactions[::step]
        recent.people.observe(contexts(looked_at), rewards[::step])
        self._numbers.learned(model, contexts(looked_at))
        self._signals.learned(model, signals(looked_at))

    def _speak_of_recent(self, partition: int, model: str, statistics: Statistics) -> None:
        metrics, recent = self._metrics, self._recent[model]
        metrics.definitely_negative.labels(model).inc(recent.add(partition, statistics))
        if not recent.weights:
            return
        for state in STATES:
            metrics.state_rate.labels(model, state).set(recent.states[state] / recent.learned)
        metrics.ik_log_loss.labels(model).set(recent.ik_log_loss / recent.weights)
        metrics.ik_prior_log_loss.labels(model).set(recent.prior_log_loss / recent.weights)
        metrics.ik_accuracy.labels(model).set(recent.ik_correct / recent.weights)
        metrics.ik_prior_accuracy.labels(model).set(recent.prior_correct / recent.weights)
        metrics.ik_calibration.labels(model).set(recent.ik_calibration / recent.weights)
        metrics.mean_weight.labels(model).set(recent.weights / recent.learned)
        metrics.cut_share.labels(model).set(recent.cut / recent.learned)
        metrics.effective_share.labels(model).set(
            recent.weights**2 / max(recent.squared_weights, 1e-300) / recent.learned
        )
        metrics.largest_weight.labels(model).set(statistics.largest_weight)

    def _watch(self, model: str, interactions: Sequence[Interaction], rewards: RewardColumns) -> None:
        metrics, watch = self._metrics, self._watches[model]
        checked = watch.propensities.checked
        watch.observe(interactions, rewards)
        metrics.propensity_checks.labels(model).inc(watch.propensities.checked - checked)
        if (rates := watch.propensities.rates()) is not None:
            shown, logged = rates
            metrics.ranked_first_shown.labels(model).set(shown)
            metrics.ranked_first_logged.labels(model).set(logged)
        if (value := watch.value.value()) is None:
            return
        estimates = value._asdict()
        for name, of in {"logged": watch.baselines.logged, "random": watch.baselines.random}.items():
            if (baseline := of.value()) is not None:
                estimates |= {name: baseline.snips, f"{name}_low": baseline.low, f"{name}_high": baseline.high}
        for estimate, number in estimates.items():
            metrics.policy_value.labels(model, estimate).set(number)

    def shown(self, model: str, most_segments: int) -> Shown | None:
        """Return what a model shows to whom, in so many segments; None of one that is not learned here."""
        return self.pasts.recent(model).shown.shown(most_segments) if model in self._recent else None

    def differing(self, model: str) -> list[Differing]:
        """Return the signals of a model by which people mean different things."""
        return self.pasts.recent(model).people.differing() if model in self._recent else []

    def watch(self, model: str) -> PolicyWatch | None:
        """Return what watches the policies of a model that is learned here."""
        return self._watches.get(model)

    def worth(self, table: WorthTable) -> None:
        """Note what the signals of a model are worth, where that is known."""
        model = table.model
        self._metrics.drop_worth(model)
        for row in table.rows:
            estimates = {"estimate": row.log_odds, "low": row.low, "high": row.high}
            label = self._metrics.signal_label(model, row.signal)
            for estimate, number in estimates.items():
                if number is not None and label == row.signal and row.segment != ALL_SEGMENTS:
                    self._metrics.signal_worth.labels(model, row.segment or ALL_SEGMENTS, label, estimate).set(number)

    def restored(self, model: str, version: int, published_at: float | None) -> None:
        """Note the policy that was published before a restart, and when (seconds since 1970), if that is known."""
        self._metrics.policy_version.labels(model).set(version)
        if published_at is not None:
            self._metrics.policy_published.labels(model).set(published_at)

    def published(self, snapshot: PolicySnapshot, published_at: float, size: int) -> None:
        """Note a published policy of so many bytes."""
        self._growth.published(snapshot.model, size, published_at)
        self._watches[snapshot.model].published(snapshot)
        self._metrics.policies_published.labels(snapshot.model).inc()
        self._metrics.policy_version.labels(snapshot.model).set(snapshot.version)
        self._metrics.policy_published.labels(snapshot.model).set(published_at)
        self._metrics.occupancy.labels(snapshot.model).set(snapshot.occupancy)

    def unsaved(self, partition: int) -> None:
        """Note that from now on something learned waits for a checkpoint."""
        self._metrics.unsaved.labels(str(partition)).set_to_current_time()

    def checkpointed(self, partition: int, size: int, seconds: float) -> None:
        """Note a checkpoint of so many bytes, and how long it took to be durable."""
        self._metrics.all_saved(partition)
        self._metrics.checkpoint_seconds.observe(seconds)
        self._metrics.checkpoint.labels(str(partition)).set_to_current_time()
        self._metrics.checkpoint_bytes.labels(str(partition)).set(size)

    def drop(self, partition: int, models: Sequence[str], published: Container[str]) -> None:
        """Withdraw the gauges of a partition that has gone to another worker.

        `models` were learned there, those of `published` published too.
        """
        self._metrics.drop_interaction_partition(partition)
        for model in models:
            self._leaks.leave(partition, model)
            # Of a sharded model this worker may hold other partitions still.
            if self._recent[model].leave(partition):
                self._metrics.drop_model(model)
                self._growth.leave(model)
                self._habits.leave(model)
                self._numbers.leave(model)
                self._signals.leave(model)
                self.pasts.leave(model)
                del self._recent[model], self._watches[model]
            elif model in published:
                self._metrics.drop_policy(model)
                self._growth.leave(model)
                self._watches[model] = PolicyWatch()


def _label(state: RewardState | None) -> str:
    return UNKNOWN if state is None else str(state)


class RecentStatistics:
    """The sums of a model's `Statistics`, fading: each interaction makes the earlier ones count a little less.

    Of a sharded model they are over all of its partitions that this worker holds.
    """

    def __init__(self) -> None:
        self._before: dict[int, Statistics] = {}
        self.states = dict.fromkeys(STATES, 0.0)
        self.learned = 0.0
        self.weights = self.squared_weights = self.cut = 0.0
        self.ik_log_loss = self.prior_log_loss = self.ik_correct = self.prior_correct = self.ik_calibration = 0.0

    def follow(self, partition: int, so_far: Statistics) -> None:
        """Begin with a learner on a partition."""
        self._before[partition] = _copy(so_far)

    def leave(self, partition: int) -> bool:
        """End with a partition; return whether no other is left."""
        self._before.pop(partition, None)
        return not self._before

    def add(self, partition: int, now: Statistics) -> int:
        """Take in what a learner has counted since the last call; return how many signals were definitely negative."""
        before, self._before[partition] = self._before[partition], _copy(now)
        new = now.learned - before.learned
        fading = (1 - 1 / MEMORY) ** new
        self.learned = fading * self.learned + new
        for state in STATES:
            self.states[state] = fading * self.states[state] + now.states[state] - before.states[state]
        for name in FADING:
            setattr(self, name, fading * getattr(self, name) + getattr(now, name) - getattr(before, name))
        return now.definitely_negative - before.definitely_negative


def _copy(statistics: Statistics) -> Statistics:
    return msgspec.convert(msgspec.to_builtins(statistics), Statistics)
