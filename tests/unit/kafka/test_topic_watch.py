"""How topics are asked about, and what a broker's answer is taken for."""

from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path
from uuid import UUID

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataResponse_v4

from experiments.servers.embedded_broker import EmbeddedBroker, free_port
from streams.kafka.topic_watch import SeenTopic, TopicWatch, _seen, _Topics, _TopicsRequest, _WhichTopics
from streams.kafka.topics import NO_ID
from streams.settings import KafkaSettings
from tests.integration.workers import with_topics

ID = "d29fb3a2-a0d4-4c33-b59f-a919fdd1e7df"
PARTITION: tuple[object, ...] = (0, 0, 1, 5, [1], [1], [], {})


def answer(*topics: tuple[int, str, UUID, bool, list[object], int, dict[int, bytes]]) -> _Topics:
    """Return an answer as it comes from the wire."""
    sent = _Topics(0, [(1, "localhost", 9092, None, {})], "cluster", 1, list(topics), {})
    decoded: _Topics = _Topics.decode(BytesIO(sent.encode()))
    return decoded


def test_ids_and_partitions_are_read_and_topics_that_are_not_there_left_out() -> None:
    seen = _seen(
        answer(
            (0, "impressions", UUID(ID), False, [PARTITION, PARTITION], -1, {}),
            (0, "feedback", UUID(int=0), False, [PARTITION], -1, {}),
            (3, "rewards", UUID(int=0), False, [], -1, {}),
        )
    )
    assert seen == {"impressions": SeenTopic(ID, 2), "feedback": SeenTopic(NO_ID, 1)}


def test_a_broker_of_old_gives_no_ids() -> None:
    partition = (0, 0, 1, [1], [1])
    old = MetadataResponse_v4(0, [], "cluster", 1, [(0, "impressions", False, [partition]), (3, "rewards", False, [])])
    assert _seen(old) == {"impressions": SeenTopic(NO_ID, 1)}


@pytest.mark.parametrize(("newest", "version"), [(13, 11), (9, 4)])
def test_it_asks_in_the_version_that_the_broker_knows_and_makes_no_topic(newest: int, version: int) -> None:
    request = _WhichTopics(["impressions"]).prepare({3: (0, newest)})
    assert version == request.API_VERSION
    assert request.allow_auto_topic_creation is False
    if version == _TopicsRequest.API_VERSION:
        assert _TopicsRequest.decode(BytesIO(request.encode())).topics == [(UUID(int=0), "impressions", {})]


def test_it_finds_a_broker_again_that_was_away(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker") as broker, asyncio.Runner() as loop:
        servers = f"127.0.0.1:{free_port()},{with_topics(broker.bootstrap_servers)}"
        watch = TopicWatch(KafkaSettings(bootstrap_servers=servers), ["impressions", "no such topic"])
        assert loop.run(watch.look()) == {"impressions": SeenTopic(NO_ID, 4)}
        broker.stop()
        with pytest.raises(KafkaConnectionError):
            loop.run(watch.look())
        with broker:
            assert loop.run(watch.look()) == {"impressions": SeenTopic(NO_ID, 4)}
        watch.close()
