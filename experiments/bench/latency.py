"""How soon a reward and a policy are there at half the load that a worker can take.

Apps write at an even rate, each record when it occurs. What is measured comes from outside, from when Kafka got which
record: a reward from the end of its impression's window (its wait and the grace) on, a policy from the rewards on that
it is the first to include. Beside it stands what the worker's own histograms say of the same time.

Time of day is what latency is made of, so neighbours on the machine count in full: results.json has the load average.
"""

from __future__ import annotations

import os
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from rich.console import Console

from experiments.bench.contenders import ours
from experiments.bench.live_apps import LiveApps
from experiments.bench.race import CORES, Inputs, race, started, wait_until_ready
from experiments.bench.result import at_least, conclude
from experiments.bench.turns import PATIENCE
from experiments.bench.workload import GRACE, Logs
from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.worker_metrics import buckets, get, quantile
from groundswell.newest_snapshot import NewestSnapshot

WAIT: Final = 2.0
"""Seconds that feedback is waited for: the delay does not hang on it."""
SETTLE_SECONDS: Final = WAIT + GRACE + 10
"""Before anything counts: windows close by then, and a first policy by time has been published."""
RATE_BAR: Final = 0.95
"""The share of the rate that was meant that apps have to reach, and of these that has to be learned in that time."""
QUANTILES: Final = {"p50": 0.5, "p99": 0.99}
HISTOGRAMS: Final = {"window to reward": "reward_delay", "reward to policy": "publication_delay"}


class SeenReward(msgspec.Struct):
    """As much of a reward as it takes to say when its window ended and which policy is the first to include it."""

    occurred_at: int
    policy_version: int
    written_at: int = 0


class SeenPolicy(NamedTuple):
    """The version of a policy, and when Kafka had all of it (ms)."""

    version: int
    written_at: int


def bench_latency(out: Path, count: int, runs: int, seconds: float, rate: float | None = None) -> int:
    """Measure at `rate` impressions a second, by default half of what `count` are taken at; return 1 or 0 as others."""
    out.mkdir(parents=True, exist_ok=True)
    console, measured, maximal = Console(), [], None
    here = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CORES[0]})
    try:
        with tempfile.TemporaryDirectory() as kept, ApacheKafka(Path(kept) / "kafka", heap_mebibytes=1024) as kafka:
            servers = kafka.bootstrap_servers
            if rate is None:
                maximal = median(_fastest(servers, Path(kept), out, count, run) for run in range(runs))
                rate = maximal / 2
                console.print(f"at most {maximal:,.0f} impressions a second", highlight=False)
            for run in range(runs):
                measured.append(_measured(servers, Path(kept), out, rate, seconds, run))
                console.print(f"{run + 1}/{runs} {_told(measured[-1])}", highlight=False)
    finally:
        os.sched_setaffinity(0, here)
    rows = {
        name: {f"{column}_ms": 1000 * median(one[name][column] for one in measured) for column in measured[0][name]}
        for name in HISTOGRAMS
    }
    rates = {kind: median(one["rates"][kind] for one in measured) for kind in ("written", "learned")}
    bars = [
        at_least("impressions written, of those meant", RATE_BAR, rates["written"] / rate),
        at_least("impressions learned, of those written", RATE_BAR, rates["learned"] / rates["written"]),
    ]
    title = f"at {rate:,.0f} impressions a second, medians of {runs} times {seconds:g} s"
    return conclude(
        out, title, rows, bars, bench="latency", rate=rate, maximal_rate=maximal, runs=runs,
        load_average=os.getloadavg(), ratios={bar.name: bar.reached for bar in bars}, every_run=measured,
    )  # fmt: skip


def _fastest(servers: str, folder: Path, out: Path, count: int, run: int) -> float:
    """Return how many impressions in a second of wall time a worker takes when they are there already."""
    contender, inputs = ours("pipeline", run, servers, folder)
    return race(contender, inputs, Logs(count), out / f"fastest-{run}.log", PATIENCE).per_second


