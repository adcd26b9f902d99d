"""Every metric, declared once: name, kind, labels, meaning. The table in the docs is made from this file.

Labels are bounded whatever producers send: models are the configured ones, reasons are fixed sets, and signals
beyond the first `MAX_SIGNALS` of a model are counted as "other".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import product
from typing import NamedTuple, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from processors.join.entries import Outcome
from processors.learners.statistics import STATES, Assumption
from streams.observing.bulk_histogram import BulkHistogram

MAX_SIGNALS = 50
OTHER_SIGNAL = "other"
ESTIMATES = (
    "ips", "snips", "low", "high", "logged", "logged_low", "logged_high", "random", "random_low", "random_high",
)  # fmt: skip
MISPLACED_ORPHAN = "misplaced_orphan"
"""The outcome of orphans on a partition where their key does not belong: their producer partitions otherwise."""

BATCH_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CHECKPOINT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
LATENCY_BUCKETS = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0,
    300.0, 3600.0,
)  # fmt: skip
REQUEST_BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
DELAY_BUCKETS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)


class Declared(NamedTuple):
    """A metric as the documents list it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


class Metrics:
    """The metrics of one worker, in a registry of their own."""

    def __init__(self) -> None:  # noqa: PLR0915 - one declaration after another
        registry = self.registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        histogram, bulk_histogram = partial(Histogram, registry=registry), partial(BulkHistogram, registry=registry)

        self.started = gauge("groundswell_started_timestamp_seconds", "when this worker started")

        self.condition = gauge(
            "groundswell_condition",
            "1 while something is not as it should be; docs/runbook.md has a section for each, and severity note for "
            "what needs nobody. subject is the model or topic that it is about",
            ["condition", "subject", "severity"],
        )

        self.observing_failures = counter(
            "groundswell_observing_failures",
            "times that something failed which only looks on (metrics, segments, delays); what it looks at goes on",
            ["what"],
        )

        # what comes in
        self.received = counter("groundswell_received", "records read, by topic", ["topic"])
        self.dead_letters = counter(
            "groundswell_dead_letters", "records refused, by topic and reason", ["topic", "reason"]
        )
        self.batch_seconds = histogram(
            "groundswell_batch_seconds",
            "time to work through one batch of a topic and have its outputs acknowledged",
            ["topic"],
            buckets=BATCH_BUCKETS,
        )
        self.gaps = counter(
            "groundswell_gaps",
            "times records were missing between batches or after the last one, and reading went back",
            ["topic"],
        )

        # the join
        self.join = counter(
            "groundswell_join",
            "what became of impressions (matched, none, not_shown, late_impression, evicted, duplicate_impression, "
            "conflicting_impression) and feedback (feedback_matched, feedback_not_shown, feedback_late_impression, "
            "feedback_evicted, feedback_poison, duplicate_feedback, late, too_early, too_many, orphan, "
            "misplaced_orphan)",
            ["outcome"],
        )
        self.feedback_delay = bulk_histogram(
            "groundswell_feedback_delay_seconds", "event time from an impression to its feedback", buckets=DELAY_BUCKETS
        )
        self.lateness = histogram(
            "groundswell_feedback_lateness_seconds",
            "event time by which late feedback missed the wait; 0 where it occurred in time and was logged too late",
            buckets=DELAY_BUCKETS,
        )
        self.segment_feedback = counter(
            "groundswell_segment_feedback",
            "feedback of a sample of the impressions by segment, for models with a section [segments.NAME], that came "
            "in_time or late; late also where its impression is remembered no longer and it counts as an orphan above",
            ["model", "segment", "outcome"],
        )
        self.join_delay = histogram(
            "groundswell_join_delay_seconds",
            "from the end of the wait to the interaction being written, of the oldest one of each batch",
            buckets=DELAY_BUCKETS,
        )
        self.pending = gauge("groundswell_join_pending", "impressions that wait for feedback", ["partition"])
        self.pending_bytes = gauge(
            "groundswell_join_pending_bytes",
            "memory that they and their feedback take, roughly: evicted beyond join.max_pending_bytes",
            ["partition"],
        )
        self.segment_bytes = gauge(
            "groundswell_join_segment_bytes",
            "what is kept of a partition's join, packed, on the changelog and in the worker's memory: beyond "
            "join.max_pending_bytes no more is kept of what waits no longer than that it is known",
            ["partition"],
        )
        self.early = gauge(
            "groundswell_join_early_feedback", "pieces of feedback that wait for their impression", ["partition"]
        )
        self.early_bytes = gauge(
            "groundswell_join_early_feedback_bytes",
            "memory that these take, roughly: given up beyond join.max_early_bytes",
            ["partition"],
        )
        self.watermark = gauge(
            "groundswell_watermark_timestamp_seconds",
            "event time up to which interactions have been written",
            ["partition"],
        )

        # learning
        self.rewards = counter(
            "groundswell_rewards",
            "interactions learned, by inferred reward state: -1, 0, 1, or unknown where data cannot tell",
            ["model", "state"],
        )
        self.signal_states = counter(
            "groundswell_signal_states",
            "interactions learned, by signal and inferred reward state",
            ["model", "signal", "state"],
        )
        self.segment_signal_states = counter(
            "groundswell_segment_signal_states",
            "the same by segment, for models with a section [segments.NAME]",
            ["model", "segment", "signal", "state"],
        )
        self.state_rate = gauge(
            "groundswell_reward_state_rate",
            "share of an inferred reward state among the last interactions (about a thousand)",
            ["model", "state"],
        )
        self.violated = gauge(
            "groundswell_assumption_violated",
            "1 where what the rule takes for granted does not hold, else 0: definite_signal (none came yet), "
            "informative_feedback (it tells nothing about what was shown), indifference (next to no signal of it "
            "comes), of the papers' rules rare_extremes (most interactions are extreme)",
            ["model", "assumption"],
        )
        self.extreme = counter("groundswell_extreme", "interactions whose inferred state is -1 or 1", ["model"])
        self.definitely_negative = counter(
            "groundswell_definitely_negative", "interactions with a definitely negative signal", ["model"]
        )
        self.skipped = counter("groundswell_skipped", "interactions with too few actions to be learned", ["model"])
        self.relearned = counter(
            "groundswell_repeated_interactions", "interactions that had been learned before, and were not learned again"
        )
        self.disbelieved = counter(
            "groundswell_disbelieved",
            "records of checkpoints, policies and the changelog, or parts of them, that were not believed: they are "
            "not what a worker writes, or nothing that can be read (counted each time they are met)",
            ["topic"],
        )
        self.reward_delay = bulk_histogram(
            "groundswell_reward_delay_seconds",
            "from the end of an impression's window (wait and grace) to its reward being acknowledged; deferred "
            "impressions aside. What is logged or read late (an app was offline, a replay) is late here",
            buckets=LATENCY_BUCKETS,
        )
        self.ik_log_loss = gauge(
            "groundswell_ik_log_loss",
            "mean negative log posterior of the chosen action, before learning from it",
            ["model"],
        )
        self.ik_prior_log_loss = gauge("groundswell_ik_prior_log_loss", "the same of the action prior 1/K", ["model"])
        self.ik_accuracy = gauge(
            "groundswell_ik_accuracy", "how often the posterior ranked the chosen action first", ["model"]
        )
        self.ik_prior_accuracy = gauge("groundswell_ik_prior_accuracy", "the same of the action prior 1/K", ["model"])
        self.ik_calibration = gauge(
            "groundswell_ik_calibration",
            "how often the action that the posterior ranked first was the chosen one, for each time it should have "
            "been by its own probability: 1 is right, below 1 too sure, above 1 not sure enough",
            ["model"],
        )
        self.largest_weight = gauge(
            "groundswell_largest_importance_weight", "largest importance weight that was learned with", ["model"]
        )
        self.cut_share = gauge(
            "groundswell_cut_weight_share",
            "share of the last interactions whose importance weight, being far beyond those before it, was cut",
            ["model"],
        )
        self.effective_share = gauge(
            "groundswell_effective_sample_share",
            "effective sample size, (sum w)^2 / sum w^2, as a share of the interactions",
            ["model"],
        )
        self.mean_weight = gauge(
            "groundswell_mean_importance_weight",
            "mean importance weight: close to 1 where propensities are right and no log is sub-sampled",
            ["model"],
        )
        self.forgotten = gauge(
            "groundswell_embedding_forgotten",
            "users and signals that gave way to new ones since the embedding began to learn: where it keeps growing, "
            "that setting (`users`, `signals`) is smaller than the number active at a time",
            ["model", "setting"],
        )

        self.leaking_signals = gauge(
            "groundswell_leaking_signals",
            "signals that tell which action was shown whatever the person thinks of it: the share of the signal (or of "
            "its value) that the action explained when it was found. `left_out` is true where it is not learned from "
            "for that, false where it is named in the configuration, as definite, indifferent or trusted. Of a sharded "
            "model, what any partition here found",
            ["model", "signal", "left_out"],
        )
        self.propensity_checks = counter(
            "groundswell_propensity_checks",
            "interactions (a sample) whose stated policy was at hand to compare with what was shown",
            ["model"],
        )
        self.ranked_first_shown = gauge(
            "groundswell_ranked_first_shown_share",
            "how often the action that the stated policy version ranks first was the one shown, of the last five "
            "hundred checked or so",
            ["model"],
        )
        self.ranked_first_logged = gauge(
            "groundswell_ranked_first_logged_probability",
            "mean logged probability of that action: the same as the share where propensities are right",
            ["model"],
        )
        self.policy_value = gauge(
            "groundswell_policy_value",
            "reward state per interaction, -1 to 1, that the newest policy would have without exploring, from a sample "
            "of the last interactions: estimate is ips (which may exceed 1 by chance), snips, low and high (95 % "
            "interval of snips), logged (what was really shown) or random (chance), of these also _low and _high. A "
            "sub-sampled log counts by its weights; interactions with very many features are left out",
            ["model", "estimate"],
        )

        self.signal_worth = gauge(
            "groundswell_signal_worth_log_odds",
            "log odds of satisfied against not where a signal came, as of the last checkpoint, if all actions were "
            "shown alike: estimate, and low and high, its interval, absent where there is no bound. Of segments only "
            "where there is a section [segments.NAME], else all is empty; absent where the learner is in doubt",
            ["model", "segment", "signal", "estimate"],
        )

        # policies and checkpoints
        self.policies_published = counter("groundswell_policies_published", "policy snapshots published", ["model"])
        self.policy_version = gauge(
            "groundswell_policy_version", "interactions included in the last published policy", ["model"]
        )
        self.policy_bytes = gauge(
            "groundswell_policy_bytes", "size of the last published policy, in bytes as they are written", ["model"]
        )
        self.publication_delay = bulk_histogram(
            "groundswell_publication_delay_seconds",
            "from an interaction being learned to the policy that includes it being acknowledged; of a sharded model, "
            "on the partition that publishes it",
            buckets=LATENCY_BUCKETS,
        )
        self.policy_published = gauge(
            "groundswell_policy_published_timestamp_seconds",
            "when the last policy was published; its age is time() minus this",
            ["model"],
        )
        self.occupancy = gauge(
            "groundswell_feature_table_occupancy",
            "share of the rows in use of the fuller weight table, as of the last published policy; that of the new "
            "features fall on a row in use: beyond a half, the model wants more hash_bits",
            ["model"],
        )
        self.checkpoint = gauge(
            "groundswell_checkpoint_timestamp_seconds", "when the last checkpoint was written", ["partition"]
        )
        self.unsaved = gauge(
            "groundswell_unsaved_since_timestamp_seconds",
            "since when something learned has waited for a checkpoint; absent where everything is in one",
            ["partition"],
        )
        self.checkpoint_seconds = histogram(
            "groundswell_checkpoint_seconds",
            "time to encode a checkpoint and have it acknowledged",
            buckets=CHECKPOINT_BUCKETS,
        )
        self.checkpoint_bytes = gauge("groundswell_checkpoint_bytes", "size of the last checkpoint", ["partition"])
        self.lag = gauge("groundswell_consumer_lag", "records not yet read", ["topic", "partition"])

        # An outcome that has not happened yet is 0, not unknown.
        for outcome in (*Outcome, MISPLACED_ORPHAN):
            self.join.labels(outcome)
        self.started.set_to_current_time()
        self._signals: defaultdict[str, set[str]] = defaultdict(set)

    def declared(self) -> list[Declared]:
        """Return every metric as it appears on `/metrics`, in the order of declaration."""
        return _declared(vars(self).values())

    def signal_label(self, model: str, signal: str) -> str:
        """Return the label under which a signal is counted."""
        known = self._signals[model]
        if signal in known or len(known) < MAX_SIGNALS:
            known.add(signal)
            return signal
        return OTHER_SIGNAL

    def drop_condition(self, condition: str, subject: str) -> None:
        """Say that something is well again."""
        for severity in ("warning", "note"):
            _drop(self.condition, condition, subject, severity)

    def drop_event_partition(self, partition: int) -> None:
        """Forget the gauges of a partition of the join that has gone to another worker."""
        for gauge in (
            self.pending,
            self.pending_bytes,
            self.segment_bytes,
            self.early,
            self.early_bytes,
            self.watermark,
        ):
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
            self.policy_version, self.policy_bytes, self.policy_published, self.occupancy, self.ranked_first_shown,
            self.ranked_first_logged,
        ):  # fmt: skip
            _drop(gauge, model)
        for estimate in ESTIMATES:
            _drop(self.policy_value, model, estimate)

    def drop_worth(self, model: str) -> None:
        """Forget what the signals of a model are worth."""
        for labels in [labels for labels in self.signal_worth._metrics if labels[0] == model]:
            _drop(self.signal_worth, *labels)

    def drop_leaks(self, model: str) -> None:
        """Forget which signals of a model tell the action."""
        for labels in [labels for labels in self.leaking_signals._metrics if labels[0] == model]:
            _drop(self.leaking_signals, *labels)

    def drop_model(self, model: str) -> None:
        """Forget the gauges of a model whose partition has gone to another worker."""
        for gauge in (
            self.ik_log_loss, self.ik_prior_log_loss, self.ik_accuracy, self.ik_prior_accuracy, self.largest_weight,
            self.cut_share, self.effective_share, self.mean_weight, self.ik_calibration,
        ):  # fmt: skip
            _drop(gauge, model)
        for state in STATES:
            _drop(self.state_rate, model, state)
        for assumption in get_args(Assumption):
            _drop(self.violated, model, assumption)
        for setting in ("users", "signals"):
            _drop(self.forgotten, model, setting)
        self.drop_worth(model)
        self.drop_leaks(model)
        self.drop_policy(model)


