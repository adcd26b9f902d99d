"""Contenders that do the same work one after the other, watched from outside: most a process on a core of its own.

A contender starts on a small log. When that is done it is stopped in its tracks (SIGSTOP), the log to be measured
is written, and it is let go: starting, joining a group and compiling are over, and all that counts is what it takes
from there to the last output. Wall time says what a user sees; the CPU time of all its threads does not hang on what
else the machine does, and their ratio says whether it kept its core busy.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from experiments.bench.workload import BEGIN, Logs
from experiments.servers.child_process import ChildProcess
from experiments.servers.worker_metrics import get

WARM_UP: Final = 1_500
"""Impressions of the log on which a contender starts."""
LOOK_SECONDS: Final = 0.02
CORES: Final = sorted(os.sched_getaffinity(0))


class ContenderError(Exception):
    """A contender ended or came to a halt; the message says what it printed last."""


@dataclass(frozen=True)
class Inputs:
    """Where a contender reads."""

    servers: str
    impressions: str
    feedback: str
    partitions: int


@dataclass(frozen=True)
class Contender:
    """A program that reads the topics of `inputs` and writes to the topic `output`.

    It writes `per_impression` records for each impression and `per_feedback` for each feedback. `workers` has for each
    of its processes what is in its environment alone; `pages` are the addresses of those that tell when they are ready.
    """

    name: str
    module: str
    arguments: Sequence[str]
    output: str
    per_impression: float = 1
    per_feedback: float = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    workers: Sequence[Mapping[str, str]] = ({},)
    pages: Sequence[str] = ()
    python: str = sys.executable

    def outputs(self, logs: Logs) -> int:
        """Return how many records it writes for these logs."""
        return round(self.per_impression * len(logs.impressions) + self.per_feedback * len(logs.feedback))


@dataclass(frozen=True)
class Measured:
    """What one run took."""

    impressions: int
    wall: float
    cpu: float

    @property
    def per_second(self) -> float:
        """Impressions in a second of wall time."""
        return self.impressions / self.wall

    @property
    def per_cpu_second(self) -> float:
        """Impressions in a second of CPU time."""
        return self.impressions / self.cpu


def middle(runs: Sequence[Measured]) -> dict[str, float]:
    """Return the medians of several runs."""
    return {
        "per_second": median(run.per_second for run in runs),
        "per_cpu_second": median(run.per_cpu_second for run in runs),
        "busy": median(run.cpu / run.wall for run in runs),
    }


def race(
    contender: Contender,
    inputs: Inputs,
    logs: Logs,
    log: Path,
    patience: float,
    *,
    profile: Path | None = None,
    cores: Sequence[int] = CORES[-1:],
) -> Measured:
    """Run a contender on `cores`, and write where the time of its first process goes to `profile` (folded stacks).

    Raises `ContenderError` if its output is not complete after `patience` seconds.
    """
    warm_up = Logs(WARM_UP, seed=1, begin=BEGIN - 10**6)
    write(inputs, warm_up)
    watch = OutputWatch(inputs.servers, contender.output)
    with started(contender, log, cores) as processes:
        deadline = time.monotonic() + patience
        expected = contender.outputs(warm_up)
        _wait(processes, watch, expected, deadline)
        wait_until_ready(contender, deadline)
        _signal(processes, signal.SIGSTOP)
        try:
            write(inputs, logs)
            begin, used = time.monotonic(), _cpu_seconds(processes)
        finally:
            _signal(processes, signal.SIGCONT)
        with _profiler(processes[0].pid, profile):
            _wait(processes, watch, expected + contender.outputs(logs), deadline)
        return Measured(len(logs.impressions), time.monotonic() - begin, _cpu_seconds(processes) - used)


@contextmanager
def started(contender: Contender, log: Path, cores: Sequence[int] = CORES[-1:]) -> Iterator[Sequence[ChildProcess]]:
    """Run the contender's processes on `cores`, with what they print in `log` and in files beside it."""
    command = [*pinned(cores), contender.python, "-m", contender.module, *contender.arguments]
    with ExitStack() as running:
        yield [
            running.enter_context(
                ChildProcess(
                    contender.name,
                    command,
                    log=log.with_stem(f"{log.stem}-{number}") if number else log,
                    environment={**contender.environment, **own},
                )
            )
            for number, own in enumerate(contender.workers)
        ]


