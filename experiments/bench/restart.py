"""`groundswell bench pending --kafka`: a worker with a million pending impressions is killed; when is it back?

Everything is real: Apache Kafka, the worker's own command, kill -9, an empty memory afterwards. What is measured is the
time from the start of the next process to its readiness, and to the first interaction that it closes.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from experiments.bench.pending import RESTORE_BAR
from experiments.bench.workload import BEGIN, MODELS, PER_SECOND, impression
from experiments.chaos.phase import environment_of
from experiments.chaos.topic_contents import end_offsets
from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.child_process import ChildProcess
from experiments.servers.embedded_broker import free_port
from groundswell.events import SCHEMA_VERSION, Watermark
from processors.join.config import JoinConfig
from streams.kafka.batch_writer import BatchWriter
from streams.kafka.topics import create_topics
from streams.settings import KafkaSettings, Settings
from streams.worker.outputs import contract_partition

PATIENCE: Final = 600.0
"""Seconds that anything may take before the measurement is given up."""
CLOSED_SECONDS: Final = 5
"""Seconds of event time whose impressions close when the worker is back."""
FLUSH_EVERY: Final = 20_000


class _Worker:
    """The worker's process, and what it shows over HTTP."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self._url = f"http://127.0.0.1:{settings.http.port}"
        own = {
            **environment_of(settings),
            "GROUNDSWELL_HTTP__PORT": str(settings.http.port),
            "GROUNDSWELL_KAFKA__INSTANCE": str(settings.kafka.instance),
        }
        if settings.spill_folder is not None:
            own["GROUNDSWELL_SPILL_FOLDER"] = str(settings.spill_folder)
        self.process = ChildProcess("worker", [sys.executable, "-m", "streams.cli", "worker"], log=log, environment=own)

    def page(self, path: str) -> str | None:
        """Return a page, None where there is none (yet)."""
        try:
            with urllib.request.urlopen(self._url + path, timeout=60) as answer:
                return str(answer.read().decode())
        except OSError:
            return None

    def pending(self) -> float:
        """Return how many impressions it says are pending."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.page("/metrics") or "")
            for sample in family.samples
            if sample.name == "groundswell_join_pending"
        )

    def until(self, condition: Callable[[], Any], what: str) -> float:
        """Wait for the condition; return how long (s) that took. Raises RuntimeError with the worker's last words."""
        began = time.monotonic()
        while not condition():
            if self.process.exit_code is not None or time.monotonic() - began > PATIENCE:
                raise RuntimeError(f"waited in vain for {what}:\n{self.process.tail()}")
            time.sleep(0.05)
        return time.monotonic() - began


def bench_restart(out: Path, count: int = 1_000_000, *, spill: bool = False) -> int:
    """Measure the restart of a worker with `count` pending impressions; return 1 beyond the bar, else 0.

    With `spill`, their payloads are in files.
    """
    out = out.absolute()
    shutil.rmtree(out / "kafka", ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    with ApacheKafka(out / "kafka") as kafka:
        settings = _settings(kafka.bootstrap_servers, count, out if spill else None)
        create_topics(settings.kafka, settings.topics)
        result = {"bench": "restart", "impressions": count, "spill": spill, **_measured(settings, count, out)}
    bar = RESTORE_BAR * max(1.0, count / 1_000_000)
    slowest = max(result["ready_seconds"], result["first_closed_seconds"])
    bars = [{"name": "restart_seconds", "bar": bar, "reached": slowest, "met": slowest < bar}]
    (out / "restart.json").write_text(json.dumps({**result, "bars": bars}, indent=1) + "\n")
    table = Table("pending", "resident", "each", "ready after", "first closed after", title="restart")
    table.add_row(
        f"{count:,}",
        f"{result['resident_bytes'] / 1e6:,.0f} MB",
        f"{result['resident_bytes_each']:,.0f} B",
        f"{result['ready_seconds']:.1f} s",
        f"{result['first_closed_seconds']:.1f} s",
    )
    Console().print(table)
    return 0 if slowest < bar else 1


def _settings(servers: str, count: int, spill_folder: Path | None) -> Settings:
    return Settings(
        kafka=KafkaSettings(bootstrap_servers=servers, instance="bench"),
        # All of it waits until the end.
        join=JoinConfig(wait=2 * count / PER_SECOND, idle=None),
        http={"port": free_port()},
        models=MODELS,
        spill_folder=spill_folder,
    )


def _measured(settings: Settings, count: int, out: Path) -> dict[str, Any]:
    servers, topics = settings.kafka.bootstrap_servers, settings.topics
    worker = _Worker(settings, out / "worker-before.log")
    with worker.process:
        worker.until(lambda: worker.page("/readyz"), "the worker")
        empty = _resident_bytes(worker.process.pid)
        asyncio.run(_show(settings, count))
        worker.until(lambda: worker.pending() == count, "all impressions to be pending")
        resident = _resident_bytes(worker.process.pid)
        worker.process.kill()
    closing = BEGIN + round((settings.join.wait + settings.join.grace + CLOSED_SECONDS) * 1000)
    asyncio.run(_advance(settings, closing))
    began = time.monotonic()
    worker = _Worker(settings, out / "worker-after.log")
    with worker.process:
        worker.until(lambda: worker.page("/readyz"), "the worker to be back")
        ready = time.monotonic() - began
        worker.until(lambda: sum(end_offsets(servers, topics.interactions).values()), "the first window to close")
        first_closed = time.monotonic() - began
        should = count - PER_SECOND * CLOSED_SECONDS
        worker.until(lambda: worker.pending() <= should + 1, "what was due to be closed")
    return {
        "resident_bytes": resident,
        "resident_bytes_each": (resident - empty) / count,
        "ready_seconds": ready,
        "first_closed_seconds": first_closed,
    }


async def _show(settings: Settings, count: int) -> None:
    rng = random.Random(0)
    topics = settings.topics
    async with _producer(settings) as producer:
        writer = BatchWriter(producer)
        for number in range(count):
            key, value = impression(number, rng)
            writer.append(topics.impressions, contract_partition(key, topics.event_partitions), key, value)
            if number % FLUSH_EVERY == 0:
                await writer.flush()
        await writer.flush()


async def _advance(settings: Settings, until: int) -> None:
    """Promise on every partition that nothing before `until` (ms of event time) follows."""
    topics = settings.topics
    watermark = msgspec.json.encode(Watermark(schema_version=SCHEMA_VERSION, watermark=until))
    async with _producer(settings) as producer:
        writer = BatchWriter(producer)
        for topic in (topics.impressions, topics.feedback):
            for partition in range(topics.event_partitions):
                writer.append(topic, partition, None, watermark)
        await writer.flush()


def _producer(settings: Settings) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=settings.kafka.bootstrap_servers,
        max_batch_size=settings.kafka.max_batch_bytes,
        compression_type="lz4",
    )


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
