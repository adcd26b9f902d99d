"""Closing what an app holds while Kafka is away: it waits for what can still be written, and for nothing else, once.

Where the clients here waited for what cannot come, they would wait for an hour.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any, ClassVar

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaTimeoutError

from groundswell.client import EventLog, EventLogError, Policies, event_log, policies

HOUR = 3600.0


class Away:
    """A client of a Kafka that does not answer: it is made once somebody lets it."""

    DEFAULT_CONFIG: ClassVar[dict[str, Any]] = {**KafkaProducer.DEFAULT_CONFIG, **KafkaConsumer.DEFAULT_CONFIG}
    answers: threading.Event
    trying: threading.Event

    def __init__(self, **_: Any) -> None:
        self.trying.set()
        self.answers.wait()

    def close(self, **_: Any) -> None: ...


class There:
    """A producer that takes everything; counts how often it is closed."""

    DEFAULT_CONFIG = KafkaProducer.DEFAULT_CONFIG
    closed: ClassVar[list[float]] = []

    def __init__(self, **_: Any) -> None: ...

    def send(self, topic: str, key: bytes, value: bytes) -> There:
        return self

    def add_errback(self, _: object) -> None: ...

    def add_callback(self, done: Any) -> None:
        done(None)

    def close(self, timeout: float) -> None:
        self.closed.append(timeout)


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Away]]:
    monkeypatch.setattr(Away, "answers", threading.Event(), raising=False)
    monkeypatch.setattr(Away, "trying", threading.Event(), raising=False)
    monkeypatch.setattr(event_log, "KafkaProducer", Away)
    monkeypatch.setattr(policies, "KafkaConsumer", Away)
    yield Away
    Away.answers.set()


def test_nothing_is_waited_for_where_no_message_waits(away: type[Away]) -> None:
    log = EventLog("localhost:9092")
    assert away.trying.wait(HOUR)
    log.close(HOUR)
    log.close(HOUR)
    assert (log.written, log.failed) == (0, 0)


def test_what_is_closed_does_not_say_that_it_tries_again(
    away: type[Away], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(self: Away, **_: Any) -> None:
        self.trying.set()
        self.answers.wait()
        raise KafkaTimeoutError("Unable to bootstrap")

    monkeypatch.setattr(Away, "__init__", refuse)
    monkeypatch.setattr(policies, "CLOSE_SECONDS", 0.0)
    log = EventLog("localhost:9092")
    assert away.trying.wait(HOUR)
    away.trying.clear()
    following = Policies("localhost:9092", "feed")
    assert away.trying.wait(HOUR)
    log.close(HOUR)
    following.close()
    away.answers.set()
    log._thread.join(HOUR)
    following._thread.join(HOUR)
    assert "trying again" not in caplog.text


def test_closing_once_more_does_not_wait_once_more(away: type[Away]) -> None:
    log = EventLog("localhost:9092")
    assert away.trying.wait(HOUR)
    waiting: Future[None] = log.feedback("i", "click")
    log.close(seconds=0)
    with pytest.raises(EventLogError, match="closed before Kafka could be reached"):
        waiting.result(HOUR)
    log.close(HOUR)
    assert log.failed == 1
    with pytest.raises(EventLogError, match="the log is closed: make a new one"):
        log.feedback("i", "click").result(HOUR)


def test_a_producer_that_is_there_is_closed_once_with_all_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "KafkaProducer", There)
    monkeypatch.setattr(There, "closed", [])
    with EventLog("localhost:9092") as log:
        log.feedback("i", "click")
        log.close(HOUR)
    log.close(HOUR)
    assert (log.written, log.failed) == (1, 0)
    assert len(There.closed) == 1
    assert There.closed[0] > HOUR / 2


def test_policies_are_closed_once(away: type[Away], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "CLOSE_SECONDS", 0.0)
    following = Policies("localhost:9092", "feed")
    assert away.trying.wait(HOUR)
    following.close()
    monkeypatch.setattr(policies, "CLOSE_SECONDS", HOUR)
    following.close()
    assert following.basis == "uniform"


def test_a_producer_whose_kafka_went_away_is_closed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(There):
        def flush(self, timeout: float | None = None) -> None:
            raise KafkaTimeoutError("Timeout waiting for future")

        def close(self, timeout: float) -> None:
            self.flush(timeout)
            super().close(timeout)

    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    monkeypatch.setattr(event_log, "KafkaProducer", Gone)
    monkeypatch.setattr(There, "closed", [])
    with EventLog("localhost:9092") as log:
        log.feedback("i", "click").result(HOUR)
    assert (There.closed, told) == ([0], [])


def test_a_message_that_is_taken_back_before_kafka_has_it_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    answers = threading.Event()

    class Late(There):
        def __init__(self, **_: Any) -> None:
            answers.wait()

        def send(self, topic: str, key: bytes, value: bytes) -> There:
            sent.append(key)
            return self

    monkeypatch.setattr(event_log, "KafkaProducer", Late)
    with EventLog("localhost:9092") as log:
        taken_back, kept = log.feedback("taken-back", "click"), log.feedback("kept", "click")
        assert taken_back.cancel()
        answers.set()
        kept.result(HOUR)
        assert not kept.cancel()  # too late
    assert sent == [b"kept"]
    assert (log.written, log.failed) == (1, 0)
