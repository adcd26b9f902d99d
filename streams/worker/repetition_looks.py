"""How much of what comes bears the id of another message: a retry now and then, or one id for several things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from processors.join.entries import Outcome
from streams.observing.conditions import ID_REUSED
from streams.observing.metrics import samples
from streams.worker.refusal_looks import TopicRefusals
from streams.worker.worker_app import Groundswell

MEMORY: Final = 1000
"""A topic is judged of about its last so many messages."""
ENOUGH: Final = 10
"""Messages under the id of another that are more than stray ones."""


class Repetition(NamedTuple):
    """A kind of repetition: what the join counts it as, from which share on it is no accident, and what it is."""

    outcome: Outcome
    most: float
    says: str


OF_IMPRESSIONS: Final = (
    Repetition(
        Outcome.CONFLICTING_IMPRESSION,
        0.05,
        "of the impressions bear the impression_id of another that still waits, and say something else: nothing is "
        "learned of them, and their feedback counts for the first. Each thing that is shown needs an id of its own",
    ),
    Repetition(
        Outcome.DUPLICATE_IMPRESSION,
        0.5,
        "of the impressions bear the impression_id of an earlier one, and are taken for its retries: nothing is "
        "learned of them. An id stands for one thing shown once, not for a person, a page or a session",
    ),
)
"""Retries with the same bytes are nothing wrong, so that of them it takes more."""
OF_FEEDBACK: Final = (
    Repetition(
        Outcome.DUPLICATE_FEEDBACK,
        0.2,
        "of the feedback bears the feedback_id of an earlier piece to the same impression, and is taken for its "
        "retry: it does not count. Each piece needs an id of its own",
    ),
)


class RepetitionLooks:
    """Looks at what the join counts as repeated. Moments are in seconds since 1970."""

    def __init__(self) -> None:
        self._impressions, self._feedback = TopicRefusals(MEMORY), TopicRefusals(MEMORY)

    def look(self, app: Groundswell, now: float) -> None:
        """Say of both topics of events whether ids are used more than once there."""
        topics = app.settings.topics
        joined = Counter({labels["outcome"]: round(value) for labels, value in samples(app.metrics.join)})
        received = {labels["topic"]: round(value) for labels, value in samples(app.metrics.received)}
        for topic, seen, kinds in (
            (topics.impressions, self._impressions, OF_IMPRESSIONS),
            (topics.feedback, self._feedback, OF_FEEDBACK),
        ):
            repeated = Counter({kind.outcome.value: joined[kind.outcome] for kind in kinds})
            seen.counted(received.get(topic, 0), repeated, now)
            app.conditions.say(ID_REUSED, next(_noticeable(seen, kinds, now), None), topic)


def _noticeable(seen: TopicRefusals, kinds: Sequence[Repetition], now: float) -> Iterator[str]:
    for kind in kinds:
        number, share = seen.lately(kind.outcome, now)
        if number >= ENOUGH and share >= kind.most:
            yield f"{share:.0%} {kind.says}"
