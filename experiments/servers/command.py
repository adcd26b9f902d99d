"""`groundswell kafka`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.command_line import fail, unusable


def kafka(
    directory: Annotated[Path, typer.Option(help="Where the data lies; an existing one carries on.")] = Path("kafka"),
    port: Annotated[int, typer.Option(min=1, max=65_533, help="Where clients find it (the first).")] = 9092,
    brokers: Annotated[int, typer.Option(help="1 or 3.")] = 1,
) -> None:
    """Run a real Apache Kafka in the foreground, without Docker (needs Java 17 and Maven)."""
    from experiments.servers.apache_kafka import ApacheKafka  # noqa: PLC0415
    from experiments.servers.foreground_kafka import run_in_foreground  # noqa: PLC0415
    from experiments.servers.kafka_distribution import KafkaUnavailableError  # noqa: PLC0415

    if directory.exists() and not directory.is_dir():
        fail(f"--directory {directory}: is a file; name a folder, or one that is not there yet")
    try:
        run_in_foreground(ApacheKafka(directory, brokers, port=port), typer.echo)
    except OSError as error:
        fail(str(error) if error.filename is None else f"--directory {directory}: {unusable(error)}")
    except (KafkaUnavailableError, ValueError) as error:
        fail(str(error))
