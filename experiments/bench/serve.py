"""How soon `groundswell serve` answers on one core, with Apache Kafka and the apps on the other.

Apps ask at random moments (Poisson) at an even rate, whether they have been answered or not, and what is measured is
from the moment at which a request was to be sent on; in a flood from when it was sent: there the apps wait for each
other, too. Time of day is what latency is made of, so neighbours on the machine count in full: results.json has the
load average.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from kafka import KafkaProducer

from experiments.bench.decide import ACTIONS, contexts, snapshot
from experiments.bench.race import CORES
from experiments.bench.result import at_least, at_most, conclude
from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.child_process import ChildProcess
from experiments.servers.embedded_broker import free_port
from experiments.servers.worker_metrics import get
from groundswell.chunks import split
from streams.kafka.topics import create_topics
from streams.settings import KafkaSettings, TopicSettings

RATE: Final = 500.0
RANK_MS, WRITTEN_MS = 3.0, 10.0
"""The bars of the p99 of a decision that is written later, and of one that is written before the answer."""
FLOOD: Final = 4_000.0
"""Requests a second, more than one core answers."""
CONNECTIONS: Final = 200
READY_SECONDS: Final = 60.0
WARM_SECONDS: Final = 3.0
PHASES: Final = {
    "written later": ("?write=later", RATE),
    "acknowledged": ("", RATE),
    "flood, acknowledged": ("", FLOOD),
}
"""What is asked for, and at which rate."""
CONFIGURATION: Final = """
[serve]
requests_per_second = 1_000_000
[models.feed]
definitely_negative = ["dislike"]
"""


class Connection(asyncio.Protocol):
    """Asks one request after the other, and notes for each the status and how long ago it was to be sent."""

    def __init__(self, answered: Answered) -> None:
        self._answered = answered
        self._received = b""
        self._due = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be there for the first request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._answered.idle(self)

    def ask(self, request: bytes, due: float) -> None:
        """Send a request that was to be sent at `due` (s)."""
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take in a part of the answer."""
        self._received += data
        head, there, body = self._received.partition(b"\r\n\r\n")
        if there and len(body) == int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            self._received = b""
            self._answered.note(int(head[9:12]), time.perf_counter() - self._due)
            self._answered.idle(self)


class Answered:
    """What has been answered, and what is to be asked as soon as a connection is free."""

    def __init__(self, *, from_sending: bool) -> None:
        self._from_sending = from_sending
        self.seconds: dict[int, list[float]] = {}
        self.left = 0
        self._free: deque[Connection] = deque()
        self._waiting: deque[tuple[bytes, float]] = deque()

    def ask(self, request: bytes, due: float) -> None:
        """Ask this now, or when a connection is free."""
        self.left += 1
        self._waiting.append((request, due))
        self._go_on()

    def idle(self, connection: Connection) -> None:
        """Take in a connection that has nothing to do."""
        self._free.append(connection)
        self._go_on()

    def note(self, status: int, seconds: float) -> None:
        """Note an answer."""
        self.left -= 1
        self.seconds.setdefault(status, []).append(seconds)

    def _go_on(self) -> None:
        while self._free and self._waiting:
            request, due = self._waiting.popleft()
            self._free.popleft().ask(request, time.perf_counter() if self._from_sending else due)


def requests(query: str, count: int = 1_000) -> list[bytes]:
    """Return requests to decide, of the same contexts and actions as `bench decide`."""
    made = []
    for context in contexts(count):
        asked = {"model": "feed", "context": context, "actions": [{"id": action.id} for action in ACTIONS]}
        body = json.dumps(asked).encode()
        head = f"POST /v1/rank{query} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
        made.append(b"%b%d\r\n\r\n%b" % (head.encode(), len(body), body))
    return made


async def asked_at(port: int, query: str, rate: float, seconds: float, seed: int) -> dict[int, list[float]]:
    """Ask at this rate for so long; return the seconds that answers took, by status."""
    loop, made, rng = asyncio.get_running_loop(), requests(query), random.Random(seed)
    answered = Answered(from_sending=rate == FLOOD)
    transports = [
        (await loop.create_connection(lambda: Connection(answered), "127.0.0.1", port))[0] for _ in range(CONNECTIONS)
    ]
    due = begin = time.perf_counter()
    while due < begin + seconds:
        due += rng.expovariate(rate)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        answered.ask(rng.choice(made), due)
    while answered.left:  # noqa: ASYNC110 - the last are under way
        await asyncio.sleep(0.01)
    for transport in transports:
        transport.close()
    return answered.seconds


