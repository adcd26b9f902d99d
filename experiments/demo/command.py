"""`groundswell demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.command_line import console, fail


def demo(
    interactions: Annotated[int, typer.Option(min=1, help="Impressions to simulate.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Of the simulated people.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for summary.json and report.html.")] = Path("out/demo"),
    serve: Annotated[bool, typer.Option(help="Keep people coming until Ctrl-C.")] = False,
    serve_http: Annotated[
        bool, typer.Option("--serve-http", help="The apps ask `groundswell serve` over HTTP, without a Kafka client.")
    ] = False,
) -> None:
    """Watch the whole loop: simulated apps, broker, worker, policies back to the apps, and an audit."""
    from experiments.demo.run import run_demo  # noqa: PLC0415
    from experiments.servers.embedded_broker import BrokerError  # noqa: PLC0415
    from streams.declared_settings import DeclarationError  # noqa: PLC0415
    from streams.kafka.security import SecurityError  # noqa: PLC0415
    from streams.kafka.topics import TopicError  # noqa: PLC0415

    try:
        code = run_demo(interactions, seed, out, serve=serve, serve_http=serve_http, console=console)
    except (BrokerError, DeclarationError, SecurityError, TopicError) as error:
        fail(str(error))
    raise typer.Exit(code)
