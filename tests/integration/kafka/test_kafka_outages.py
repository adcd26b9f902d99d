"""What a worker does while Apache Kafka is away, takes no more, or has more than it can read at once."""

from __future__ import annotations

import asyncio
import os
import random
import re
import resource
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from experiments.servers.apache_kafka import ApacheKafka
from groundswell.client import Policies
from streams.kafka.batch_writer import BatchWriter
from streams.settings import KafkaSettings, load_settings
from streams.worker.outputs import contract_partition
from streams.worker.topic_adoption import adopt_topics
from tests.factories import encode, impression
from tests.integration.days import Day, assert_policies_are_the_learners, first_deliveries, learned
from tests.integration.workers import TOPICS, Apps, RunningWorker, read_all, until, with_topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

PART = 2_000
OUTAGE_SECONDS = 20.0
PRELOADED, IMPRESSION_BYTES = 20_000, 30_000


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[ApacheKafka]:
    with ApacheKafka(tmp_path / "kafka") as running:
        with_topics(running.bootstrap_servers)
        yield running


def test_a_broker_that_is_away_for_a_while_costs_nothing_and_the_worker_waits_quietly(
    tmp_path: Path, kafka: ApacheKafka
) -> None:
    day = Day(kafka.bootstrap_servers)
    with RunningWorker(tmp_path, kafka.bootstrap_servers) as worker:
        day.goes_on(PART)
        worker.until(lambda: worker.metric("groundswell_rewards_total") > 0, "something to be learned")
        day.goes_on(PART)
        kafka.node().stop()
        spent, said, back = cpu_seconds(worker.pid), len(worker.said().splitlines()), time.monotonic() + OUTAGE_SECONDS
        worker.until(lambda: time.monotonic() > back, "the end of the outage")
        spent, said = cpu_seconds(worker.pid) - spent, len(worker.said().splitlines()) - said
        kafka.start()
        day.goes_on(PART)
        day.ends()
        worker.until(lambda: learned(kafka.bootstrap_servers) == set(day.expected), "everything to be learned")
    assert_everything_was_learned_once(tmp_path, kafka.bootstrap_servers, day)
    assert spent < OUTAGE_SECONDS / 10, "it keeps a core busy with a broker that is not there"
    assert said < 5 * OUTAGE_SECONDS, "it floods the log"


def test_kafka_that_is_started_on_other_data_is_said_and_costs_no_core_until_topics_are_made_again(
    tmp_path: Path,
) -> None:
    making = {"auto.create.topics.enable": "true"}  # as Kafka has it where nobody says otherwise
    with ApacheKafka(tmp_path / "kafka", properties=making) as kafka:
        servers = with_topics(kafka.bootstrap_servers)
        port = int(servers.rpartition(":")[2])
        day, worker = Day(servers), RunningWorker(tmp_path, servers)
        with worker, Policies(servers, "feed") as policies:
            day.goes_on(PART)
            day.ends()
            worker.until(lambda: worker.metric("groundswell_rewards_total") > 0, "something to be learned")
            until(lambda: policies.basis == "policy", "a policy")
            kafka.stop()
            with ApacheKafka(tmp_path / "elsewhere", port=port, properties=making) as anew:
                worker.until(lambda: "topics create" in worker.get("/readyz")[1], "what to do")
                until(lambda: "topics create" in str(policies.following.problem), "what to do, in the app")
                assert policies.basis == "last_known"
                spent, later = cpu_seconds(worker.pid), time.monotonic() + OUTAGE_SECONDS
                worker.until(lambda: time.monotonic() > later, "some time to pass")
                assert cpu_seconds(worker.pid) - spent < OUTAGE_SECONDS / 10, "it asks for topics that are not there"
                with closing(KafkaAdminClient(bootstrap_servers=anew.bootstrap_servers)) as admin:
                    assert not set(TOPICS.model_dump().values()) & set(admin.list_topics()), "asking makes topics"
                with_topics(servers)
                assert worker.ended() == 1
                assert "run `groundswell adopt-topics`" in worker.said().splitlines()[-1]
                settings = load_settings(tmp_path / "worker.toml")
                adopt_topics(
                    settings.model_copy(update={"kafka": KafkaSettings(bootstrap_servers=servers)}), check=False
                )
                with worker:
                    until(lambda: policies.following.up_to_date, "the app to follow the new topic")


def test_one_of_three_brokers_dies_and_comes_back_and_nothing_is_lost(tmp_path: Path) -> None:
    with ApacheKafka(tmp_path / "kafka", brokers=3, heap_mebibytes=256) as kafka:
        servers = with_topics(kafka.bootstrap_servers, replication=3)
        day = Day(servers)
        with RunningWorker(tmp_path, servers) as worker:
            day.goes_on(PART)
            worker.until(lambda: worker.metric("groundswell_rewards_total") > 0, "something to be learned")
            # It leads a third of the partitions, and is the first that clients know of.
            kafka.node(1).kill()
            day.goes_on(PART)
            kafka.start()
            day.goes_on(PART)
            day.ends()
            worker.until(lambda: learned(servers) == set(day.expected), "everything to be learned")
            worker.until(lambda: last_policy_is_out(worker, day), "the last policy")
        assert_everything_was_learned_once(tmp_path, servers, day)


