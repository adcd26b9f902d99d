"""Feedback by segment: in time or late, of a sample that is the same for both, and bounded."""

from __future__ import annotations

from processors.admission.event_records import readmit_feedback, readmit_impression
from processors.join.entries import ObservedFeedback, Outcome, Pending, Stray
from streams.observing.context_segments import Segments
from streams.observing.late_by_segment import FOR_MS, IN_TIME, LATE, MOST_REMEMBERED, LateBySegment
from streams.observing.metrics import Metrics
from streams.settings import SegmentSettings
from tests.factories import MODEL, encode, feedback, impression


class Counted:
    """What one partition counts; ids are numbers."""

    def __init__(self, *, model: str = MODEL) -> None:
        self.metrics = Metrics()
        self.late = LateBySegment(self.metrics, {model: Segments(SegmentSettings(feature="platform"))})

    def close(self, number: int, platform: str, *signals: str, at: int = 1_000, deferred: bool = False) -> None:
        value = encode(impression(f"i{number}", at, context={"platform": platform}, deferred=deferred))
        answers = tuple(answer(number, signal) for signal in signals)
        self.late.closed([Pending(readmit_impression(value, number), at, answers)])

    def stray(self, number: int, reason: Outcome = Outcome.LATE) -> None:
        self.late.strays([Stray(answer(number, "click"), reason, 5)])

    def count(self, platform: str, came: str) -> float:
        return float(self.metrics.segment_feedback.labels(MODEL, platform, came)._value.get())


def answer(number: int, signal: str) -> ObservedFeedback:
    return readmit_feedback(encode(feedback(f"i{number}", signal=signal)), number, 0)


def test_late_feedback_is_counted_where_its_impression_was_shown() -> None:
    counted = Counted()
    counted.close(1, "web", "click", "like")
    counted.close(2, "tv")
    counted.close(3, "tv")
    counted.stray(2)
    counted.stray(3, Outcome.ORPHAN)
    assert (counted.count("web", IN_TIME), counted.count("web", LATE)) == (2, 0)
    assert (counted.count("tv", IN_TIME), counted.count("tv", LATE)) == (0, 2)


def test_what_is_not_late_or_of_no_known_impression_is_not_counted() -> None:
    counted = Counted()
    counted.close(1, "web", "shown", deferred=True)
    counted.stray(1, Outcome.TOO_EARLY)
    counted.stray(2)
    assert (counted.count("web", IN_TIME), counted.count("web", LATE)) == (0, 0)


def test_models_without_segments_are_left_alone() -> None:
    counted = Counted(model="another")
    counted.close(1, "web", "click")
    counted.stray(1)
    assert (counted.count("web", IN_TIME), counted.count("web", LATE)) == (0, 0)


def test_an_impression_is_forgotten_after_a_day() -> None:
    counted = Counted()
    counted.close(1, "web", at=1_000)
    counted.close(2, "web", at=1_000 + FOR_MS + 1)
    counted.stray(1)
    counted.stray(2)
    assert counted.count("web", LATE) == 1


def test_where_there_are_many_the_share_of_a_sample_stands_for_all() -> None:
    counted = Counted()
    many = 3 * MOST_REMEMBERED
    for number in range(many):
        counted.close(number, "tv", *["click"] * (number % 2))
    before = counted.count("tv", IN_TIME)
    for number in range(0, many, 2):
        counted.stray(number)
    remembered = counted.count("tv", LATE)
    assert 0.2 * MOST_REMEMBERED < remembered <= 0.55 * MOST_REMEMBERED
    for number in range(many, many + 8_000):
        counted.close(number, "tv", *["click"] * (number % 2))
        if number % 2 == 0:
            counted.stray(number)
    in_time, late = counted.count("tv", IN_TIME) - before, counted.count("tv", LATE) - remembered
    assert 0.45 < late / (in_time + late) < 0.55