def pinned(cores: Sequence[int]) -> Sequence[str]:
    """Return what a command begins with that runs on `cores`."""
    return [] if len(CORES) == 1 else ["taskset", "-c", ",".join(map(str, cores))]


def wait_until_ready(contender: Contender, deadline: float) -> None:
    """Wait until all that tell are ready: several workers have then shared out the work.

    Raises `ContenderError` if they are not by `deadline`, of the clock that never goes back.
    """
    while not all(get(f"{page}/readyz") for page in contender.pages):
        if time.monotonic() > deadline:
            raise ContenderError(f"{contender.name} is not ready")
        time.sleep(LOOK_SECONDS)


def _signal(processes: Sequence[ChildProcess], what: signal.Signals) -> None:
    for process in processes:
        os.kill(process.pid, what)


def _cpu_seconds(processes: Sequence[ChildProcess]) -> float:
    return sum(cpu_seconds(process.pid) for process in processes)


@contextmanager
def _profiler(pid: int, out: Path | None) -> Iterator[None]:
    if out is None:
        yield
        return
    py_spy = str(Path(sys.executable).with_name("py-spy"))
    command = [py_spy, "record", "--pid", str(pid), "--format", "raw", "--rate", "200", "--output", str(out)]
    profiler = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    yield
    profiler.send_signal(signal.SIGINT)
    profiler.wait()


def _wait(processes: Sequence[ChildProcess], watch: OutputWatch, expected: int, deadline: float) -> None:
    while (written := watch.written()) < expected:
        ended = [process for process in processes if process.exit_code is not None]
        if ended or time.monotonic() > deadline:
            process, why = (ended[0], "ended") if ended else (processes[0], "came to a halt")
            raise ContenderError(f"{process.name} {why} after {written} of {expected} records:\n{process.tail()}")
        time.sleep(LOOK_SECONDS)


class OutputWatch:
    """Counts what lies on a topic, from the broker's end offsets."""

    def __init__(self, servers: str, topic: str) -> None:
        from confluent_kafka import Consumer  # noqa: PLC0415 - an extra dependency

        self._topic = topic
        self._consumer = Consumer({"bootstrap.servers": servers, "group.id": "watch", "enable.auto.commit": False})
        self._partitions: list[Any] = []

    def written(self) -> int:
        """Return the number of records on the topic."""
        from confluent_kafka import TopicPartition  # noqa: PLC0415 - an extra dependency

        if not self._partitions:
            found = self._consumer.list_topics(self._topic, 10).topics[self._topic].partitions
            self._partitions = [TopicPartition(self._topic, number) for number in found]
        return sum(self._consumer.get_watermark_offsets(one, 10)[1] for one in self._partitions)


def contract_producer(servers: str, *, linger_ms: int = 20) -> Any:
    """Return a producer of confluent-kafka that puts keys where the contract has them."""
    from confluent_kafka import Producer  # noqa: PLC0415 - an extra dependency

    return Producer(
        {
            "bootstrap.servers": servers,
            "partitioner": "murmur2_random",
            "linger.ms": linger_ms,
            "batch.size": 1_000_000,
            "batch.num.messages": 10_000,
            "queue.buffering.max.messages": 10_000_000,
            "queue.buffering.max.kbytes": 2_000_000,
            "compression.type": "lz4",
        }
    )


def write(inputs: Inputs, logs: Logs) -> None:
    """Write both logs, keyed as the contract has it, and what closes the windows of every partition."""
    producer = contract_producer(inputs.servers)
    for topic, records in ((inputs.impressions, logs.impressions), (inputs.feedback, logs.feedback)):
        for key, value in records:
            producer.produce(topic, value, key)
    producer.flush()
    for partition in range(inputs.partitions):
        shown, answer = logs.closing(partition)
        producer.produce(inputs.impressions, shown[1], shown[0], partition)
        producer.produce(inputs.feedback, answer[1], answer[0], partition)
    producer.flush()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process with all its threads (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