def test_a_full_disk_at_the_broker_costs_nothing_when_there_is_room_again(tmp_path: Path, kafka: ApacheKafka) -> None:
    day = Day(kafka.bootstrap_servers)
    with RunningWorker(tmp_path, kafka.bootstrap_servers) as worker:
        day.goes_on(PART)
        worker.until(lambda: worker.metric("groundswell_rewards_total") > 0, "something to be learned")
        broker = kafka.node().pid
        assert broker is not None
        # No file of the broker can grow any more: to it, that is a full disk, and it ends, as Kafka does.
        resource.prlimit(broker, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        until(lambda: not kafka.node().running, "the broker to give up")
        kafka.start()
        day.goes_on(PART)
        day.ends()
        worker.until(lambda: learned(kafka.bootstrap_servers) == set(day.expected), "everything to be learned")
        worker.until(lambda: last_policy_is_out(worker, day), "the last policy")
    assert_everything_was_learned_once(tmp_path, kafka.bootstrap_servers, day)


def test_a_checkpoint_that_is_refused_ends_the_worker_with_the_reason_and_loses_nothing(
    tmp_path: Path, kafka: ApacheKafka
) -> None:
    day = Day(kafka.bootstrap_servers)
    configure(kafka, TOPICS.checkpoints, "max.message.bytes", "100")
    worker = RunningWorker(tmp_path, kafka.bootstrap_servers)
    with worker:
        day.goes_on(PART)
        assert worker.ended() != 0
    last_words = worker.said().splitlines()[-1]
    assert re.search(r"The worker ends: checkpoints\[\d\]: .* raise the topic's max.message.bytes", last_words)
    configure(kafka, TOPICS.checkpoints, "max.message.bytes", "1048588")
    with worker:
        day.goes_on(PART)
        day.ends()
        worker.until(lambda: learned(kafka.bootstrap_servers) == set(day.expected), "everything to be learned")
        worker.until(lambda: last_policy_is_out(worker, day), "the last policy")
    assert_everything_was_learned_once(tmp_path, kafka.bootstrap_servers, day)


@pytest.mark.nightly  # as long as it takes to read 600 MB
def test_more_than_fits_into_memory_waits_at_the_broker_and_shows_as_lag(tmp_path: Path, kafka: ApacheKafka) -> None:
    asyncio.run(preload(kafka.bootstrap_servers))
    with RunningWorker(tmp_path, kafka.bootstrap_servers) as worker:
        at_first, lags = memory_peak(worker.pid), [0.0]

        def all_is_joined() -> bool:
            lags.append(worker.metric("groundswell_consumer_lag", topic=TOPICS.impressions))
            return worker.metric("groundswell_join_total") == PRELOADED

        worker.until(all_is_joined, "everything to be joined")
        worker.until(lambda: worker.metric("groundswell_consumer_lag") == 0, "no lag to be left")
        assert max(lags) > PRELOADED / 4
        assert memory_peak(worker.pid) - at_first < PRELOADED * IMPRESSION_BYTES / 2


def test_a_partition_of_nothing_but_garbage_does_not_hold_up_the_others(tmp_path: Path, kafka: ApacheKafka) -> None:
    poisoned, rng, servers = 0, random.Random(0), kafka.bootstrap_servers
    apps, day = Apps(servers), Day(servers, avoid=poisoned)
    with RunningWorker(tmp_path, servers) as worker:
        for _ in range(PART):
            for topic in (TOPICS.impressions, TOPICS.feedback):
                apps.send_bytes(topic, rng.randbytes(8), rng.randbytes(100), partition=poisoned)
        apps.close()
        day.goes_on(PART)
        day.ends()
        worker.until(lambda: learned(servers) == set(day.expected), "everything to be learned")
        worker.until(lambda: worker.metric("groundswell_dead_letters_total") == 2 * PART, "all garbage to be refused")
        worker.until(lambda: worker.metric("groundswell_consumer_lag") == 0, "no lag to be left")
    assert len(read_all(servers, TOPICS.dead_letter)) == 2 * PART


async def preload(servers: str) -> None:
    """Write `PRELOADED` large impressions, and the watermark that closes them."""
    at = round(time.time() * 1000) - 3_600_000
    text = "x" * IMPRESSION_BYTES
    async with AIOKafkaProducer(bootstrap_servers=servers, max_batch_size=1_000_000) as producer:
        writer = BatchWriter(producer)
        for number in range(PRELOADED):
            key = f"i{number}".encode()
            value = encode(impression(key.decode(), at + number, context={"text": text}))
            writer.append(TOPICS.impressions, contract_partition(key, TOPICS.event_partitions), key, value)
            if number % 500 == 0:
                await writer.flush()
        await writer.flush()
    apps = Apps(servers)
    apps.end(at + PRELOADED + 10_000)
    apps.close()


def last_policy_is_out(worker: RunningWorker, day: Day) -> bool:
    return worker.metric("groundswell_policy_version") == len(day.expected)


def configure(kafka: ApacheKafka, topic: str, name: str, value: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])


def memory_peak(pid: int) -> int:
    """Return the most memory (bytes) that a process has ever held (Linux)."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


def assert_everything_was_learned_once(folder: Path, servers: str, day: Day) -> None:
    log = first_deliveries(servers)
    assert {one.impression.impression_id: one.signals for one in log} == day.expected
    assert len(log) == len(day.expected)
    assert_policies_are_the_learners(servers, load_settings(folder / "worker.toml").models["feed"], log)


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used (Linux)."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
