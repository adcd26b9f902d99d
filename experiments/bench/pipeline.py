"""The whole worker: impressions and feedback in; interactions, rewards, policies and metrics out, checkpoints on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from experiments.bench.race import middle
from experiments.bench.result import at_least, conclude
from experiments.bench.turns import take_turns
from experiments.bench.workload import FEEDBACK_SHARE
from experiments.papers.runs_and_bars import Bar

RATE_BAR: Final = 50_000
RATIO_BAR: Final = 0.25
"""Of the join on raw confluent-kafka, where the machine is slower: one of the two has to be met."""


def bench_pipeline(out: Path, count: int, runs: int, *, profile: bool = False) -> int:
    """Run our worker and the join on raw confluent-kafka; print, write results.json, return 1 if the bar is missed."""
    out.mkdir(parents=True, exist_ok=True)
    measured = take_turns("pipeline", {"confluent-kafka": 1.0}, count, runs, out, profile=profile)
    rows = {name: middle(runs_of) for name, runs_of in measured.items()}
    rate = rows["groundswell"]["per_cpu_second"]
    ratio = at_least("times confluent-kafka's join", RATIO_BAR, rate / rows["confluent-kafka"]["per_cpu_second"])
    bar = Bar("interactions/s, or a share of confluent-kafka's", f">= {RATE_BAR} or {RATIO_BAR}", rate,
              rate >= RATE_BAR or ratio.met)  # fmt: skip
    title = f"interactions joined and learned, with {FEEDBACK_SHARE} feedback each, one core, medians of {runs}"
    return conclude(
        out, title, rows, [bar], bench="pipeline", impressions=count, runs=runs,
        ratios={"confluent-kafka": ratio.reached},
        every_run={name: [vars(one) for one in runs_of] for name, runs_of in measured.items()},
    )  # fmt: skip
