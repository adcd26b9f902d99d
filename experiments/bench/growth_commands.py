"""The commands that measure what load and time do: `groundswell bench scale`, `latency`, `serve`, `soak` …"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.bench.peer_commands import Runs


def bench_scale(
    out: Annotated[Path, typer.Option(help="Folder for results.json and the logs.")] = Path("out/bench-scale"),
    impressions: Annotated[int, typer.Option(min=4_000, help="How many at each size and run.")] = 60_000,
    runs: Runs = 3,
    users: Annotated[int, typer.Option(min=2_000, help="The most users.")] = 10_000_000,
    pending: Annotated[int, typer.Option(min=1_000, help="The most impressions that wait.")] = 1_000_000,
    kafka: Annotated[bool, typer.Option(help="Measure two workers on a real Apache Kafka, too.")] = True,
) -> None:
    """Measure what users, impressions that wait and a second worker add to the cost (extra "bench", Java 17)."""
    from experiments.bench.scale import bench_scale as run_bench  # noqa: PLC0415

    raise typer.Exit(run_bench(out, impressions, runs, users=users, pending=pending, kafka=kafka))


def bench_latency(
    out: Annotated[Path, typer.Option(help="Folder for results.json and the logs.")] = Path("out/bench-latency"),
    impressions: Annotated[int, typer.Option(min=4_000, help="To find the maximal rate with.")] = 60_000,
    runs: Runs = 3,
    seconds: Annotated[float, typer.Option(min=1, help="That each lasts.")] = 30.0,
    rate: Annotated[float | None, typer.Option(min=1, help="Impressions a second; default half the maximal.")] = None,
) -> None:
    """Measure how soon rewards and policies are there at half the maximal load (extra "bench", Java 17)."""
    from experiments.bench.latency import bench_latency as run_bench  # noqa: PLC0415

    raise typer.Exit(run_bench(out, impressions, runs, seconds, rate))


def bench_serve(
    out: Annotated[Path, typer.Option(help="Folder for results.json and the log.")] = Path("out/bench-serve"),
    seconds: Annotated[float, typer.Option(min=1, help="That each lasts.")] = 20.0,
    runs: Runs = 3,
) -> None:
    """Measure how soon decisions over HTTP are there, and what a flood of them does (extra "serve", Java 17)."""
    from experiments.bench.serve import bench_serve as run_bench  # noqa: PLC0415

    raise typer.Exit(run_bench(out, seconds, runs))


def bench_soak(
    out: Annotated[Path, typer.Option(help="Folder for results.json.")] = Path("out/bench-soak"),
    a_day: Annotated[int, typer.Option(min=1_000, help="Impressions a simulated day.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Of what people do.")] = 0,
) -> None:
    """Let a month of comings and goings pass on a fast clock: does memory grow?"""
    from experiments.bench.soak import bench_soak as run_bench  # noqa: PLC0415

    raise typer.Exit(run_bench(out, a_day, seed))


def bench_pending(
    out: Annotated[Path, typer.Option(help="Folder for pending.json.")] = Path("out/bench-pending"),
    impressions: Annotated[int, typer.Option(min=4_000, help="How many wait.")] = 1_000_000,
    real: Annotated[
        bool, typer.Option("--kafka", help="In a worker on a real Apache Kafka, killed meanwhile.")
    ] = False,
    spill: Annotated[bool, typer.Option(help="With --kafka: their payloads in files.")] = False,
) -> None:
    """Measure the memory of impressions that wait, and the time to restore them."""
    from experiments.bench.pending import bench_pending as run_bench  # noqa: PLC0415
    from experiments.bench.restart import bench_restart  # noqa: PLC0415

    raise typer.Exit(bench_restart(out, impressions, spill=spill) if real else run_bench(out, impressions))
