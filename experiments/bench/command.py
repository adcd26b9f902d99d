"""`groundswell bench …`."""

from __future__ import annotations

import typer

from experiments.bench.growth_commands import bench_latency, bench_pending, bench_scale, bench_serve, bench_soak
from experiments.bench.peer_commands import bench_decide, bench_join, bench_learner, bench_pipeline
from streams.command_line import command_group

bench = command_group("Measure against peers, side by side in one run.")


@bench.callback()
def stopped_like_ctrl_c(context: typer.Context) -> None:
    """Leave no process behind where a benchmark is ended by a signal."""
    from experiments.servers import child_process  # noqa: PLC0415

    context.with_resource(child_process.stopped_like_ctrl_c())


bench.command("learner")(bench_learner)
bench.command("decide")(bench_decide)
bench.command("serve")(bench_serve)
bench.command("join")(bench_join)
bench.command("pipeline")(bench_pipeline)
bench.command("scale")(bench_scale)
bench.command("latency")(bench_latency)
bench.command("soak")(bench_soak)
bench.command("pending")(bench_pending)
