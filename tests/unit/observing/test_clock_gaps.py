"""What is said of the clocks of apps, by what comes late or too early."""

from __future__ import annotations

import random

import pytest

from processors.join.config import JoinConfig
from processors.join.entries import LateImpression, ObservedFeedback, Outcome, ShownImpression, Stray
from streams.observing.clock_gaps import LATELY_SECONDS, ClockGaps
from tests.unit.stand_ins import Time

HOUR = 3_600_000
PIECE = ObservedFeedback("f", "i", 0, "click", 0, b"")
SHOWN = ShownImpression("i", 0, "feed", 0, b"")


def strays(gaps: ClockGaps, reason: Outcome, hours: float, wait: float = 600.0, number: int = 100) -> None:
    """Let feedback come that people gave within a minute or so, by a clock that is so many hours off."""
    chance = random.Random(5)
    for _ in range(number):
        late = hours * HOUR + chance.expovariate(1 / 60_000) - 1000 * wait
        gaps.stray(Stray(PIECE, reason, round(late)))


@pytest.mark.parametrize(
    ("reason", "hours", "says"),
    [
        (Outcome.LATE, 5, "the event times of impressions are about 5 h behind, as local time is"),
        (Outcome.TOO_EARLY, -5.5, "the event times of feedback are about 5.5 h behind, as local time is"),
        (Outcome.LATE, 5.2, None),
        (Outcome.LATE, 0.2, None),
        (Outcome.TOO_MANY, 5, None),
    ],
)
def test_feedback_that_is_hours_off_as_a_zone_is(reason: Outcome, hours: float, says: str | None) -> None:
    gaps = ClockGaps(JoinConfig())
    strays(gaps, reason, hours)
    assert (gaps.says() or "").startswith(says or "")
    assert (gaps.says() is None) == (says is None)


def test_what_is_late_since_people_take_their_time_begins_where_the_wait_ends() -> None:
    gaps = ClockGaps(JoinConfig(wait=3600.0))
    strays(gaps, Outcome.LATE, 1, wait=3600.0)
    assert gaps.says() is None


def test_impressions_that_are_late_by_a_zone_and_those_of_phones_that_were_offline() -> None:
    config = JoinConfig()
    gaps, closed = ClockGaps(config), round(1000 * (config.wait + config.grace))
    for number in range(100):
        gaps.late(LateImpression(SHOWN, 7 * HOUR + 50 * number - closed))
    assert gaps.says() == (
        "the event times of some impressions are about 7 h behind, as local time is that was written for UTC"
    )
    gaps = ClockGaps(config)
    for number in range(100):
        gaps.late(LateImpression(SHOWN, number * 311_000))
    assert gaps.says() is None


def test_a_few_say_nothing_and_what_was_long_ago_is_forgotten() -> None:
    clock = Time()
    gaps = ClockGaps(JoinConfig(), clock)
    strays(gaps, Outcome.LATE, 5, number=19)
    assert gaps.says() is None
    strays(gaps, Outcome.LATE, 5)
    assert gaps.says() is not None
    clock.now += LATELY_SECONDS + 1
    assert gaps.says() is None
