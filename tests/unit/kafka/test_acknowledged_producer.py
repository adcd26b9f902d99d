"""Producing: the failure of any message is noticed, and what is outstanding stays bounded."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from streams.kafka import acknowledged_producer
from streams.kafka.acknowledged_producer import PATIENCE, SILENCE, AcknowledgedProducer, SendError


class Broker:
    """Stands in for the client: acknowledges when asked, except for the messages that it is told to lose."""

    def __init__(self, lost: frozenset[bytes]) -> None:
        self.lost = lost
        self.slow: frozenset[bytes] = frozenset()
        self.waited: list[float] = []
        self.outstanding = 0
        self.most_outstanding = 0
        self.closed = self.away = False

    def send(
        self, topic: str, value: bytes, key: bytes | None, partition: int | None, headers: object
    ) -> Acknowledgement:
        if len(value) > 10:
            raise MessageSizeTooLargeError(f"{len(value)} bytes")
        self.outstanding += 1
        self.most_outstanding = max(self.most_outstanding, self.outstanding)
        return Acknowledgement(self, value)

    def flush(self, timeout: float | None = None) -> None:
        if self.away:
            raise KafkaTimeoutError("Timeout waiting for future")

    def close(self, timeout: float) -> None:
        self.flush(timeout)
        self.closed = True


class Acknowledgement:
    def __init__(self, broker: Broker, value: bytes) -> None:
        self.broker = broker
        self.value = value
        self.is_done = value not in broker.slow

    def get(self, timeout: float) -> None:
        self.broker.waited.append(timeout)
        if not self.is_done:
            self.is_done = timeout > SILENCE
            raise KafkaTimeoutError(f"Timeout after waiting for {timeout} secs.")
        self.broker.outstanding -= 1
        if self.value in self.broker.lost:
            raise KafkaTimeoutError("delivery timed out")


def connected(monkeypatch: pytest.MonkeyPatch, *lost: bytes) -> tuple[Broker, AcknowledgedProducer]:
    broker = Broker(frozenset(lost))

    def connect(**_: Any) -> Broker:
        return broker

    monkeypatch.setattr(acknowledged_producer, "KafkaProducer", connect)
    return broker, AcknowledgedProducer("broker:9092", in_flight=3)


def send_ten(producer: AcknowledgedProducer) -> None:
    with producer:
        for number in range(10):
            producer.send("t", str(number).encode())


@pytest.mark.parametrize("lost", [b"0", b"5", b"9"])
def test_one_lost_message_is_an_error(monkeypatch: pytest.MonkeyPatch, lost: bytes) -> None:
    broker, producer = connected(monkeypatch, lost)
    with pytest.raises(SendError, match=r"not acknowledged by broker:9092"):
        send_ten(producer)
    assert broker.closed


def test_where_kafka_went_away_that_is_said_and_the_client_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    broker, producer = connected(monkeypatch, b"5")
    broker.away = True
    with pytest.raises(SendError, match=r"not acknowledged by broker:9092.*`groundswell doctor`"):
        send_ten(producer)
    assert broker.closed


def test_a_broker_that_is_silent_is_said_long_before_it_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broker, producer = connected(monkeypatch)
    broker.slow = frozenset({b"4"})
    with pytest.raises(SendError, match=r"not acknowledged by broker:9092"):
        send_ten(producer)
    assert broker.waited[4:6] == [SILENCE, PATIENCE - SILENCE]
    [said] = [one.getMessage() for one in caplog.records]
    assert "broker:9092 has acknowledged nothing for 10 s; giving up in 50 s. See whether the brokers are up" in said


def test_leaving_waits_for_all_and_the_outstanding_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    broker, producer = connected(monkeypatch)
    send_ten(producer)
    assert broker.outstanding == 0
    assert broker.most_outstanding == 3
    assert broker.closed


def test_a_message_that_the_client_refuses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _, producer = connected(monkeypatch)
    with pytest.raises(SendError, match="takes no message"), producer:
        producer.send("t", b"x" * 11)


def test_an_error_on_its_way_out_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    broker, producer = connected(monkeypatch, b"1")

    def interrupted() -> None:
        with producer:
            producer.send("t", b"1")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        interrupted()
    assert broker.closed
