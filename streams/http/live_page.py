"""What the live page shows, read off the metrics: the reward states and their past, signals, policies, the join."""

from __future__ import annotations

import time
from collections.abc import Mapping

from msgspec import Struct
from prometheus_client import Gauge

from groundswell.worth import Worth
from processors.learners.statistics import STATES
from streams.http.bounded_history import BoundedHistory
from streams.observing.conditions import Condition
from streams.observing.learning_metrics import MEMORY
from streams.observing.metrics import Metrics, samples
from streams.worker.learning_looks import VIOLATED, violated
from streams.worker.outputs import contract_partition
from streams.worker.worker_app import Groundswell

SAMPLE_SECONDS = 1.0
"""Between looks at the metrics, and between the first points of a past."""
ByState = tuple[float, float, float, float]
"""Of the reward states -1, 0, +1 and the unknown one."""
MOST_SIGNALS = 20
"""Of a model on the page: the most frequent ones."""
MOST_WORTHS = 60
"""Rows of what signals are worth: those of all segments, then the commonest."""


class Value(Struct):
    """The estimated value of what the policy ranks first, its 95% interval, and the mean of what was shown."""

    value: float
    lower: float
    upper: float
    logged: float


class Point(Struct):
    """One moment of a model's past: shares of the reward states, and the value where it is known."""

    at: int
    rates: ByState
    value: Value | None


class Signal(Struct):
    """A signal among about the last thousand interactions: how many of them were taken for which state."""

    name: str
    states: ByState


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
    violated: list[str]
    worth: list[Worth]
    leaking: list[LeakingSignal]
    past: list[Point]


class Held(Struct):
    """Which partitions of how many this worker holds."""

    partitions: list[int]
    of: int


class Live(Struct):
    """Everything on the page; times are ms since 1970. Counters count since the worker started."""

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


class RecentCounts:
    """Counts by signal and state that fade: the last `MEMORY` interactions of a model, more or less."""

    def __init__(self) -> None:
        self._totals: dict[tuple[str, str], float] = {}
        self.counts: dict[tuple[str, str], float] = {}

    def update(self, totals: Mapping[tuple[str, str], float]) -> None:
        """Take in what has been counted since the beginning."""
        new = {key: total - self._totals.get(key, 0.0) for key, total in totals.items()}
        fading = (1 - 1 / MEMORY) ** sum(new.values())
        self.counts = {key: fading * self.counts.get(key, 0.0) + count for key, count in new.items()}
        self._totals = dict(totals)

    def signals(self) -> list[Signal]:
        """Return the signals, the most frequent first."""
        names = {signal for signal, _ in self.counts}
        found = [Signal(name, _by_state({state: self.counts.get((name, state)) for state in STATES})) for name in names]
        return sorted(found, key=lambda one: (-sum(one.states), one.name))


class LivePage:
    """Looks at the metrics once a second, and says what there is to see."""

    def __init__(self, app: Groundswell) -> None:
        self._app = app
        self._metrics: Metrics = app.metrics
        self._past: dict[str, BoundedHistory[Point]] = {}
        self._signals: dict[str, RecentCounts] = {}

    def sample(self, now: float) -> None:
        """Take in the metrics of this moment; `now` in seconds since 1970."""
        counted: dict[str, dict[tuple[str, str], float]] = {}
        for labels, value in samples(self._metrics.signal_states):
            counted.setdefault(labels["model"], {})[labels["signal"], labels["state"]] = value
        for model, totals in counted.items():
            self._signals.setdefault(model, RecentCounts()).update(totals)
        for model in self._app.settings.models:
            rates = self._rates(model)
            if rates is not None:
                point = Point(round(now * 1000), rates, self._value(model))
                self._past.setdefault(model, BoundedHistory(SAMPLE_SECONDS)).add(now, point)

    def now(self, model: str | None, waiting_for: str | None) -> Live:
        """Return what there is to see of a model, or of the first that is learned here.

        `waiting_for` says why nothing is being read, if so.
        """
        app, metrics = self._app, self._metrics
        topics = app.settings.topics
        names = sorted(app.settings.models, key=lambda name: (not self._here(name), name))
        if model not in names:
            model = names[0] if names else None
        lag = dict.fromkeys((topics.impressions, topics.feedback, topics.interactions), 0)
        for labels, value in samples(metrics.lag):
            lag[labels["topic"]] += int(value)
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
            lag=lag,
            dead_letters={
                f"{labels['topic']}: {labels['reason']}": int(value) for labels, value in samples(metrics.dead_letters)
            },
        )

    def _model(self, name: str) -> LiveModel:
        metrics = self._metrics
        signals = self._signals[name].signals() if name in self._signals else []
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
            signals=signals[:MOST_SIGNALS],
            further_signals=max(0, len(signals) - MOST_SIGNALS),
            violated=[VIOLATED[assumption] for assumption in violated(metrics, name)],
            worth=self._worth(name),
            leaking=self._leaking(name),
            past=[point for _, point in self._past[name].points] if name in self._past else [],
        )

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
        return _by_state(rates) if rates else None

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


def _by_state(values: Mapping[str, float | None]) -> ByState:
    minus, zero, plus, unknown = (values.get(state) or 0.0 for state in STATES)
    return minus, zero, plus, unknown
