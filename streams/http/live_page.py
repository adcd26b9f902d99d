"""What the live page shows, read off the metrics: the reward states and their past, signals, policies, the join."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from typing import Literal

from msgspec import Struct
from prometheus_client import Gauge

from groundswell.worth import Worth
from processors.learners.people_differ import Differing
from processors.policies.off_policy_value import ValueEstimate
from streams.observing.bounded_history import BoundedHistory
from streams.observing.conditions import Condition
from streams.observing.metrics import Metrics, samples
from streams.observing.model_pasts import SAMPLE_SECONDS, Point, Value
from streams.observing.recent_past import ByState, by_state
from streams.observing.shown_actions import Shown
from streams.worker.learning_looks import VIOLATED, violated
from streams.worker.outputs import contract_partition
from streams.worker.worker_app import Groundswell

Baseline = Literal["logged", "random", "constant"]
FLOW_SECONDS = 10.0
"""Over which it is counted how much comes in a second."""
MOST_SIGNALS = 20
"""Of a model on the page: the most frequent ones."""
MOST_SEGMENTS = 8
"""In a table: the most frequent ones."""
MOST_SEGMENT_SIGNALS = 10
MOST_WORTHS = 60
"""Rows of what signals are worth: those of all segments, then the commonest."""


class Signal(Struct):
    """A signal among about the last thousand interactions: how many of them were taken for which state."""

    name: str
    states: ByState


class SegmentSignals(Struct):
    """What signals were taken for in each segment: `counts` by signal, segment and state, in the order of the lists.

    `feature` is that of the context whose values are the segments.
    """

    feature: str
    segments: list[str]
    signals: list[str]
    counts: list[list[ByState]]


class Compared(Struct):
    """What a policy is compared with: its estimated value and 95% interval; of a constant one, its action."""

    name: Baseline
    value: float
    lower: float
    upper: float
    action: str | None = None


class LeakingSignal(Struct):
    """A signal that tells the action: how much of it the action explains, and whether it is not learned from."""

    name: str
    share: float
    left_out: bool


class LiveModel(Struct):
    """One model. `partition` of the interactions is learned by the worker that holds it, `here` or elsewhere.

    `violated` says which assumptions do not hold. `published` is when its newest policy was published, in ms; log
    losses are per interaction.
    """

    name: str
    partition: int
    here: bool
    learned: int
    rates: ByState | None
    value: Value | None
    log_loss: float | None
    prior_log_loss: float | None
    policy_version: int | None
    published: int | None
    signals: list[Signal]
    further_signals: int
    by_segment: SegmentSignals | None
    differing: list[Differing]
    shown: Shown | None
    compared: list[Compared]
    violated: list[str]
    worth: list[Worth]
    leaking: list[LeakingSignal]
    past: list[Point]


class Flow(Struct):
    """One moment of what comes and is learned, of all models here: a second over the last ten, and records unread."""

    at: int
    impressions: float
    feedback: float
    learned: float
    lag: int


class Held(Struct):
    """Which partitions of how many this worker holds."""

    partitions: list[int]
    of: int


class Live(Struct):
    """Everything on the page; times are ms since 1970. Counters count since the worker started.

    `window` are the seconds of wait and grace, in which nothing is learned of an impression.
    """

    at: int
    started: int
    group: str
    waiting_for: str | None
    conditions: list[Condition]
    events: Held
    interactions: Held
    models: list[str]
    model: LiveModel | None
    join: dict[str, int]
    pending: int
    lag: dict[str, int]
    dead_letters: dict[str, int]
    window: float
    flow: list[Flow]


class LivePage:
    """Looks at the metrics once a second, and says what there is to see."""

    def __init__(self, app: Groundswell) -> None:
        self._app = app
        self._metrics: Metrics = app.metrics
        self._pasts = app.learning.pasts
        self._totals: deque[tuple[float, dict[str, float]]] = deque(maxlen=round(FLOW_SECONDS / SAMPLE_SECONDS) + 1)
        self._flow: BoundedHistory[Flow] = BoundedHistory(SAMPLE_SECONDS)
        self._newest_flow: Flow | None = None

    def sample(self, now: float) -> None:
        """Take in the metrics of this moment; `now` in seconds since 1970."""
        counted: dict[str, dict[tuple[str, str], float]] = {}
        for labels, value in samples(self._metrics.signal_states):
            counted.setdefault(labels["model"], {})[labels["signal"], labels["state"]] = value
        for model, totals in counted.items():
            self._pasts.recent(model).signals.update(totals)
        by_segment: dict[str, dict[tuple[tuple[str, str], str], float]] = {}
        for labels, value in samples(self._metrics.segment_signal_states):
            place = (labels["segment"], labels["signal"]), labels["state"]
            by_segment.setdefault(labels["model"], {})[place] = value
        for model, placed in by_segment.items():
            self._pasts.recent(model).segments.update(placed)
        self._newest_flow = self._measured(now)
        self._flow.add(now, self._newest_flow)
        for model in self._app.settings.models:
            rates = self._rates(model)
            if rates is not None:
                point = Point(round(now * 1000), rates, self._value(model))
                self._pasts.add(model, now, point)

    def now(self, model: str | None, waiting_for: str | None) -> Live:
        """Return what there is to see of a model, or of the first that is learned here.

        `waiting_for` says why nothing is being read, if so.
        """
        app, metrics = self._app, self._metrics
        topics = app.settings.topics
        names = sorted(app.settings.models, key=lambda name: (not self._here(name), name))
        if model not in names:
            model = names[0] if names else None
        flow = [point for _, point in self._flow.points]
        if self._newest_flow is not None and flow[-1] is not self._newest_flow:
            flow.append(self._newest_flow)
        return Live(
            at=round(time.time() * 1000),
            started=round(1000 * next(value for _, value in samples(metrics.started))),
            group=app.settings.kafka.group,
            waiting_for=waiting_for,
            conditions=app.conditions.standing(),
            events=Held(sorted(app.partitions.joins), topics.event_partitions),
            interactions=Held(sorted(app.partitions.learners), topics.interaction_partitions),
            models=names,
            model=None if model is None else self._model(model),
            join={labels["outcome"]: int(value) for labels, value in samples(metrics.join)},
            pending=sum(int(value) for _, value in samples(metrics.pending)),
            lag=self._lag(),
            dead_letters={
                f"{labels['topic']}: {labels['reason']}": int(value) for labels, value in samples(metrics.dead_letters)
            },
            window=app.settings.join.wait + app.settings.join.grace,
            flow=flow,
        )

    def _lag(self) -> dict[str, int]:
        topics = self._app.settings.topics
        lag = dict.fromkeys((topics.impressions, topics.feedback, topics.interactions), 0)
        for labels, value in samples(self._metrics.lag):
            lag[labels["topic"]] += int(value)
        return lag

    def _measured(self, now: float) -> Flow:
        """Return what came in the last seconds, by the second."""
        received = {labels["topic"]: value for labels, value in samples(self._metrics.received)}
        topics = self._app.settings.topics
        totals = {
            "impressions": received.get(topics.impressions, 0.0),
            "feedback": received.get(topics.feedback, 0.0),
            "learned": sum(value for _, value in samples(self._metrics.rewards)),
        }
        self._totals.append((now, totals))
        at, before = self._totals[0]
        rates = {name: (total - before[name]) / max(now - at, SAMPLE_SECONDS) for name, total in totals.items()}
        return Flow(round(now * 1000), **rates, lag=sum(self._lag().values()))

    def _model(self, name: str) -> LiveModel:
        app, metrics = self._app, self._metrics
        states = self._pasts.recent(name).signals.states()
        version, published = _of(metrics.policy_version, name), _of(metrics.policy_published, name)
        return LiveModel(
            name=name,
            partition=self._partition(name),
            here=self._here(name),
            learned=round(sum(value for labels, value in samples(metrics.rewards) if labels["model"] == name)),
            rates=self._rates(name),
            value=self._value(name),
            log_loss=_of(metrics.ik_log_loss, name),
            prior_log_loss=_of(metrics.ik_prior_log_loss, name),
            policy_version=None if version is None else round(version),
            published=None if published is None else round(published * 1000),
            signals=[Signal(signal, counts) for signal, counts in states.items()][:MOST_SIGNALS],
            further_signals=max(0, len(states) - MOST_SIGNALS),
            by_segment=self._by_segment(name),
            differing=app.learning.differing(name)[:MOST_SIGNALS],
            shown=app.learning.shown(name, MOST_SEGMENTS),
            compared=self._compared(name),
            violated=[VIOLATED[assumption] for assumption in violated(metrics, name)],
            worth=self._worth(name),
            leaking=self._leaking(name),
            past=self._pasts.points(name),
        )

    def _by_segment(self, model: str) -> SegmentSignals | None:
        settings = self._app.settings.segments.get(model)
        counts = self._pasts.recent(model).segments.states()
        if settings is None or not counts:
            return None
        of_segments: defaultdict[str, float] = defaultdict(float)
        of_signals: defaultdict[str, float] = defaultdict(float)
        for (segment, signal), states in counts.items():
            of_segments[segment] += sum(states)
            of_signals[signal] += sum(states)
        listed = sorted(of_segments, key=lambda one: (-of_segments[one], one))[:MOST_SEGMENTS]
        rows = sorted(of_signals, key=lambda one: (-of_signals[one], one))[:MOST_SEGMENT_SIGNALS]
        nothing = by_state({})
        table = [[counts.get((segment, signal), nothing) for segment in listed] for signal in rows]
        return SegmentSignals(settings.feature, listed, rows, table)

    def _compared(self, model: str) -> list[Compared]:
        watch = self._app.learning.watch(model)
        if watch is None:
            return []
        found: list[Compared] = []
        estimates: dict[Baseline, ValueEstimate] = {"logged": watch.baselines.logged, "random": watch.baselines.random}
        for name, estimate in estimates.items():
            if (value := estimate.value()) is not None:
                found.append(Compared(name, value.snips, value.low, value.high))
        if (best := watch.baselines.best_constant()) is not None:
            found.append(Compared("constant", best.value.snips, best.value.low, best.value.high, best.action))
        return found

    def _worth(self, model: str) -> list[Worth]:
        learner = self._app.partitions.learners.get(self._partition(model))
        table = None if learner is None else learner.worth(model)
        return [] if table is None else table.rows[:MOST_WORTHS]

    def _leaking(self, model: str) -> list[LeakingSignal]:
        found = [
            LeakingSignal(labels["signal"], share, labels["left_out"] == "true")
            for labels, share in samples(self._metrics.leaking_signals)
            if labels["model"] == model
        ]
        return sorted(found, key=lambda one: (-one.share, one.name))

    def _partition(self, model: str) -> int:
        return contract_partition(model.encode(), self._app.settings.topics.interaction_partitions)

    def _here(self, model: str) -> bool:
        held = self._app.partitions.learners
        if self._app.settings.models[model].sharded_by is not None:
            return bool(held)  # each partition learns a part
        return self._partition(model) in held

    def _rates(self, model: str) -> ByState | None:
        rates = {labels["state"]: value for labels, value in samples(self._metrics.state_rate)
                 if labels["model"] == model}  # fmt: skip
        return by_state(rates) if rates else None

    def _value(self, model: str) -> Value | None:
        estimates = {
            labels["estimate"]: value
            for labels, value in samples(self._metrics.policy_value)
            if labels["model"] == model
        }
        if not estimates:
            return None
        return Value(estimates["snips"], estimates["low"], estimates["high"], estimates["logged"])


def _of(gauge: Gauge, model: str) -> float | None:
    return next((value for labels, value in samples(gauge) if labels["model"] == model), None)
