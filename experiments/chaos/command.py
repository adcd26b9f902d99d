"""`groundswell chaos`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.command_line import console, fail


def chaos(
    kills: Annotated[int, typer.Option(min=0, help="How often a worker is killed with SIGKILL.")] = 10,
    seed: Annotated[int, typer.Option(help="Of what flows, and of what dies when.")] = 0,
    impressions: Annotated[int, typer.Option(min=100, help="How many flow.")] = 100_000,
    out: Annotated[Path, typer.Option(help="Folder for results.json, the logs and the broker.")] = Path("out/chaos"),
    hostile: Annotated[bool, typer.Option("--hostile", help="With a hostile producer in the second phase.")] = False,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="With the embedded broker and one worker, of which nothing but it dies.")
    ] = False,
    plant: Annotated[str | None, typer.Option(help="A fault for the audit to find.", hidden=True)] = None,
) -> None:
    """Kill workers and Apache Kafka while impressions flow; was anything lost or learned twice?"""
    from experiments.chaos.planted_faults import Fault  # noqa: PLC0415
    from experiments.chaos.run import run_chaos  # noqa: PLC0415
    from experiments.servers.child_process import stopped_like_ctrl_c  # noqa: PLC0415
    from experiments.servers.kafka_distribution import KafkaUnavailableError  # noqa: PLC0415

    if plant is not None and plant not in list(Fault):
        fail(f"no fault {plant!r} to plant; there are {', '.join(Fault)}")
    try:
        with stopped_like_ctrl_c():
            code = run_chaos(
                kills, seed, impressions, out, hostile=hostile, embedded=embedded, plant=plant, console=console
            )
            raise typer.Exit(code)
    except KafkaUnavailableError as error:
        fail(str(error))
