"""The past of each model, for the live page: bounded, and kept beside the checkpoints, so that it survives a restart.

It lies under a key of its own beside the checkpoint, not in it: what was learned is a function of the log alone, and a
past is of this worker's clock. Nothing is decided by it; one that cannot be read is begun anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from processors.learners.people_differ import PeopleDiffer
from streams.observing.bounded_history import BoundedHistory
from streams.observing.logs import get_log
from streams.observing.recent_past import ByState, KeptRecently, RecentPast
from streams.observing.shown_actions import ShownActions

LOG = get_log(__name__)
SAMPLE_SECONDS: Final = 1.0
"""Between the first points of a past."""
DIGITS: Final = 4
"""That are kept of shares and values: nobody sees more on a chart."""


class Value(Struct):
    """The estimated value of what the policy ranks first, its 95% interval, and the mean of what was shown."""

    value: float
    lower: float
    upper: float
    logged: float


class Point(Struct):
    """One moment of a model's past, in ms since 1970: shares of the reward states, and the value where it is known."""

    at: int
    rates: ByState
    value: Value | None


class Kept(Struct):
    """A past as it lies on the topic of checkpoints: `interval` is in seconds, between its points.

    `recent` is what was seen lately, None in pasts of releases that kept nothing of it; `segments` is the feature whose
    values were the segments then.
    """

    interval: float
    points: list[Point]
    recent: KeptRecently | None = None
    segments: str | None = None


def past_key(model: str) -> bytes:
    """Return the key under which the past of a model lies on the topic of checkpoints."""
    return b"past/" + model.encode()


class ModelPasts:
    """The pasts of the models of one worker. `segments` names, by model, the feature whose values are its segments."""

    def __init__(self, segments: Mapping[str, str] | None = None) -> None:
        self._segments = segments or {}
        self._pasts: dict[str, BoundedHistory[Point]] = {}
        self._recent: dict[str, RecentPast] = {}

    def recent(self, model: str) -> RecentPast:
        """Return what a model has seen lately, to be added to."""
        return self._recent.setdefault(model, RecentPast())

    def leave(self, model: str) -> None:
        """Forget what was shown and by what people differ of a model that another worker learns from now on."""
        recent = self.recent(model)
        recent.shown, recent.people = ShownActions(), PeopleDiffer()

    def add(self, model: str, now: float, point: Point) -> None:
        """Take in a moment (seconds since 1970) if a point is due."""
        self._pasts.setdefault(model, BoundedHistory(SAMPLE_SECONDS)).add(now, point)

    def points(self, model: str) -> list[Point]:
        """Return the past of a model, the oldest moment first."""
        return [point for _, point in self._pasts[model].points] if model in self._pasts else []

    def kept(self, model: str) -> bytes | None:
        """Return the past of a model as it is to be kept, or None where there is none."""
        if model not in self._pasts:
            return None
        past = self._pasts[model]
        points = [_rounded(point) for _, point in past.points]
        return msgspec.json.encode(Kept(past.interval, points, self.recent(model).kept(), self._segments.get(model)))

    def restore(self, model: str, value: bytes) -> None:
        """Go on from a past that was kept, unless a newer one is known here."""
        try:
            kept = msgspec.json.decode(value, type=Kept)
            past = BoundedHistory[Point].of(kept.interval, [(point.at / 1000, point) for point in kept.points])
            known = self.points(model)
            if not kept.points or (known and kept.points[-1].at < known[-1].at):
                return
            if kept.recent is not None and kept.segments == self._segments.get(model):
                self.recent(model).restore(kept.recent)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            LOG.warning("the past of a model cannot be read, and begins anew", model=model, reason=str(error))
            return
        self._pasts[model] = past


def _rounded(point: Point) -> Point:
    minus, zero, plus, unknown = (round(rate, DIGITS) for rate in point.rates)
    value = point.value
    if value is not None:
        value = Value(*(round(number, DIGITS) for number in (value.value, value.lower, value.upper, value.logged)))
    return Point(point.at, (minus, zero, plus, unknown), value)
