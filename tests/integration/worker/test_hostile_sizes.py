"""What is small on the wire and large in memory, on the way from a broker: the worker stays small and goes on."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from experiments.servers.embedded_broker import EmbeddedBroker
from tests.factories import impression
from tests.integration.days import Day, learned
from tests.integration.workers import TOPICS, UNREADABLE, Apps, RunningWorker, read_all, with_topics

pytestmark = pytest.mark.timeout(400)

BOMB = 150_000_000
BOMBS = 3
"""Of each codec, on each partition of both topics: together they are hundreds of kilobytes, and unpack to 7 GB."""
HONEST = 1_000
LONG, LONG_TEXTS = 500_000, 1_300
"""Characters of a feature's text, and how many such texts: .65 GB, of which caches may keep little more than .2 GB."""


async def send_bombs(servers: str) -> None:
    """Send batches that unpack to far more than a worker may hold."""
    value = bytes(BOMB)
    for codec in ("zstd", "lz4"):
        async with AIOKafkaProducer(
            bootstrap_servers=servers, compression_type=codec, max_batch_size=2 * BOMB, max_request_size=2 * BOMB
        ) as producer:
            batch = producer.create_batch()
            batch.append(key=b"k", value=value, timestamp=None)
            batch.close()
            packed = bytes(batch._build())
            for topic in (TOPICS.impressions, TOPICS.feedback):
                for partition in range(TOPICS.event_partitions):
                    for _ in range(BOMBS):
                        again = producer.create_batch()
                        again.append(key=b"k", value=b"", timestamp=None)
                        again.close()
                        again._buffer = bytearray(packed)
                        await (await producer.send_batch(again, topic, partition=partition))


def largest_resident(pid: int) -> int:
    """Return the most memory that a process has held, in bytes (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def test_batches_that_unpack_to_gigabytes_are_passed_over_and_what_lies_beside_them_is_learned(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        servers = with_topics(broker.bootstrap_servers)
        day = Day(servers)
        with RunningWorker(tmp_path, servers) as worker:
            day.goes_on(HONEST)
            worker.until(lambda: worker.metric("groundswell_received_total") >= HONEST, "something to be read")
            before = largest_resident(worker.pid)
            asyncio.run(send_bombs(servers))
            day.goes_on(HONEST)
            day.ends()
            worker.until(lambda: learned(servers) == set(day.expected), "everything to be learned")
            assert largest_resident(worker.pid) - before < 3 * BOMB
        aside = Counter(dict(one.headers)["reason"] for one in read_all(servers, TOPICS.dead_letter))
        assert aside == {b"too_large": 2 * 2 * TOPICS.event_partitions * BOMBS}


def test_batches_that_nobody_can_read_are_passed_over_and_what_lies_beside_them_is_learned(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        servers = with_topics(broker.bootstrap_servers)
        day, hostile = Day(servers), Apps(servers)
        day.goes_on(HONEST)
        topics = {
            TOPICS.impressions: TOPICS.event_partitions,
            TOPICS.feedback: TOPICS.event_partitions,
            TOPICS.interactions: TOPICS.interaction_partitions,
        }
        for topic, partitions in topics.items():
            for partition in range(partitions):
                hostile.send_bytes(topic, b"k", b"v", partition=partition, headers=UNREADABLE)
                hostile.flush()
        hostile.close()
        with RunningWorker(tmp_path, servers) as worker:
            day.goes_on(HONEST)
            day.ends()
            worker.until(lambda: learned(servers) == set(day.expected), "everything to be learned")
            worker.stop()
        with RunningWorker(tmp_path, servers) as worker:
            worker.stop()
        aside = Counter(dict(one.headers)["topic"] for one in read_all(servers, TOPICS.dead_letter))
        assert aside == {topic.encode(): partitions for topic, partitions in topics.items()}
        assert {dict(one.headers)["reason"] for one in read_all(servers, TOPICS.dead_letter)} == {b"poison"}


@pytest.mark.timeout(1_200)
def test_line_8_texts_that_caches_find_features_by_take_no_more_memory_than_they_may(tmp_path: Path) -> None:
    """Actions with so many brackets have an impression read as a whole, and its context kept by the whole text."""
    brackets = [{"id": name, "unknown": [[]] * 150} for name in "abc"]
    with EmbeddedBroker(tmp_path / "broker") as broker:
        servers = with_topics(broker.bootstrap_servers)
        day, apps = Day(servers), Apps(servers, compression_type="zstd")
        with RunningWorker(tmp_path, servers) as worker:
            day.goes_on(HONEST)
            worker.until(lambda: worker.metric("groundswell_received_total") >= HONEST, "something to be read")
            before, at = largest_resident(worker.pid), round(time.time() * 1000) - 1_800_000
            for number in range(LONG_TEXTS):
                context = {"text": f"{number}{'x' * LONG}"}
                apps.send(TOPICS.impressions, impression(f"long-{number}", at, context=context, actions=brackets))
                if number % 100 == 99:
                    at += 60_000
                    apps.end(at)
                    worker.until(partial(has_learned, worker, HONEST + number + 1), "all so far to be learned")
            assert largest_resident(worker.pid) - before < LONG * LONG_TEXTS * 3 / 4


def has_learned(worker: RunningWorker, count: int) -> bool:
    """Say whether a worker has learned so many."""
    return worker.metric("groundswell_rewards_total") == count
