"""How it stands with Kafka, with the worker's partitions and with the traffic: looked at again and again."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime

from aiokafka.errors import KafkaError as AIOKafkaError
from prometheus_client import Counter

from processors.admission.event_records import Reason
from processors.join.entries import Outcome
from streams.kafka.instance_place import InstanceTakenError
from streams.kafka.record_batch_app import CoordinationEndedError
from streams.kafka.topic_watch import TopicWatch, refuse_changed, says_gone
from streams.kafka.topics import TopicError, worker_layouts
from streams.observing.conditions import (
    CHOSEN_FROM_ONE,
    FEEDBACK_NOT_JOINED,
    KAFKA_AWAY,
    LOCAL_TIME,
    QUIET,
    RESTORING,
    TOPIC_MISSING,
    UNKNOWN_MODEL,
)
from streams.observing.metrics import MISPLACED_ORPHAN, samples
from streams.words import counted
from streams.worker.learning_looks import LearningLooks
from streams.worker.refusal_looks import RefusalLooks
from streams.worker.repetition_looks import RepetitionLooks
from streams.worker.worker_app import Groundswell

LOOK_SECONDS = 1.0
"""Between looks at this worker."""
ASK_SECONDS = 2.0
"""Between questions to a broker."""
ANSWER_SECONDS = 1.8
"""In which it has to answer."""
AWAY_SECONDS = 5.0
"""Without an answer, after which Kafka is away."""
QUIET_SECONDS = 10.0
"""Without a record, after which traffic is quiet."""
ASTRAY = (Outcome.ORPHAN, MISPLACED_ORPHAN, Outcome.LATE, Outcome.TOO_EARLY)
"""What becomes of feedback that finds no impression."""
ENOUGH = 100
"""Impressions without feedback, and feedback without impression, before it is said that it does not join."""
LATELY = 1000.0
"""Pieces of feedback that are remembered."""
UNKNOWN_SECONDS = 600.0
"""For which it is said that a model was not known."""


def add_condition_looks(app: Groundswell) -> None:
    """Let the worker look how it stands, and say so."""
    looks = ConditionLooks(app)

    async def look() -> None:
        looks.begin()
        async for _ in app.itertimer(LOOK_SECONDS, name="conditions"):
            try:
                app.check_coordination()
            except (CoordinationEndedError, InstanceTakenError) as error:
                await app.crash(error)
            looks.look()

    async def ask() -> None:
        async for _ in app.itertimer(ASK_SECONDS, name="topics"):
            await looks.ask()

    app.early_tasks += [look, ask]


class ConditionLooks:
    """Looks at what one worker does and at the topics it lives on. `clock` is in seconds since 1970."""

    def __init__(self, app: Groundswell, clock: Callable[[], float] = time.time) -> None:
        self._app = app
        self._clock = clock
        self._layouts = worker_layouts(app.settings.kafka, app.settings.topics)
        self._watch = TopicWatch(app.settings.kafka, [one.name for one in self._layouts])
        self.begin()
        self._received = 0.0
        self._refused = RefusalLooks()
        self._repeated = RepetitionLooks()
        self._joined = JoinLooks()
        self._learning = LearningLooks(app.metrics, app.conditions)

    def begin(self) -> None:
        """Hold nothing against anybody that was before: what learns may have been compiled for a minute."""
        self._answered = self._came = self._clock()

    def look(self) -> None:
        """Say how it stands with this worker."""
        app, now = self._app, self._clock()
        app.conditions.say(RESTORING, _waiting_for(app))
        received = _received(app)
        if received != self._received:
            self._received, self._came = received, now
        quiet = app.partitions.joins and now - self._came >= QUIET_SECONDS
        app.conditions.say(QUIET, f"quiet since {_moment(self._came)}" if quiet else None, since=self._came)
        self._refused.look(app, now)
        self._repeated.look(app, now)
        self._joined.look(app, now)
        for model in app.settings.models:
            app.conditions.say(CHOSEN_FROM_ONE, app.chosen_indices.says(model), model)
        self._learning.look(app.settings.models, now)
        away = now - self._answered >= AWAY_SECONDS
        says = f"Kafka ({app.settings.kafka.bootstrap_servers}) has not answered since {_moment(self._answered)}"
        app.conditions.say(KAFKA_AWAY, says if away else None, since=self._answered)

    async def ask(self) -> None:
        """Ask a broker how it stands with the topics."""
        try:
            seen = await asyncio.wait_for(self._watch.look(), ANSWER_SECONDS)
        except (AIOKafkaError, TimeoutError):
            return
        self._answered = self._clock()
        try:
            refuse_changed(self._app.settings.kafka, self._app.settings.topics, self._app.topic_ids, seen)
        except TopicError as error:
            # What has been read of it is of another log; the next start says the same, and whether anything is to do.
            await self._app.crash(error)
        gone = [one.name for one in self._layouts if one.name not in seen]
        self._app.conditions.say(TOPIC_MISSING, says_gone(self._app.settings.kafka, gone) if gone else None)


class JoinLooks:
    """Looks at what lately became of impressions and feedback, by counts that fade."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}
        self._matched = self._unanswered = self._astray = 0.0
        self._unknown, self._unknown_at = (0.0, 0.0), -math.inf

    def look(self, app: Groundswell, now: float) -> None:
        """Say whether feedback finds its impressions, and impressions their model."""
        joined = _counts(app.metrics.join, "outcome")
        new = {outcome: count - self._before.get(outcome, 0.0) for outcome, count in joined.items()}
        self._before = joined
        self._matched += new["feedback_matched"]
        self._unanswered += new["none"]
        self._astray += sum(new[one] for one in ASTRAY)
        says = (
            f"{self._unanswered:.0f} impressions closed without feedback, and {self._astray:.0f} of "
            f"{self._astray + self._matched:.0f} pieces of feedback found no impression"
        )
        app.conditions.say(LOCAL_TIME, zone := app.clock_gaps.says())
        says += f": {zone}" if zone else ""
        enough = min(self._unanswered, self._astray) >= ENOUGH
        app.conditions.say(FEEDBACK_NOT_JOINED, says if enough and self._astray > self._matched else None)
        if (pieces := self._matched + self._astray) > LATELY:
            faded = LATELY / pieces
            self._matched, self._astray = faded * self._matched, faded * self._astray
            self._unanswered = min(self._unanswered, LATELY)
        topics = app.settings.topics
        unknown = _of_unknown_models(app, topics.impressions), _of_unknown_models(app, topics.interactions)
        if unknown != self._unknown:
            self._unknown, self._unknown_at = unknown, now
        lately = now - self._unknown_at < UNKNOWN_SECONDS
        app.conditions.say(UNKNOWN_MODEL, _says_unknown(app, *unknown) if lately else None)