def _drop(gauge: Gauge, *labels: str) -> None:
    """Remove a labelled gauge if it was ever set."""
    if labels in gauge._metrics:
        gauge.remove(*labels)


def samples(metric: Counter | Gauge) -> Iterator[tuple[Mapping[str, str], float]]:
    """Yield labels and value of all that a metric counts, without the moments at which counters were made."""
    for family in metric.collect():
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                yield sample.labels, sample.value


class ServeMetrics:
    """The metrics of one `groundswell serve`, in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        self.started = gauge("groundswell_serve_started_timestamp_seconds", "when this server started")
        self.answers = counter(
            "groundswell_serve_answers", "answers, by what was asked and HTTP status", ["operation", "status"]
        )
        self.seconds = Histogram(
            "groundswell_serve_seconds",
            "time from a request's headers to its answer, of those that were answered with 200",
            ["operation"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.decisions = counter(
            "groundswell_serve_decisions",
            "decisions, by what they were made by: policy (the newest), last_known (Kafka does not answer), pinned "
            "(the one that a control names), own (the app's own rule) or uniform (chance, where there is none of them)",
            ["model", "basis"],
        )
        self.policy_version = gauge(
            "groundswell_serve_policy_version", "interactions included in the newest policy that has come", ["model"]
        )
        self.following = gauge(
            "groundswell_serve_following", "1 where the policy is known to be the newest, else 0", ["model"]
        )
        self.problem = gauge(
            "groundswell_serve_problem",
            "1 where /v1/models and the log name a problem of the model, else 0: Kafka or a topic cannot be read, a "
            "canary tells nobody apart, a control names what is not there",
            ["model"],
        )
        self.under_way = gauge(
            "groundswell_serve_under_way", "requests that are being answered, or wait for Kafka to acknowledge them"
        )
        self.messages = counter(
            "groundswell_serve_messages",
            "impressions and feedback, by when they were to be written (acknowledged: before the answer, or later) and "
            "whether Kafka has them (written, or failed)",
            ["write", "outcome"],
        )
        self._counted: dict[tuple[str, str], int] = {}
        self.started.set_to_current_time()

    def expect(self, operations: Iterable[str], models: Iterable[str], bases: Iterable[str]) -> None:
        """Let there be a 0 of what alarms and panels ask for: of what begins at 1, Prometheus sees no increase."""
        for operation in operations:
            for status in ("200", "429", "500", "503"):
                self.answers.labels(operation, status)
        for model, basis in product(models, bases):
            self.decisions.labels(model, basis)

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self.answers.labels(operation, str(status)).inc()
        if status == 200:
            self.seconds.labels(operation).observe(seconds)

    def wrote(self, write: str, outcome: str, in_all: int) -> None:
        """Take in how many messages had an outcome in all."""
        before = self._counted.get((write, outcome), 0)
        self._counted[write, outcome] = in_all
        self.messages.labels(write, outcome).inc(in_all - before)

    def declared(self) -> list[Declared]:
        """Return every metric as it appears on `/metrics`, in the order of declaration."""
        return _declared(vars(self).values())


def _declared(metrics: Iterable[object]) -> list[Declared]:
    return [
        Declared(
            metric._name + ("_total" if isinstance(metric, Counter) else ""),
            metric._type,
            tuple(metric._labelnames),
            metric._documentation,
        )
        for metric in metrics
        if isinstance(metric, Counter | Gauge | Histogram)
    ]
