"""What an app is told while no broker answers: soon, in words, once, and then now and then."""

from __future__ import annotations

import logging

import pytest
from kafka.errors import KafkaTimeoutError

from groundswell.client.reaching import FIRST_SECONDS, LONGEST_SECONDS, SILENCE_SECONDS, Attempts

LOG = logging.getLogger(__name__)
GIVEN = {"bootstrap_servers": "localhost:9092"}


def test_it_is_said_once_and_then_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    attempts = Attempts(LOG, GIVEN, clock=lambda: now[0])
    said = attempts.failed(KafkaTimeoutError("Unable to bootstrap"))
    assert said.startswith("Kafka cannot be reached: no broker answers at localhost:9092 (")
    assert "See whether it runs, has this address, and takes this security_protocol and user" in said
    now[0] = SILENCE_SECONDS - 1
    attempts.failed(KafkaTimeoutError("Unable to bootstrap"))
    assert [one.getMessage() for one in caplog.records] == [said]
    now[0] = SILENCE_SECONDS
    attempts.failed(KafkaTimeoutError("Unable to bootstrap"))
    assert len(caplog.records) == 2


def test_the_first_attempt_is_short_and_a_slow_broker_gets_more_time_at_each() -> None:
    attempts, seconds = Attempts(LOG, GIVEN), []
    for _ in range(6):
        seconds.append(attempts.arguments()["bootstrap_timeout_ms"] / 1000)
        attempts.failed(KafkaTimeoutError())
    assert seconds == [FIRST_SECONDS, 6, 12, 24, LONGEST_SECONDS, LONGEST_SECONDS]
    attempts.succeeded()
    assert attempts.arguments()["bootstrap_timeout_ms"] == 1000 * FIRST_SECONDS
    assert Attempts(LOG, {**GIVEN, "bootstrap_timeout_ms": 7}).arguments()["bootstrap_timeout_ms"] == 7


def test_what_is_no_matter_of_brokers_is_told_as_it_is() -> None:
    assert Attempts(LOG, GIVEN).failed(ValueError("acks must be one of")) == (
        "Kafka cannot be reached: acks must be one of; trying again"
    )