def _of_unknown_models(app: Groundswell, topic: str) -> float:
    wanted = {"reason": Reason.UNKNOWN_MODEL, "topic": topic}
    return sum(value for labels, value in samples(app.metrics.dead_letters) if wanted.items() <= labels.items())


def _says_unknown(app: Groundswell, impressions: float, interactions: float) -> str:
    """Say of which models so many impressions and interactions are not, and who may have those."""
    what = [(impressions, "impression"), (interactions, "interaction")]
    refused = " and ".join(counted(round(number), one) for number, one in what if number)
    configured = ", ".join(sorted(app.settings.models)) or "none"
    says = f"{refused} had to be refused: no such model is configured (there is {configured})"
    group = app.settings.kafka.group
    if interactions:  # which a worker writes that has the model
        return f"{says}, and another worker of the group {group} has it, or had: all need the same [models]"
    if len(app.partitions.joins) < app.settings.topics.event_partitions:
        return f"{says}. Other workers of the group {group} hold the other partitions: all need the same [models]"
    return says


def _counts(counter: Counter, label: str) -> dict[str, float]:
    return {labels[label]: value for labels, value in samples(counter)}


def not_ready(app: Groundswell) -> str | None:
    """Return why nothing can be read or written at this moment, or None."""
    app.conditions.say(RESTORING, _waiting_for(app))
    return app.conditions.not_ready()


def _waiting_for(app: Groundswell) -> str | None:
    if not app.flowing:
        return "waiting for partitions"
    if app.seeking:
        return "restoring partitions"
    if not (app.partitions.joins or app.partitions.learners):
        return "holds no partition"
    return None


def _received(app: Groundswell) -> float:
    topics = app.settings.topics
    counts = _counts(app.metrics.received, "topic")
    return counts.get(topics.impressions, 0.0) + counts.get(topics.feedback, 0.0)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