def bench_serve(out: Path, seconds: float, runs: int) -> int:
    """Measure, print and write `out`/results.json; return 1 if a bar is missed, else 0."""
    out.mkdir(parents=True, exist_ok=True)
    here, measured = os.sched_getaffinity(0), []
    os.sched_setaffinity(0, {CORES[0]})
    try:
        with tempfile.TemporaryDirectory() as kept, ApacheKafka(Path(kept) / "kafka", heap_mebibytes=512) as kafka:
            create_topics(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers), TopicSettings())
            with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)) as producer:
                for key, value in split(b"feed", snapshot(1), 0)[0]:
                    producer.send("policies", key=key, value=value).get(READY_SECONDS)
            with served(kafka.bootstrap_servers, Path(kept), out / "serve.log") as server:
                for run in range(runs):
                    measured.append(
                        {name: measure(server, *phase, seconds, seed=run) for name, phase in PHASES.items()}
                    )
    finally:
        os.sched_setaffinity(0, here)
    rows = {
        name: {column: float(np.median([one[name][column] for one in measured])) for column in measured[0][name]}
        for name in PHASES
    }
    later, written, flood = rows.values()
    bars = [
        at_most("p99 of a decision alone, ms", RANK_MS, later["p99_ms"]),
        at_most("p99 with acknowledged write, ms", WRITTEN_MS, written["p99_ms"]),
        at_least("answered with 200, of both", 1.0, min(later["taken"], written["taken"])),
        at_most("p99 of what is taken in a flood, ms", WRITTEN_MS, flood["p99_ms"]),
        at_least("answered with 200 or 429 in a flood", 1.0, flood["taken"] + flood["shed"]),
    ]
    title = f"at {RATE:g} requests/s, then {FLOOD:g}, one core; medians of {runs} times {seconds:g} s"
    return conclude(
        out, title, rows, bars, bench="serve", runs=runs, seconds=seconds, load_average=os.getloadavg(),
        every_run=measured,
    )  # fmt: skip


class Served(NamedTuple):
    """A server that runs: its port and its process."""

    port: int
    pid: int

    def core_seconds(self) -> float:
        """Return how long it has kept a core busy."""
        times = os.sysconf("SC_CLK_TCK")
        user, system = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / times


def measure(server: Served, query: str, rate: float, seconds: float, seed: int) -> dict[str, float]:
    """Return the quantiles of what was answered with 200 (ms), its share and rate, the share of 429, and the time that
    an answer of either kind takes of the core: that, unlike the others, hangs little on what else the machine does.
    """
    asyncio.run(asked_at(server.port, query, min(rate, RATE), WARM_SECONDS, seed))
    before = server.core_seconds()
    found = asyncio.run(asked_at(server.port, query, rate, seconds, seed))
    spent = server.core_seconds() - before
    in_all, taken = sum(map(len, found.values())), found.get(200, [])
    median, late = np.percentile(taken or [np.inf], [50, 99]) * 1000
    return {
        "p50_ms": float(median),
        "p99_ms": float(late),
        "core_ms": 1000 * spent / in_all,
        "taken": len(taken) / in_all,
        "shed": len(found.get(429, [])) / in_all,
        "asked_per_second": in_all / seconds,
        "taken_per_second": len(taken) / seconds,
    }


@contextmanager
def served(servers: str, folder: Path, log: Path) -> Iterator[Served]:
    """Run a server on the last core, and wait until it is ready."""
    port, config = free_port(), folder / "serve.toml"
    config.write_text(CONFIGURATION)
    environment = {
        "GROUNDSWELL_CONFIG": str(config),
        "KAFKA_BOOTSTRAP_SERVERS": servers,
        "GROUNDSWELL_SERVE__PORT": str(port),
    }
    command = ["taskset", "-c", str(CORES[-1]), sys.executable, "-m", "streams.cli", "serve"]
    with ChildProcess("serve", command, log=log, environment=environment) as server:
        deadline = time.monotonic() + READY_SECONDS
        while get(f"http://127.0.0.1:{port}/readyz") is None:
            if server.exit_code is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server is not ready; it said:\n{server.tail()}")
            time.sleep(0.1)
        yield Served(port, server.pid)
