"""`groundswell kafka`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def kafka(
    directory: Annotated[Path, typer.Option(help="Where the data lies; an existing one carries on.")],
    brokers: Annotated[int, typer.Option(help="1 or 3")] = 1,
) -> None:
    """Run a real Apache Kafka in the foreground, without Docker (needs Java 17 and Maven)."""
    from experiments.servers.apache_kafka import run  # noqa: PLC0415

    run(directory, brokers)
