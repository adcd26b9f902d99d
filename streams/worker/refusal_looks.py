"""How much of what comes on each topic is refused: one wrong message is one wrong message, most of them is a fault."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

from processors.admission.event_records import Reason
from streams.observing.conditions import MOSTLY_REFUSED
from streams.observing.metrics import samples
from streams.worker.worker_app import Groundswell

MEMORY: Final = 100
"""A topic is judged of about its last so many messages, or of those that came since the last look."""
FEW: Final = 2
"""Refused messages that say nothing yet of the others."""
MOST: Final = 0.5
"""A share that is more than some."""
SILENCE_SECONDS: Final = 600.0
"""After which what was refused is the past: whoever wrote it has stopped."""


class RefusalLooks:
    """Looks at what was counted as read and as refused. Moments are in seconds since 1970."""

    def __init__(self) -> None:
        self._topics: defaultdict[str, TopicRefusals] = defaultdict(TopicRefusals)

    def look(self, app: Groundswell, now: float) -> None:
        """Say of each topic whether most of what comes on it is refused, why, and what shows it."""
        refused: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for labels, value in samples(app.metrics.dead_letters):
            # Of a model that is not configured there is a condition of its own.
            if labels["reason"] != Reason.UNKNOWN_MODEL:
                refused[labels["topic"]][labels["reason"]] += round(value)
        for labels, value in samples(app.metrics.received):
            topic = labels["topic"]
            seen = self._topics[topic]
            seen.counted(round(value), refused[topic], now)
            app.conditions.say(MOSTLY_REFUSED, self._in_words(app, topic, seen, now), topic)

    @staticmethod
    def _in_words(app: Groundswell, topic: str, seen: TopicRefusals, now: float) -> str | None:
        reason = seen.commonest(now)
        if reason is None:
            return None
        example = app.refusals.newest(topic, reason)
        unanswered = ", so that impressions pass for unanswered" if topic == app.settings.topics.feedback else ""
        return (
            f"{seen.share:.0%} of what comes on {topic} is refused{unanswered}, mostly for {reason}"
            + (f" ({example})" if example else "")
            + f": see `groundswell dead-letters --reason {reason}`"
        )


class TopicRefusals:
    """What was read of one topic and refused of it, by reason; the more has come since, the less it counts.

    `memory` is of about how many messages, or of those since the last look where these are more.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self._memory = memory
        self._read = 0.0
        self._refused: dict[str, float] = {}
        self._read_in_all = 0
        self._refused_in_all: Counter[str] = Counter()
        self._refused_at = 0.0

    def counted(self, read: int, refused: Counter[str], now: float) -> None:
        """Take in how many were read and refused since the worker started."""
        new, newly_refused = read - self._read_in_all, refused - self._refused_in_all
        self._read_in_all, self._refused_in_all = read, refused
        if newly_refused:
            self._refused_at = now
        counted = self._read + new
        remembered = min(1.0, self._memory / max(counted, 1.0))
        self._read = remembered * counted
        reasons = {*self._refused, *newly_refused}
        self._refused = {one: remembered * (self._refused.get(one, 0.0) + newly_refused[one]) for one in reasons}

    @property
    def share(self) -> float:
        """The share that is refused, of 1."""
        # A message may be refused long after it was read: where its window had closed, or too many wait.
        return min(1.0, sum(self._refused.values()) / max(self._read, 1.0))

    def lately(self, reason: str, now: float) -> tuple[float, float]:
        """Return how many were refused for a reason lately, and the share of what was read (of 1)."""
        number = 0.0 if now - self._refused_at >= SILENCE_SECONDS else self._refused.get(reason, 0.0)
        return number, min(1.0, number / max(self._read, 1.0))

    def commonest(self, now: float) -> str | None:
        """Return the commonest reason where most are refused, else None."""
        if now - self._refused_at >= SILENCE_SECONDS or sum(self._refused.values()) <= FEW or self.share <= MOST:
            return None
        return max(sorted(self._refused), key=self._refused.__getitem__)