def _measured(servers: str, folder: Path, out: Path, rate: float, seconds: float, run: int) -> dict[str, Any]:
    contender, inputs = ours("pipeline", run, servers, folder, wait=WAIT)
    policies = contender.output.replace("rewards", "policies", 1)
    _stamp_by_broker(servers, policies)
    page = f"{contender.pages[0]}/metrics"
    apps = LiveApps(inputs, rate, WAIT, seed=run)
    with started(contender, out / f"latency-{run}.log"):
        wait_until_ready(contender, time.monotonic() + PATIENCE)
        apps.work(SETTLE_SECONDS)
        begin, before = time.time() * 1000, get(page) or ""
        written = apps.work(seconds)
        end, after = time.time() * 1000, get(page) or ""
    rewards = [
        msgspec.structs.replace(_reward(value), written_at=written_at)
        for _, value, written_at in _records(inputs, contender.output)
    ]
    outside = {
        "window to reward": reward_delays([one for one in rewards if begin <= one.written_at < end]),
        "reward to policy": policy_delays(rewards, list(_policies(inputs, policies)), begin, end),
    }
    result: dict[str, Any] = {}
    for name, delays in outside.items():
        counts = _difference(before, after, f"groundswell_{HISTOGRAMS[name]}_seconds")
        result[name] = {column: float(np.quantile(delays, q)) for column, q in QUANTILES.items()}
        result[name] |= {f"worker_{column}": quantile(counts, q) for column, q in QUANTILES.items()}
    result["rates"] = {"written": written, "learned": 1000 * len(outside["window to reward"]) / (end - begin)}
    return result


def reward_delays(rewards: Sequence[SeenReward]) -> Sequence[float]:
    """Return of each reward the seconds from the end of its impression's window until Kafka had it."""
    window = round(1000 * (WAIT + GRACE))
    return [(one.written_at - one.occurred_at - window) / 1000 for one in rewards]


def policy_delays(
    rewards: Sequence[SeenReward], policies: Sequence[SeenPolicy], begin: float, end: float
) -> Sequence[float]:
    """Return the seconds from each reward to the first policy that includes it, of policies from `begin` to `end` (ms).

    A reward's `policy_version` is the number of interactions learned before its own.
    """
    versions = [one.version for one in policies]
    delays = []
    for reward in rewards:
        place = bisect_right(versions, reward.policy_version)
        if place < len(policies) and begin <= policies[place].written_at < end:
            delays.append((policies[place].written_at - reward.written_at) / 1000)
    return delays


_reward = msgspec.json.Decoder(SeenReward).decode


def _policies(inputs: Inputs, topic: str) -> Iterator[SeenPolicy]:
    newest = NewestSnapshot("feed")
    for key, value, written_at in _records(inputs, topic):
        if newest.offer(key, value) and newest.snapshot is not None:
            yield SeenPolicy(newest.snapshot.version, written_at)


def _records(inputs: Inputs, topic: str) -> Iterator[tuple[bytes | None, bytes, int]]:
    """Yield what lies on a topic of one partition: key, value and when Kafka got it (ms)."""
    from confluent_kafka import Consumer, TopicPartition  # noqa: PLC0415 - an extra dependency

    consumer = Consumer({"bootstrap.servers": inputs.servers, "group.id": "latency", "enable.auto.commit": False})
    try:
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), 10)
        consumer.assign([TopicPartition(topic, 0, 0)])
        seen = 0
        while seen < end:
            for message in consumer.consume(10_000, 1.0):
                seen = message.offset() + 1
                yield message.key(), message.value(), message.timestamp()[1]
    finally:
        consumer.close()


def _difference(before: str, after: str, histogram: str) -> Mapping[float, float]:
    earlier = buckets(before, histogram)
    return {bound: count - earlier[bound] for bound, count in buckets(after, histogram).items()}


def _stamp_by_broker(servers: str, topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"message.timestamp.type": "LogAppendTime"})])
    admin.close()


def _told(measured: Mapping[str, Mapping[str, float]]) -> str:
    return ", ".join(f"{name}: {1000 * measured[name]['p50']:.0f} and {1000 * measured[name]['p99']:.0f} ms"
                     for name in HISTOGRAMS)  # fmt: skip
