"""Conditions: what is not as it should be is said once, stands on the page and in a metric, and ends."""

from __future__ import annotations

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from streams.observing.conditions import KAFKA_AWAY, KINDS, QUIET, SILENCE, TOPIC_MISSING, Conditions
from streams.observing.metrics import Metrics
from tests.unit.stand_ins import Time


@pytest.fixture
def clock() -> Time:
    return Time(1_000.0)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def conditions(metrics: Metrics, clock: Time) -> Conditions:
    return Conditions(metrics, clock)


def gauges(metrics: Metrics) -> list[str]:
    lines = generate_latest(metrics.registry).decode().splitlines()
    return [line for line in lines if line.startswith("groundswell_condition{")]


def test_it_is_said_once_however_often_it_is_looked_at(conditions: Conditions, clock: Time) -> None:
    with capture_logs() as logs:
        for second in range(10):
            clock.now += 1
            conditions.say(KAFKA_AWAY, f"no answer for {second} s")
    assert [(one["log_level"], one["event"]) for one in logs] == [("warning", "no answer for 0 s")]
    (stands,) = conditions.standing()
    assert (stands.since, stands.says) == (1_001_000, "no answer for 9 s")


def test_it_says_when_it_began_where_that_was_earlier(conditions: Conditions) -> None:
    conditions.say(QUIET, "quiet", since=990.5)
    assert conditions.standing()[0].since == 990_500


def test_it_ends_and_what_comes_again_soon_is_not_told_again(conditions: Conditions, clock: Time) -> None:
    with capture_logs() as logs:
        for _ in range(3):
            conditions.say(KAFKA_AWAY, "away")
            conditions.say(KAFKA_AWAY, None)
            conditions.say(KAFKA_AWAY, None)
        assert conditions.standing() == []
        clock.now += SILENCE
        conditions.say(KAFKA_AWAY, "away")
    assert [one["event"] for one in logs if one["log_level"] == "warning"] == ["away", "away"]
    assert len(conditions.standing()) == 1


def test_each_topic_has_a_condition_of_its_own_and_grave_ones_come_first(
    conditions: Conditions, metrics: Metrics
) -> None:
    conditions.say(QUIET, "quiet")
    conditions.say(TOPIC_MISSING, "gone", "feedback")
    conditions.say(TOPIC_MISSING, "gone", "impressions")
    assert [one.subject for one in conditions.standing()] == ["feedback", "impressions", ""]
    assert gauges(metrics) == [
        'groundswell_condition{condition="quiet",severity="note",subject=""} 1.0',
        'groundswell_condition{condition="topic_missing",severity="warning",subject="feedback"} 1.0',
        'groundswell_condition{condition="topic_missing",severity="warning",subject="impressions"} 1.0',
    ]
    conditions.forget("feedback")
    conditions.say(QUIET, None)
    assert [one.subject for one in conditions.standing()] == ["impressions"]
    assert len(gauges(metrics)) == 1


def test_what_keeps_it_from_reading_says_so_and_a_note_does_not(conditions: Conditions) -> None:
    conditions.say(QUIET, "quiet")
    assert conditions.not_ready() is None
    conditions.say(KAFKA_AWAY, "Kafka is away")
    assert conditions.not_ready() == "Kafka is away"


def test_a_note_is_no_warning(conditions: Conditions) -> None:
    with capture_logs() as logs:
        conditions.say(QUIET, "quiet")
    assert [one["log_level"] for one in logs] == ["debug"]


def test_names_are_distinct_and_fit_a_label_and_a_place_in_a_page() -> None:
    names = [kind.name for kind in KINDS]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name.islower() for name in names)
