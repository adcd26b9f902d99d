"""A worker under a limit of memory, what the fuzzer draws on its topics for as long as asked, and honest apps beside.

    python -m experiments.fuzz.siege --minutes 60

The limit is one of address space, 1 GiB. The interpreter, its libraries and an idle worker take three quarters of it.
Ends with 1 where the worker died, where something that honest apps logged was not learned exactly once, or where memory
grew. What memory took is in `results.json` of the output folder, for every ten seconds.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
from kafka import KafkaProducer

from experiments.chaos.phase import environment_of
from experiments.chaos.topic_contents import read_all
from experiments.fuzz.admission import TARGET, record_of
from experiments.fuzz.messages import T0
from experiments.fuzz.worker import settings
from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.child_process import ChildProcess, stopped_like_ctrl_c
from experiments.servers.embedded_broker import EmbeddedBroker, free_port
from experiments.servers.worker_metrics import get
from groundswell.events import Reward
from processors.join.config import JoinConfig
from streams.kafka.topics import create_topics
from streams.settings import KafkaSettings, Settings

LIMIT: Final = 1 << 30
HOSTILE, HONEST = 100, 10
"""Records, and impressions, a second; those who besiege are held up where the broker is."""
GOOD: Final = list(TARGET.seeds())
LOOKED_EVERY: Final = 10.0
"""Seconds between two looks at what memory takes."""
STRETCHES: Final = 6
"""Into which the siege is divided; the most that memory takes is compared between them."""
MOST_GROWTH: Final = 1.1
"""Of the last two stretches, beside the second and third: in the first one the worker takes what it needs."""
PATIENCE: Final = 600.0
"""Seconds in which the worker has to start, and to learn what is left in the end."""


class BesiegedError(Exception):
    """The worker ended, or does not get on; the message says what it said last."""


class Memory(msgspec.Struct):
    """What a process takes, in bytes, so many seconds after the siege began: in memory, and of address space."""

    seconds: float
    resident: int
    addressed: int


class Siege(msgspec.Struct):
    """What came of it. `lost` and `learned_twice` are names of honest impressions; `most` is of memory, by stretch."""

    seconds: float
    hostile: int
    honest: int
    lost: list[str]
    learned_twice: list[str]
    most: list[int]
    memory: list[Memory]

    @property
    def flat(self) -> bool:
        """Whether memory did not grow."""
        return max(self.most[-2:]) <= MOST_GROWTH * max(self.most[1:3])

    @property
    def withstood(self) -> bool:
        """Whether nothing is wrong."""
        return self.flat and not self.lost and not self.learned_twice


def under_the_limit(servers: str) -> Settings:
    """Return the fuzzer's models, with bounds on what waits that fit into the limit."""
    bounds = {"max_pending_bytes": 30_000_000, "max_early_bytes": 20_000_000}
    return Settings(
        kafka=KafkaSettings(bootstrap_servers=servers, group="besieged"),
        join=JoinConfig(wait=30.0, grace=0.5, backward=1.0, remember=60.0, idle=5.0, **bounds),
        models=settings().models,
        segments=settings().segments,
    )


def besieged(servers: str, folder: Path, seconds: float, seed: int, tell: Callable[[str], None]) -> Siege:
    """Besiege a worker of its own, and return what came of it.

    Raises `BesiegedError` where the worker ends, or has not learned all when patience is over.
    """
    configured = under_the_limit(servers)
    create_topics(configured.kafka, configured.topics)
    port = free_port()
    environment = environment_of(configured) | {
        "GROUNDSWELL_KAFKA__MAX_UNPACKED_BYTES": "8000000",
        "GROUNDSWELL_HTTP__PORT": str(port),
    }
    command = ["prlimit", f"--as={LIMIT}", sys.executable, "-m", "streams.cli", "worker"]
    with (
        ChildProcess("worker", command, log=folder / "worker.log", environment=environment) as worker,
        closing(KafkaProducer(bootstrap_servers=servers, linger_ms=20, acks=1)) as producer,
    ):
        _until(worker, lambda: get(f"http://127.0.0.1:{port}/readyz"), "to be ready")
        apps = Besiegers(producer, configured, seed)
        found = _go_on(worker, apps, seconds, tell)
        times: dict[str, int] = {}

        def all_learned() -> bool:
            times.update(learned(servers, configured.topics.rewards))
            return times.keys() >= set(apps.honest)

        try:
            _until(worker, all_learned, "to learn all that honest apps logged")
        except BesiegedError:
            if worker.exit_code is not None:
                raise
        found.lost = [name for name in apps.honest if name not in times]
        found.learned_twice = [name for name in apps.honest if times.get(name, 1) > 1]
    return found


