"""What an interaction costs with more users, with more impressions waiting, and with one more worker.

Users and what waits are measured in this process on the worker's own join and learner, without Kafka
(`bench_growth`); workers on Apache Kafka with topics that are filled before they may begin. There nothing has a core of
its own: two workers and the broker share what there is, and one worker and the broker do so too.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console

from experiments.bench.contenders import ours
from experiments.bench.growth import FEWEST_PENDING, Size, microseconds
from experiments.bench.race import CORES, race
from experiments.bench.result import at_most, conclude
from experiments.bench.turns import PATIENCE
from experiments.bench.workload import Logs
from experiments.servers.apache_kafka import ApacheKafka
from processors.learners.learner_choice import warm_up
from processors.models.config import ModelConfig
from streams.worker.garbage_collection import collect_seldom

GROWTH_BAR: Final = 1.2
WORKERS_BAR: Final = 1.15
MOST_USERS: Final = 10_000_000
MOST_PENDING: Final = 1_000_000
WARM_UP: Final = 20_000
KINDS: Final = {"one model": False, "one model in four shards": True}
"""What two workers learn: where a model is not sharded, one of them learns it and both join."""

Run = Mapping[str, Mapping[str, float]]
"""Of each row of the table its columns."""


def bench_scale(
    out: Path, count: int, runs: int, *, users: int = MOST_USERS, pending: int = MOST_PENDING, kafka: bool = True
) -> int:
    """Measure up to so many `users` and `pending`, and workers on Apache `kafka`; return 1 if a bar is missed, else 0.

    `count` impressions are measured at each size in each of the `runs`, and as many on Kafka.
    """
    out.mkdir(parents=True, exist_ok=True)
    collect_seldom()
    warm_up([ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}))])
    of_users = {f"{n:,} users": Size(users=n) for n in (1_000, 100_000, users)}
    of_users[f"{users:,} users, 22 hash bits"] = Size(users=users, hash_bits=22)
    of_pending = {f"{n:,} waiting": Size(pending=n) for n in (FEWEST_PENDING, pending)}
    measured = [_growth(sizes, count, runs) for sizes in (of_users, of_pending)]
    bars = [
        at_most(f"{users:,} users, times 1,000", GROWTH_BAR, _times(measured[0], 2)),
        at_most(f"{pending:,} waiting, times {FEWEST_PENDING}", GROWTH_BAR, _times(measured[1], 1)),
    ]
    if kafka:
        measured.append([_workers(out, count, run) for run in range(runs)])
        bars += [
            at_most(f"two workers, times one: {kind}", WORKERS_BAR, _times(measured[2], 2 * number + 1, 2 * number))
            for number, kind in enumerate(KINDS)
        ]
    return conclude(
        out, f"of an interaction, medians of {runs}", _medians(measured), bars, bench="scale", impressions=count,
        runs=runs, ratios={bar.name: bar.reached for bar in bars}, every_run=measured,
    )  # fmt: skip


def _times(runs: Sequence[Run], row: int, to: int = 0) -> float:
    """Return the median over all runs of what a row costs, in times of another one in the same run."""
    costs = [[one["cpu_us"] for one in run.values()] for run in runs]
    return median(cost[row] / cost[to] for cost in costs)


def _medians(measured: Sequence[Sequence[Run]]) -> dict[str, dict[str, float]]:
    seen: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for runs in measured:
        for run in runs:
            for name, row in run.items():
                for column, value in row.items():
                    seen[name][column].append(value)
    return {name: {column: median(values) for column, values in row.items()} for name, row in seen.items()}


def _growth(sizes: Mapping[str, Size], count: int, runs: int) -> Sequence[Run]:
    measured = microseconds(sizes, count, warm_up=WARM_UP, runs=runs)
    return [{name: _told(name, {"cpu_us": cost}) for name, cost in run.items()} for run in measured]


def _told(name: str, row: Mapping[str, float]) -> Mapping[str, float]:
    Console().print(f"{name}: {row['cpu_us']:.1f} us", highlight=False)
    return row


def _workers(out: Path, count: int, run: int) -> Run:
    """Let one worker and two read the same logs from Apache Kafka."""
    logs = Logs(count, seed=run)
    result = {}
    with tempfile.TemporaryDirectory() as kept, ApacheKafka(Path(kept) / "kafka", heap_mebibytes=1024) as kafka:
        for kind, sharded in KINDS.items():
            for workers in (1, 2):
                contender, inputs = ours(
                    "pipeline", run, kafka.bootstrap_servers, Path(kept), workers=workers, sharded=sharded
                )
                log = out / f"{'sharded' if sharded else 'whole'}-{workers}-{run}.log"
                one = race(contender, inputs, logs, log, PATIENCE, cores=CORES)
                name = f"{kind}, {'two workers' if workers == 2 else 'one worker'}"
                result[name] = _told(name, {"cpu_us": 1e6 / one.per_cpu_second, "wall_us": 1e6 / one.per_second})
    return result
