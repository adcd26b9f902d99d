"""The join beside its peers: our worker without learning, raw confluent-kafka, Faust as documented, Quix Streams.

Ours keeps all its rules, durable segments and commits; docs/performance.md says what each of the others leaves out.
Bars go by the CPU time of each contender, which a busy machine does not change much; wall time stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from experiments.bench.race import middle
from experiments.bench.result import at_least, conclude
from experiments.bench.turns import take_turns
from experiments.bench.workload import FEEDBACK_SHARE

SHARES: Final = {"confluent-kafka": 1.0, "Quix": 0.2, "Faust": 0.03}
"""The peers, and which share of the impressions they get."""
BARS: Final = {"confluent-kafka": 0.3, "Faust": 20.0, "Quix": 3.0}
GOALS: Final = {"confluent-kafka": 0.4, "Faust": 35.0, "Quix": 5.0}


def bench_join(out: Path, count: int, runs: int, *, profile: bool = False) -> int:
    """Run all contenders; print, write results.json and return 1 if a bar is missed."""
    out.mkdir(parents=True, exist_ok=True)
    measured = take_turns("join", SHARES, count, runs, out, profile=profile)
    rows = {name: middle(runs_of) for name, runs_of in measured.items()}
    reached = ratios(rows)
    bars = [at_least(f"times {name}", bar, reached[name]) for name, bar in BARS.items()]
    title = f"impressions joined, with {FEEDBACK_SHARE} feedback each, one core, medians of {runs}"
    return conclude(
        out, title, rows, bars, bench="join", impressions=count, runs=runs,
        ratios=reached, ratios_by_wall_time=ratios(rows, "per_second"), goals=GOALS,
        every_run={name: [vars(one) for one in runs_of] for name, runs_of in measured.items()},
    )  # fmt: skip


def ratios(rows: Mapping[str, Mapping[str, float]], by: str = "per_cpu_second") -> dict[str, float]:
    """Return how many times each peer's rate ours is."""
    return {name: rows["groundswell"][by] / row[by] for name, row in rows.items() if name != "groundswell"}
