"""Kafka's clients neither hurry nor shout while no broker answers."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import client
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.protocol.metadata import MetadataRequest_v4, MetadataResponse_v1

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


def known(*, policies: int | None = 0, feedback: int | None = 0) -> ClusterMetadata:
    """Return what is known of two topics with a partition each: by which node it is led, -1 by none; None: no topic."""
    cluster = ClusterMetadata()
    topics = [
        (0, name, False, [(0, 0, leader, [0], [0])])
        for name, leader in (("policies", policies), ("feedback", feedback))
        if leader is not None
    ]
    cluster.update_metadata(MetadataResponse_v1([(0, "localhost", 9092, None)], 0, topics))
    return cluster


def pauses(
    answers: list[bool], monkeypatch: pytest.MonkeyPatch, clusters: Sequence[ClusterMetadata] = ()
) -> list[float]:
    """Return how long each attempt is followed by silence, for attempts that end so and know this afterwards."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def update(client: Any, cluster: ClusterMetadata, topics: set[str]) -> bool:
        return answers[len(slept)]

    async def attempts() -> None:
        client, patiently = Client(), patient(update)
        all_of_them = clusters or [known()] * len(answers)
        assert [await patiently(client, each, {"policies", "feedback"}) for each in all_of_them] == answers

    monkeypatch.setattr(asyncio, "sleep", sleep)
    asyncio.run(attempts())
    return slept


def test_attempts_that_fail_come_ever_more_slowly_until_one_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = pauses([False, False, False, True, False], monkeypatch)
    assert slept == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 0.0, FIRST_PAUSE]
    assert max(pauses([False] * 20, monkeypatch)) == LONGEST_PAUSE


@pytest.mark.parametrize("lacking", [known(feedback=None), known(policies=-1), known(policies=None, feedback=None)])
def test_a_topic_that_is_not_there_or_not_led_is_asked_for_ever_more_slowly(
    monkeypatch: pytest.MonkeyPatch, lacking: ClusterMetadata
) -> None:
    slept = pauses([True] * 5, monkeypatch, [known(), lacking, lacking, known(), lacking])
    assert slept == [0.0, FIRST_PAUSE, 2 * FIRST_PAUSE, 0.0, FIRST_PAUSE]


def test_asking_for_a_topic_makes_none() -> None:
    make_clients_patient()
    asked = client.MetadataRequest(["feedback"]).build(MetadataRequest_v4)
    assert asked.allow_auto_topic_creation is False


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