class Besiegers:
    """Whoever writes to the topics: those who mean ill, and honest apps. `honest` are the ids of what these log."""

    def __init__(self, producer: KafkaProducer, configured: Settings, seed: int) -> None:
        self.honest: list[str] = []
        self.hostile = 0
        self._producer, self._topics = producer, configured.topics
        self._rng = random.Random(seed)
        self._met: list[bytes] = []

    def write(self, passed: float) -> None:
        """Write what is due after so many seconds: one input of the fuzzer, and one honest impression."""
        if self.hostile <= HOSTILE * passed:
            for of_impressions, key, value in self._drawn():
                sendable = value or (None if key else b"")  # the client sends no record without either
                topic = self._topics.impressions if of_impressions else self._topics.feedback
                self._producer.send(topic, key=key, value=sendable)
                self.hostile += 1
        if len(self.honest) < HONEST * passed:
            self._log(f"honest-{len(self.honest)}", round(1000 * time.time()))
        if self.hostile > HOSTILE * passed:
            self._producer.flush()

    def _drawn(self) -> list[tuple[bool, bytes | None, bytes | None]]:
        """Return changed records of the fuzzer's, of now where they say when; keep some to change them further."""
        before = self._rng.choice([*GOOD, *self._met])
        changed = TARGET.mutated(before, self._rng)
        changed = changed or bytes(self._rng.choice(before) for _ in range(self._rng.randrange(200)))
        if 0 < len(changed) <= TARGET.most_bytes and self._rng.random() < 0.1:
            self._met.append(changed)
            del self._met[: -3 * len(GOOD)]
        said = re.compile(rb'("occurred_at":\s*)%d(\d{3})\b' % (T0 // 1000))
        lines = said.sub(rb"\g<1>%d" % round(1000 * time.time()), changed).split(b"\n")
        return [record_of(chr(line[0]), line[1:]) for line in lines if line][:20]

    def _log(self, name: str, at: int) -> None:
        shown = {
            "schema_version": 1, "impression_id": name, "occurred_at": at, "model": "honest",
            "context": {"user": "u1"}, "actions": [{"id": "a"}, {"id": "b"}, {"id": "c"}], "chosen": 1,
            "probabilities": [0.25, 0.5, 0.25],
        }  # fmt: skip
        came = {
            "schema_version": 1, "impression_id": name, "feedback_id": f"{name}-1", "occurred_at": at + 10,
            "signal": "click",
        }  # fmt: skip
        for topic, message in ((self._topics.impressions, shown), (self._topics.feedback, came)):
            self._producer.send(topic, key=name.encode(), value=msgspec.json.encode(message))
        self.honest.append(name)


def _go_on(worker: ChildProcess, apps: Besiegers, seconds: float, tell: Callable[[str], None]) -> Siege:
    """Write until the time is over, and look at what the worker takes."""
    most, memory = [0] * STRETCHES, list[Memory]()
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        apps.write(passed)
        if not memory or passed >= memory[-1].seconds + LOOKED_EVERY:
            _require_running(worker)
            now = _memory(worker.pid, passed)
            memory.append(now)
            stretch = int(STRETCHES * passed / seconds)
            most[stretch] = max(most[stretch], now.resident)
            tell(
                f"{passed:6.0f} s: {now.resident / 1e6:.0f} MB in memory, {now.addressed / 1e6:.0f} MB of address "
                f"space; {apps.hostile:,} hostile records, {len(apps.honest):,} honest impressions"
            )
        time.sleep(max(0.0, min(apps.hostile / HOSTILE, len(apps.honest) / HONEST) - (time.monotonic() - began)))
    return Siege(round(passed, 1), apps.hostile, len(apps.honest), [], [], most, memory)


def learned(servers: str, topic: str) -> dict[str, int]:
    """Return at how many versions of its model each impression was learned: at one, unless it was learned twice."""
    versions: dict[str, set[int]] = defaultdict(set)
    for entries in read_all(servers, topic).values():
        for entry in entries:
            reward = msgspec.json.decode(entry.value, type=Reward)
            versions[reward.impression_id].add(reward.policy_version)
    return {name: len(at) for name, at in versions.items()}


def _memory(pid: int, passed: float) -> Memory:
    status = Path(f"/proc/{pid}/status").read_text()
    resident, addressed = (1024 * int(status.split(f"{name}:")[1].split()[0]) for name in ("VmRSS", "VmSize"))
    return Memory(round(passed, 1), resident, addressed)


def _require_running(worker: ChildProcess) -> None:
    if worker.exit_code is not None:
        raise BesiegedError(f"the worker ended with {worker.exit_code}; it said last:\n{worker.tail()}")


def _until(worker: ChildProcess, condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        _require_running(worker)
        if time.monotonic() > deadline:
            raise BesiegedError(
                f"waited {PATIENCE:.0f} s in vain for the worker {what}; it said last:\n{worker.tail()}"
            )
        time.sleep(1.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Besiege as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m experiments.fuzz.siege", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("out/siege"))
    parser.add_argument("--embedded", action="store_true", help="the embedded broker in the place of Apache Kafka")
    given: Any = parser.parse_args(arguments)
    out = given.out.absolute()
    shutil.rmtree(out / "broker", ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    with (
        stopped_like_ctrl_c(),
        EmbeddedBroker(out / "broker") if given.embedded else ApacheKafka(out / "broker") as kafka,
    ):
        try:
            found = besieged(
                kafka.bootstrap_servers, out, 60 * given.minutes, given.seed, lambda line: print(line, flush=True)
            )
        except BesiegedError as error:
            print(error, flush=True)
            return 1
    (out / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    print(
        f"{found.hostile:,} hostile records; of {found.honest:,} honest impressions {len(found.lost)} lost, "
        f"{len(found.learned_twice)} learned twice; most memory by stretch, MB: "
        + ", ".join(f"{most / 1e6:.0f}" for most in found.most),
        flush=True,
    )
    return 0 if found.withstood else 1


if __name__ == "__main__":
    sys.exit(main())
