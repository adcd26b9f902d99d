"""Kafka's clients neither hurry nor shout while no broker answers."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient

from streams.kafka.patient_clients import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    SILENCE,
    OnceInAWhile,
    make_clients_patient,
    patient,
)


class Client:
    """Stands for a client of aiokafka."""


def pauses(answers: list[bool], monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return how long each attempt is followed by silence, for attempts that end so."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def update(client: Any, number: int) -> bool:
        return answers[number]

    async def attempts() -> None:
        client, patiently = Client(), patient(update)
        assert [await patiently(client, number) for number in range(len(answers))] == answers

    monkeypatch.setattr(asyncio, "sleep", sleep)
    asyncio.run(attempts())
    return slept


def test_attempts_that_fail_come_ever_more_slowly_until_one_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = pauses([False, False, False, True, False], monkeypatch)
    assert slept == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 0.0, FIRST_PAUSE]
    assert max(pauses([False] * 20, monkeypatch)) == LONGEST_PAUSE


def test_aiokafka_is_made_patient_once() -> None:
    make_clients_patient()
    wrapped = AIOKafkaClient._metadata_update
    make_clients_patient()
    assert AIOKafkaClient._metadata_update is wrapped
    assert list(inspect.signature(wrapped).parameters) == ["self", "cluster_metadata", "topics"]
    filters = logging.getLogger("aiokafka").filters
    assert sum(isinstance(one, OnceInAWhile) for one in filters) == 1


def test_a_message_is_said_once_in_a_while() -> None:
    now = 0.0
    once = OnceInAWhile(clock=lambda: now)

    def passes(node: int) -> bool:
        return once.filter(logging.LogRecord("aiokafka", logging.ERROR, "", 0, "no node %d", (node,), None))

    assert [passes(1), passes(1), passes(2)] == [True, False, True]
    now = SILENCE
    assert [passes(1), passes(1)] == [True, False]
