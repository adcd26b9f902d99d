"""The commands that measure against peers: `groundswell bench learner`, `decide`, `join` and `pipeline`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Runs = Annotated[int, typer.Option(min=1, help="Of which the medians count.")]
Profile = Annotated[bool, typer.Option(help="Write where our time goes: folded stacks.")]
Against = Annotated[
    Path | None,
    typer.Option(help="An older build instead of peers: a checkout of it, or the python of an environment with it."),
]
Pairs = Annotated[int, typer.Option(min=1, help="With --against: runs of each build, in turns.")]
Least = Annotated[float, typer.Option(min=0, help="With --against: the share of the older build's rate to reach.")]


def bench_learner(
    out: Annotated[Path, typer.Option(help="Folder for results.json.")] = Path("out/bench-learner"),
    against: Against = None,
    pairs: Pairs = 15,
    least: Least = 0.95,
) -> None:
    """Learn the same interactions with ours and with VowpalWabbit (extra "bench"), or with an older build."""
    from experiments.bench.against import against_learner  # noqa: PLC0415
    from experiments.bench.learner import bench_learner as run_bench  # noqa: PLC0415

    raise typer.Exit(against_learner(out, against, pairs, least) if against else run_bench(out))


def bench_decide(
    out: Annotated[Path, typer.Option(help="Folder for results.json.")] = Path("out/bench-decide"),
) -> None:
    """Decide in an app's process while policies arrive, beside VowpalWabbit's predict (extra "bench")."""
    from experiments.bench.decide import bench_decide as run_bench  # noqa: PLC0415

    raise typer.Exit(run_bench(out))


def bench_join(
    out: Annotated[Path, typer.Option(help="Folder for results.json.")] = Path("out/bench-join"),
    impressions: Annotated[int, typer.Option(min=4_000, help="How many.")] = 200_000,
    runs: Runs = 3,
    profile: Profile = False,
    against: Against = None,
    pairs: Pairs = 15,
    least: Least = 0.95,
) -> None:
    """Join as fast as one core can, beside Faust, Quix Streams and raw confluent-kafka (extra "bench", Java 17)."""
    from experiments.bench.against import against_worker  # noqa: PLC0415
    from experiments.bench.join import bench_join as run_bench  # noqa: PLC0415

    if against:
        raise typer.Exit(against_worker("join", out, impressions, against, pairs, least, profile=profile))
    raise typer.Exit(run_bench(out, impressions, runs, profile=profile))


def bench_pipeline(
    out: Annotated[Path, typer.Option(help="Folder for results.json.")] = Path("out/bench-pipeline"),
    impressions: Annotated[int, typer.Option(min=4_000, help="How many.")] = 100_000,
    runs: Runs = 3,
    profile: Profile = False,
    against: Against = None,
    pairs: Pairs = 15,
    least: Least = 0.95,
) -> None:
    """Join, learn and publish as fast as one core can, beside the join on raw confluent-kafka (extra "bench")."""
    from experiments.bench.against import against_worker  # noqa: PLC0415
    from experiments.bench.pipeline import bench_pipeline as run_bench  # noqa: PLC0415

    if against:
        raise typer.Exit(against_worker("pipeline", out, impressions, against, pairs, least, profile=profile))
    raise typer.Exit(run_bench(out, impressions, runs, profile=profile))
