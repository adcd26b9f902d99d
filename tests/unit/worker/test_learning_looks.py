"""What is said of a model's signals, assumptions and segments, and when it is no longer said."""

from __future__ import annotations

import pytest

from streams.observing.conditions import Conditions
from streams.observing.late_by_segment import IN_TIME, LATE
from streams.observing.metrics import Metrics
from streams.worker.learning_looks import FEWEST_LATE, MARK_SECONDS, MARKS, VIOLATED, YOUNG, LearningLooks
from tests.unit.stand_ins import Time

MODELS = ("feed", "search")


class Looking:
    """Metrics, what is said of them, and a clock."""

    def __init__(self) -> None:
        self.metrics, self.clock = Metrics(), Time()
        self.conditions = Conditions(self.metrics, self.clock)
        self._looks = LearningLooks(self.metrics, self.conditions)

    def said(self, seconds: float = 1) -> dict[tuple[str, str], str]:
        """Let time pass and look; return what stands by its name and model."""
        self.clock.now += seconds
        self._looks.look(MODELS, self.clock.now)
        return {(one.name, one.subject): one.says for one in self.conditions.standing()}

    def feedback(self, segment: str, *, late: float, in_time: float = 0.0) -> None:
        """Count feedback of a segment of `feed`."""
        self.metrics.segment_feedback.labels("feed", segment, LATE).inc(late)
        self.metrics.segment_feedback.labels("feed", segment, IN_TIME).inc(in_time)


@pytest.fixture
def looking() -> Looking:
    return Looking()


def test_nothing_is_said_of_what_is_well(looking: Looking) -> None:
    looking.metrics.policy_version.labels("feed").set(2 * YOUNG)
    looking.metrics.violated.labels("feed", "definite_signal").set(0)
    looking.feedback("tv", late=FEWEST_LATE, in_time=100 * FEWEST_LATE)
    assert looking.said() == {}


def test_signals_that_tell_the_action_are_named_with_what_becomes_of_them(looking: Looking) -> None:
    looking.metrics.leaking_signals.labels("feed", "autoplay", "true").set(0.8)
    looking.metrics.leaking_signals.labels("feed", "report", "false").set(0.4)
    says = looking.said()["signal_tells_action", "feed"]
    assert says.index("autoplay") < says.index("report"), "the clearest first"
    assert "it explains 80%), and is not learned from" in says
    assert "it explains 40%), and is learned from, as the configuration names it" in says
    looking.metrics.drop_leaks("feed")
    assert looking.said() == {}


def test_many_of_them_are_counted(looking: Looking) -> None:
    for number in range(9):
        looking.metrics.leaking_signals.labels("feed", f"signal {number}", "true").set(0.5)
    says = looking.said()["signal_tells_action", "feed"]
    assert says.endswith("and 6 more")
    assert "signal 3" not in says


@pytest.mark.parametrize("assumption", VIOLATED)
def test_an_assumption_that_fails_is_said_in_words_once_a_model_is_not_young(looking: Looking, assumption: str) -> None:
    looking.metrics.violated.labels("feed", assumption).set(1)
    looking.metrics.policy_version.labels("feed").set(YOUNG)
    assert looking.said() == {}
    looking.metrics.policy_version.labels("feed").set(YOUNG + 1)
    assert looking.said() == {("assumption_violated", "feed"): VIOLATED[assumption]}
    looking.metrics.violated.labels("feed", assumption).set(0)
    assert looking.said() == {}


def test_a_segment_whose_feedback_comes_late_is_said_while_it_does(looking: Looking) -> None:
    looking.said()
    looking.feedback("phone", late=1, in_time=1000)
    looking.feedback("tv", late=FEWEST_LATE - 1, in_time=FEWEST_LATE)
    assert looking.said() == {}, "a few pieces say nothing"
    looking.feedback("tv", late=1)
    assert looking.said() == {
        ("segment_late", "feed"): "feedback comes after the wait, and is not learned from: 50% of segment tv"
    }
    looking.feedback("tv", late=0, in_time=100 * FEWEST_LATE)
    assert looking.said() == {}, "most of it is in time again"


def test_late_feedback_of_long_ago_is_not_held_against_a_segment(looking: Looking) -> None:
    looking.said()
    looking.feedback("tv", late=10 * FEWEST_LATE)
    assert ("segment_late", "feed") in looking.said()
    for _ in range(MARKS):
        said = looking.said(MARK_SECONDS)
    assert said == {}
