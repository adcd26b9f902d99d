"""The join beside its peers: our worker without learning, raw confluent-kafka, Faust as documented, Quix Streams.

Ours keeps all its rules, durable segments and commits; `docs/performance.md` says what each of the others leaves out.
Bars go by the CPU time of each contender, which a busy machine does not change much; wall time stands beside it.
"""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rich.console import Console

from experiments.apache_kafka import ApacheKafka
from experiments.bench_contenders import ours, peer
from experiments.bench_race import CORES, Measured, middle, race
from experiments.bench_result import at_least, conclude
from experiments.bench_workload import EVENTS_EACH, Logs

OURS: Final = "groundswell"
SHARES: Final = {OURS: 1.0, "confluent-kafka": 1.0, "Quix state": 0.2, "Quix interval": 0.1, "Faust": 0.05}
"""The contenders, and which share of the impressions they get: what takes ten times as long need not do as much."""
BARS: Final = {"confluent-kafka": 0.3, "Faust": 20.0, "Quix": 3.0}
GOALS: Final = {"confluent-kafka": 0.4, "Faust": 35.0, "Quix": 5.0}


def bench_join(out: Path, count: int, runs: int, *, profile: bool = False, patience: float = 240.0) -> int:
    """Run all contenders in turns, so many times; print, write results.json and return 1 if a bar is missed."""
    console, out = Console(), out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    logs = {name: Logs(max(1_000, round(share * count))) for name, share in SHARES.items()}
    measured: defaultdict[str, list[Measured]] = defaultdict(list)
    here = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CORES[0]})
    try:
        with tempfile.TemporaryDirectory() as kept, ApacheKafka(Path(kept) / "kafka", heap_mebibytes=1024) as kafka:
            for run in range(runs):
                for name in SHARES:
                    servers, folder = kafka.bootstrap_servers, Path(kept)
                    contender, inputs = ours("join", run, servers, folder) if name == OURS else peer(name, run, servers)
                    stacks = out / f"profile-{run}.txt" if profile and name == OURS else None
                    one = race(contender, inputs, logs[name], out / f"{contender.name}-{run}.log", patience, stacks)
                    measured[name].append(one)
                    console.print(
                        f"{run + 1}/{runs} {name}: {one.per_second:,.0f}/s, {one.per_cpu_second:,.0f} a CPU second"
                    )
    finally:
        os.sched_setaffinity(0, here)
    rows = {name: middle(runs_of) for name, runs_of in measured.items()}
    reached = ratios(rows)
    bars = [at_least(f"times {name}", bar, reached[name]) for name, bar in BARS.items()]
    title = f"impressions/s with {EVENTS_EACH - 1:.1f} feedback each, one core, medians of {runs}"
    by_wall = ratios(rows, "per_second")
    return conclude(
        out, title, rows, bars, bench="join", impressions=count, runs=runs,
        ratios=reached, ratios_by_wall_time=by_wall, goals=GOALS,
        every_run={name: [vars(one) for one in runs_of] for name, runs_of in measured.items()},
    )  # fmt: skip


def ratios(rows: Mapping[str, Mapping[str, float]], by: str = "per_cpu_second") -> dict[str, float]:
    """Return how many times each peer's rate ours is; of Quix's two joins the faster one counts."""
    rates = {name: row[by] for name, row in rows.items()}
    rates["Quix"] = max(rates.pop("Quix state"), rates.pop("Quix interval"))
    return {name: rates[OURS] / rate for name, rate in rates.items() if name != OURS}
