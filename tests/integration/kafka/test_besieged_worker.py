"""A worker under a limit of memory, an hour of what the fuzzer draws on its topics, and honest apps beside it.

The limit is one of address space, 1 GiB. The interpreter, its libraries and an idle worker take three quarters of it.
"""

from __future__ import annotations

import os
import random
import re
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaProducer

from experiments.chaos.phase import environment_of
from experiments.fuzz.admission import TARGET, record_of
from experiments.fuzz.messages import T0
from experiments.fuzz.worker import settings
from experiments.servers.apache_kafka import ApacheKafka
from groundswell.events import Reward
from processors.join.config import JoinConfig
from streams.kafka.topics import create_topics
from streams.settings import KafkaSettings, Settings
from tests.factories import encode, feedback, impression
from tests.integration.workers import RunningWorker, read_all, until

SECONDS = float(os.environ.get("SIEGE_SECONDS", "3600"))
LIMIT = 1 << 30
HOSTILE, HONEST = 100, 10
"""Records, and impressions, a second; those who besiege are held up where the broker is."""
GOOD = list(TARGET.seeds())
STRETCHES = 6
"""Into which the hour is divided; what memory takes is compared between them."""

pytestmark = [pytest.mark.kafka, pytest.mark.nightly, pytest.mark.timeout(SECONDS + 1_200)]


def under_the_limit(servers: str) -> Settings:
    """Return the fuzzer's models, with bounds on what waits that fit into the limit."""
    bounds = {"max_pending_bytes": 30_000_000, "max_early_bytes": 20_000_000}
    return Settings(
        kafka=KafkaSettings(bootstrap_servers=servers, group="besieged"),
        join=JoinConfig(wait=30.0, grace=0.5, backward=1.0, remember=60.0, idle=5.0, **bounds),
        models=settings().models,
        segments=settings().segments,
    )


def drawn(rng: random.Random, met: list[bytes]) -> list[tuple[bool, bytes | None, bytes | None]]:
    """Return changed records of the fuzzer's, of now where they say when; keep some of them to change them further."""
    before = rng.choice([*GOOD, *met])
    changed = TARGET.mutated(before, rng) or bytes(rng.choice(before) for _ in range(rng.randrange(200)))
    if 0 < len(changed) <= TARGET.most_bytes and rng.random() < 0.1:
        met.append(changed)
        del met[: -3 * len(GOOD)]
    now = round(1000 * time.time())
    said = re.compile(rb'("occurred_at":\s*)%d(\d{3})\b' % (T0 // 1000))
    lines = [line for line in said.sub(rb"\g<1>%d" % now, changed).split(b"\n") if line]
    return [record_of(chr(line[0]), line[1:]) for line in lines[:20]]


def resident(pid: int) -> int:
    """Return the bytes of memory that a process takes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(re.findall(r"VmRSS:\s+(\d+)", status)[0])


def test_it_survives_in_flat_memory_and_learns_all_that_honest_apps_log_exactly_once(tmp_path: Path) -> None:
    with ApacheKafka(tmp_path / "kafka") as kafka:
        configured = under_the_limit(kafka.bootstrap_servers)
        create_topics(configured.kafka, configured.topics)
        besieged = RunningWorker(
            tmp_path,
            kafka.bootstrap_servers,
            configuration="",
            environment=environment_of(configured) | {"GROUNDSWELL_KAFKA__MAX_UNPACKED_BYTES": "8000000"},
            command=["prlimit", f"--as={LIMIT}", sys.executable, "-m", "streams.cli", "worker"],
        )
        with (
            besieged as worker,
            closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, linger_ms=20, acks=1)) as producer,
        ):
            honest, memory = besiege(worker, producer, configured)
            worker.until(lambda: set(honest) <= set(rewarded(kafka)), "all that honest apps logged to be learned", 600)
        times = rewarded(kafka)
        assert {name: times[name] for name in honest if times[name] != 1} == {}
        assert all(memory), memory
        assert max(memory[-2:]) <= 1.1 * max(memory[1:3]), f"memory grows: {memory}"


def besiege(worker: RunningWorker, producer: KafkaProducer, configured: Settings) -> tuple[list[str], list[int]]:
    """Send all that is sent; return the ids of honest apps, and the most memory that was taken in each stretch."""
    rng, met = random.Random(20), list[bytes]()
    topics, honest, memory = configured.topics, list[str](), [0] * STRETCHES
    began = time.monotonic()
    sent = 0
    while (passed := time.monotonic() - began) < SECONDS:
        assert worker.running, f"it ended after {passed:.0f} s:\n{worker.said()[-5_000:]}"
        for of_impressions, key, value in drawn(rng, met):
            sendable = value or (None if key else b"")  # the client sends no record without either
            producer.send(topics.impressions if of_impressions else topics.feedback, key=key, value=sendable)
            sent += 1
        if len(honest) < HONEST * passed:
            name, at = f"honest-{len(honest)}", round(1000 * time.time())
            producer.send(topics.impressions, key=name.encode(), value=encode(impression(name, at, model="honest")))
            producer.send(topics.feedback, key=name.encode(), value=encode(feedback(name, at + 10)))
            honest.append(name)
        stretch = int(STRETCHES * passed / SECONDS)
        memory[stretch] = max(memory[stretch], resident(worker.pid))
        if sent > HOSTILE * passed:
            producer.flush()
            due = began + sent / HOSTILE
            until(lambda due=due: time.monotonic() >= due, "the next to be due")  # type: ignore[misc]
    producer.flush()
    return honest, memory


def rewarded(kafka: ApacheKafka) -> Counter[str]:
    """Return how often each impression was rewarded."""
    rewards = (
        msgspec.json.decode(record.value, type=Reward) for record in read_all(kafka.bootstrap_servers, "rewards")
    )
    return Counter(one.impression_id for one in rewards)
