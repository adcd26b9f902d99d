"""The commands that measure against peers: `groundswell bench learner`, `join` and `pipeline`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Runs = Annotated[int, typer.Option(min=1, help="Of which the medians count.")]
Profile = Annotated[bool, typer.Option(help="Write where our time goes: folded stacks.")]


def bench_learner(
    out: Annotated[Path, typer.Option(help="Folder for results.json.")] = Path("out/bench-learner"),
) -> None:
    """Learn the same interactions with ours and with VowpalWabbit (extra "bench")."""
    from experiments.bench.learner import bench_learner as run_bench  # noqa: PLC0415

    raise typer.Exit(run_bench(out))


def bench_join(
    out: Annotated[Path, typer.Option(help="Folder for results.json.")] = Path("out/bench-join"),
    impressions: Annotated[int, typer.Option(min=4_000, help="How many.")] = 200_000,
    runs: Runs = 3,
    profile: Profile = False,
) -> None:
    """Join as fast as one core can, beside Faust, Quix Streams and raw confluent-kafka (extra "bench", Java 17)."""
    from experiments.bench.join import bench_join as run_bench  # noqa: PLC0415

    raise typer.Exit(run_bench(out, impressions, runs, profile=profile))


def bench_pipeline(
    out: Annotated[Path, typer.Option(help="Folder for results.json.")] = Path("out/bench-pipeline"),
    impressions: Annotated[int, typer.Option(min=4_000, help="How many.")] = 100_000,
    runs: Runs = 3,
    profile: Profile = False,
) -> None:
    """Join, learn and publish as fast as one core can, beside the join on raw confluent-kafka (extra "bench")."""
    from experiments.bench.pipeline import bench_pipeline as run_bench  # noqa: PLC0415

    raise typer.Exit(run_bench(out, impressions, runs, profile=profile))
