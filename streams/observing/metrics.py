"""Every metric, declared once: name, kind, labels, meaning. The table in the docs is made from this file.

Labels are bounded whatever producers send: models are the configured ones, reasons are fixed sets, and signals
beyond the first `MAX_SIGNALS` of a model are counted as "other".
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from processors.join.entries import Outcome
from streams.observing.bulk_histogram import BulkHistogram

MAX_SIGNALS = 50
OTHER_SIGNAL = "other"
ESTIMATES = ("ips", "snips", "low", "high", "logged")
MISPLACED_ORPHAN = "misplaced_orphan"
"""The outcome of orphans on a partition where their key does not belong: their producer partitions otherwise."""

BATCH_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CHECKPOINT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
LATENCY_BUCKETS = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0,
    300.0, 3600.0,
)  # fmt: skip
DELAY_BUCKETS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)


class Declared(NamedTuple):
    """A metric as the documents list it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


class Metrics:
    """The metrics of one worker, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry

        self.started = Gauge("groundswell_started_timestamp_seconds", "when this worker started", registry=registry)

        # what comes in
        self.received = Counter("groundswell_received", "records read, by topic", ["topic"], registry=registry)
        self.dead_letters = Counter(
            "groundswell_dead_letters",
            "records refused, by topic and reason",
            ["topic", "reason"],
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "groundswell_batch_seconds",
            "time to work through one batch of a topic and have its outputs acknowledged",
            ["topic"],
            buckets=BATCH_BUCKETS,
            registry=registry,
        )
        self.gaps = Counter(
            "groundswell_gaps",
            "times records were missing between batches or after the last one, and reading went back",
            ["topic"],
            registry=registry,
        )

        # the join
        self.join = Counter(
            "groundswell_join",
            "what became of impressions (matched, none, not_shown, evicted, duplicate_impression, "
            "conflicting_impression) and feedback (feedback_matched, feedback_not_shown, feedback_evicted, "
            "duplicate_feedback, late, too_early, too_many, orphan, misplaced_orphan)",
            ["outcome"],
            registry=registry,
        )
        self.feedback_delay = BulkHistogram(
            "groundswell_feedback_delay_seconds",
            "event time from an impression to its feedback",
            buckets=DELAY_BUCKETS,
            registry=registry,
        )
        self.lateness = Histogram(
            "groundswell_feedback_lateness_seconds",
            "event time by which late feedback missed the wait; 0 where it occurred in time and was logged too late",
            buckets=DELAY_BUCKETS,
            registry=registry,
        )
        self.join_delay = Histogram(
            "groundswell_join_delay_seconds",
            "from the end of the wait to the interaction being written, of the oldest one of each batch",
            buckets=DELAY_BUCKETS,
            registry=registry,
        )
        self.pending = Gauge(
            "groundswell_join_pending", "impressions that wait for feedback", ["partition"], registry=registry
        )
        self.early = Gauge(
            "groundswell_join_early_feedback",
            "pieces of feedback that wait for their impression",
            ["partition"],
            registry=registry,
        )
        self.watermark = Gauge(
            "groundswell_watermark_timestamp_seconds",
            "event time up to which interactions have been written",
            ["partition"],
            registry=registry,
        )

        # learning
        self.rewards = Counter(
            "groundswell_rewards",
            "interactions learned, by inferred reward state",
            ["model", "state"],
            registry=registry,
        )
        self.signal_states = Counter(
            "groundswell_signal_states",
            "interactions learned, by signal and inferred reward state",
            ["model", "signal", "state"],
            registry=registry,
        )
        self.segment_signal_states = Counter(
            "groundswell_segment_signal_states",
            "the same by segment, for models with a section [segments.NAME]",
            ["model", "segment", "signal", "state"],
            registry=registry,
        )
        self.state_rate = Gauge(
            "groundswell_reward_state_rate",
            "share of an inferred reward state among the last interactions (about a thousand)",
            ["model", "state"],
            registry=registry,
        )
        self.extreme = Counter(
            "groundswell_extreme",
            "interactions whose posterior exceeded the threshold",
            ["model"],
            registry=registry,
        )
        self.definitely_negative = Counter(
            "groundswell_definitely_negative",
            "interactions with a definitely negative signal",
            ["model"],
            registry=registry,
        )
        self.skipped = Counter(
            "groundswell_skipped",
            "interactions with fewer than 3 actions: not learned",
            ["model"],
            registry=registry,
        )
        self.relearned = Counter(
            "groundswell_repeated_interactions",
            "interactions that had been learned before, and were not learned again",
            registry=registry,
        )
        self.reward_delay = BulkHistogram(
            "groundswell_reward_delay_seconds",
            "from the end of an impression's window (wait and grace) to its reward being acknowledged; deferred "
            "impressions aside. What is logged or read late (an app was offline, a replay) is late here",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.ik_log_loss = Gauge(
            "groundswell_ik_log_loss",
            "mean negative log posterior of the chosen action, before learning from it",
            ["model"],
            registry=registry,
        )
        self.ik_prior_log_loss = Gauge(
            "groundswell_ik_prior_log_loss", "the same of the action prior 1/K", ["model"], registry=registry
        )
        self.ik_accuracy = Gauge(
            "groundswell_ik_accuracy",
            "how often the posterior ranked the chosen action first",
            ["model"],
            registry=registry,
        )
        self.ik_prior_accuracy = Gauge(
            "groundswell_ik_prior_accuracy", "the same of the action prior 1/K", ["model"], registry=registry
        )
        self.ik_calibration = Gauge(
            "groundswell_ik_calibration",
            "how often the action that the posterior ranked first was the chosen one, for each time it should have "
            "been by its own probability: 1 is right, below 1 too sure, above 1 not sure enough",
            ["model"],
            registry=registry,
        )
        self.largest_weight = Gauge(
            "groundswell_largest_importance_weight", "largest importance weight seen", ["model"], registry=registry
        )
        self.effective_share = Gauge(
            "groundswell_effective_sample_share",
            "effective sample size, (sum w)^2 / sum w^2, as a share of the interactions",
            ["model"],
            registry=registry,
        )
        self.mean_weight = Gauge(
            "groundswell_mean_importance_weight",
            "mean importance weight: close to 1 where propensities are right and no log is sub-sampled",
            ["model"],
            registry=registry,
        )
        self.forgotten = Gauge(
            "groundswell_embedding_forgotten",
            "users and signals that gave way to new ones since the embedding began to learn: where it keeps growing, "
            "that setting (`users`, `signals`) is smaller than the number active at a time",
            ["model", "setting"],
            registry=registry,
        )

        self.propensity_checks = Counter(
            "groundswell_propensity_checks",
            "interactions (a sample) whose stated policy was at hand to compare with what was shown",
            ["model"],
            registry=registry,
        )
        self.ranked_first_shown = Gauge(
            "groundswell_ranked_first_shown_share",
            "how often the action that the stated policy version ranks first was the one shown, of the last five "
            "hundred checked or so",
            ["model"],
            registry=registry,
        )
        self.ranked_first_logged = Gauge(
            "groundswell_ranked_first_logged_probability",
            "mean logged probability of that action: the same as the share where propensities are right",
            ["model"],
            registry=registry,
        )
        self.policy_value = Gauge(
            "groundswell_policy_value",
            "reward state per interaction, -1 to 1, that the newest policy would have without exploring, from a sample "
            "of the last interactions: estimate is ips (which may exceed 1 by chance), snips, low and high (95 % "
            "interval of snips), or logged (what was really shown). A sub-sampled log counts by its weights; "
            "interactions with very many features are left out",
            ["model", "estimate"],
            registry=registry,
        )

        # policies and checkpoints
        self.policies_published = Counter(
            "groundswell_policies_published", "policy snapshots published", ["model"], registry=registry
        )
        self.policy_version = Gauge(
            "groundswell_policy_version",
            "interactions included in the last published policy",
            ["model"],
            registry=registry,
        )
        self.publication_delay = BulkHistogram(
            "groundswell_publication_delay_seconds",
            "from an interaction being learned to the policy that includes it being acknowledged; of a sharded model, "
            "on the partition that publishes it",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.policy_published = Gauge(
            "groundswell_policy_published_timestamp_seconds",
            "when the last policy was published; its age is time() minus this",
            ["model"],
            registry=registry,
        )
        self.occupancy = Gauge(
            "groundswell_feature_table_occupancy",
            "share of the rows in use of the fuller weight table, as of the last published policy; that of the new "
            "features fall on a row in use: beyond a half, the model wants more hash_bits",
            ["model"],
            registry=registry,
        )
        self.checkpoint = Gauge(
            "groundswell_checkpoint_timestamp_seconds",
            "when the last checkpoint was written",
            ["partition"],
            registry=registry,
        )
        self.unsaved = Gauge(
            "groundswell_unsaved_since_timestamp_seconds",
            "since when something learned has waited for a checkpoint; absent where everything is in one",
            ["partition"],
            registry=registry,
        )
        self.checkpoint_seconds = Histogram(
            "groundswell_checkpoint_seconds",
            "time to encode a checkpoint and have it acknowledged",
            buckets=CHECKPOINT_BUCKETS,
            registry=registry,
        )
        self.checkpoint_bytes = Gauge(
            "groundswell_checkpoint_bytes", "size of the last checkpoint", ["partition"], registry=registry
        )
        self.lag = Gauge("groundswell_consumer_lag", "records not yet read", ["topic", "partition"], registry=registry)

        # An outcome that has not happened yet is 0, not unknown.
        for outcome in (*Outcome, MISPLACED_ORPHAN):
            self.join.labels(outcome)
        self.started.set_to_current_time()
        self._signals: defaultdict[str, set[str]] = defaultdict(set)

    def declared(self) -> list[Declared]:
        """Return every metric as it appears on `/metrics`, in the order of declaration."""
        return [
            Declared(
                metric._name + ("_total" if isinstance(metric, Counter) else ""),
                metric._type,
                tuple(metric._labelnames),
                metric._documentation,
            )
            for metric in vars(self).values()
            if isinstance(metric, Counter | Gauge | Histogram)
        ]

    def signal_label(self, model: str, signal: str) -> str:
        """Return the label under which a signal is counted."""
        known = self._signals[model]
        if signal in known or len(known) < MAX_SIGNALS:
            known.add(signal)
            return signal
        return OTHER_SIGNAL

    def drop_event_partition(self, partition: int) -> None:
        """Forget the gauges of a partition of the join that has gone to another worker."""
        for gauge in (self.pending, self.early, self.watermark):
            _drop(gauge, str(partition))

    def drop_interaction_partition(self, partition: int) -> None:
        """Forget the gauges of a learner's partition that has gone to another worker."""
        for gauge in (self.checkpoint, self.checkpoint_bytes):
            _drop(gauge, str(partition))
        self.all_saved(partition)

    def all_saved(self, partition: int) -> None:
        """Say that nothing learned waits for a checkpoint."""
        _drop(self.unsaved, str(partition))

    def drop_lag(self, topic: str, partition: int) -> None:
        """Forget the lag of a partition that has gone to another worker."""
        _drop(self.lag, topic, str(partition))

    def drop_policy(self, model: str) -> None:
        """Forget the gauges of a model's published policy: another worker publishes it from now on."""
        for gauge in (
            self.policy_version, self.policy_published, self.occupancy, self.ranked_first_shown,
            self.ranked_first_logged,
        ):  # fmt: skip
            _drop(gauge, model)
        for estimate in ESTIMATES:
            _drop(self.policy_value, model, estimate)

    def drop_model(self, model: str) -> None:
        """Forget the gauges of a model whose partition has gone to another worker."""
        for gauge in (
            self.ik_log_loss, self.ik_prior_log_loss, self.ik_accuracy, self.ik_prior_accuracy, self.largest_weight,
            self.effective_share, self.mean_weight, self.ik_calibration,
        ):  # fmt: skip
            _drop(gauge, model)
        for state in ("-1", "0", "1"):
            _drop(self.state_rate, model, state)
        for setting in ("users", "signals"):
            _drop(self.forgotten, model, setting)
        self.drop_policy(model)


def _drop(gauge: Gauge, *labels: str) -> None:
    """Remove a labelled gauge if it was ever set."""
    if labels in gauge._metrics:
        gauge.remove(*labels)
