"""How it stands with what is learned: signals that tell the action, assumptions that fail, segments that answer late.

The metrics have all of it; here it becomes conditions, within the bounds of the alarms.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from streams.observing.conditions import ASSUMPTION_VIOLATED, SEGMENT_LATE, SIGNAL_TELLS_ACTION, Conditions
from streams.observing.late_by_segment import LATE
from streams.observing.metrics import Metrics, samples

VIOLATED: Final[Mapping[str, str]] = {
    "definite_signal": "no definite signal has come yet: satisfied and dissatisfied could change places",
    "informative_feedback": "feedback tells nothing about what was shown",
    "indifference": "next to nobody is indifferent: what passes for 0 could be satisfaction",
    "rare_extremes": "most people are satisfied or dissatisfied, and the rule takes that for rare",
}
"""What does not hold where data cannot tell what people felt, by its name in `Assumption`."""
YOUNG: Final = 5000
"""Interactions up to which it is no wonder that an assumption cannot be seen to hold."""
MARK_SECONDS: Final = 300.0
MARKS: Final = 6
"""Late feedback is judged since the oldest of so many marks: of about the last half hour."""
FEWEST_LATE: Final = 10
MOST_LATE: Final = 0.1
"""Of a segment's feedback."""
MOST_NAMED: Final = 3
"""Signals or segments in one sentence."""

Counts = Mapping[tuple[str, str, str], float]
"""Pieces of feedback by model, segment and outcome."""


class LearningLooks:
    """Looks at the metrics of what this worker learns. Moments are in seconds since 1970."""

    def __init__(self, metrics: Metrics, conditions: Conditions) -> None:
        self._metrics = metrics
        self._conditions = conditions
        self._marks: deque[tuple[float, Counts]] = deque(maxlen=MARKS)

    def look(self, models: Iterable[str], now: float) -> None:
        """Say of each model how it stands."""
        since = self._since(now)
        for model in models:
            self._conditions.say(SIGNAL_TELLS_ACTION, self._leaking(model), model)
            self._conditions.say(ASSUMPTION_VIOLATED, self._violated(model), model)
            self._conditions.say(SEGMENT_LATE, _late(model, since), model)

    def _leaking(self, model: str) -> str | None:
        found = sorted(
            (-share, labels["signal"], labels["left_out"] == "true")
            for labels, share in samples(self._metrics.leaking_signals)
            if labels["model"] == model
        )
        if not found:
            return None
        said = [
            f"{signal} tells which action was shown, whoever sees it (it explains {-share:.0%}), and is "
            + ("not learned from" if left_out else "learned from, as the configuration names it")
            for share, signal, left_out in found
        ]
        return _together(said)

    def _violated(self, model: str) -> str | None:
        learned = sum(value for labels, value in samples(self._metrics.policy_version) if labels["model"] == model)
        if learned <= YOUNG:
            return None
        return _together([VIOLATED[assumption] for assumption in violated(self._metrics, model)])

    def _since(self, now: float) -> Counts:
        """Return what has been counted in the last half hour or so."""
        counts = {
            (labels["model"], labels["segment"], labels["outcome"]): value
            for labels, value in samples(self._metrics.segment_feedback)
        }
        if not self._marks or now - self._marks[-1][0] >= MARK_SECONDS:
            self._marks.append((now, counts))
        before = self._marks[0][1]
        return {key: count - before.get(key, 0.0) for key, count in counts.items()}


def violated(metrics: Metrics, model: str) -> list[str]:
    """Return the names of the assumptions of a model that do not hold."""
    return [labels["assumption"] for labels, value in samples(metrics.violated) if labels["model"] == model and value]


def _late(model: str, counts: Counts) -> str | None:
    by_segment: dict[str, list[float]] = {}
    for (counted, segment, outcome), count in counts.items():
        if counted == model:
            late, total = by_segment.setdefault(segment, [0.0, 0.0])
            by_segment[segment] = [late + count * (outcome == LATE), total + count]
    found = sorted(
        (-late / total, segment)
        for segment, (late, total) in by_segment.items()
        if late >= FEWEST_LATE and late > MOST_LATE * total
    )
    if not found:
        return None
    named = _together([f"{-share:.0%} of segment {segment}" for share, segment in found], ", ")
    return f"feedback comes after the wait, and is not learned from: {named}"


def _together(said: list[str], between: str = "; ") -> str | None:
    """Return the first ones as one text, and how many more there are."""
    if not said:
        return None
    further = len(said) - MOST_NAMED
    return between.join(said[:MOST_NAMED]) + (f"{between}and {further} more" if further > 0 else "")
