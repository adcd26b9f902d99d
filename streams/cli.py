"""The command line: `groundswell …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from streams.settings import Settings, load_settings

cli = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_show_locals=False)
topics_cli = typer.Typer(no_args_is_help=True, help="Make and check the topics.")
cli.add_typer(topics_cli, name="topics")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="GROUNDSWELL_CONFIG", help="TOML file with the settings."),
]
console = Console()


def main() -> None:
    """Run the command line."""
    cli()


@cli.command()
def worker(config: ConfigOption = None) -> None:
    """Join, learn and publish until stopped."""
    from streams.run import run_worker  # noqa: PLC0415  # Faust and numba take a second: only where they are used

    settings = _settings(config)
    if not settings.models:
        _fail("no model is configured: add a [models.NAME] section with definitely_negative = [...]")
    run_worker(settings)


@topics_cli.command("create")
def topics_create(config: ConfigOption = None) -> None:
    """Make the topics that are missing, and check the partition counts of all."""
    from streams.topics import PartitionCountError, create_topics  # noqa: PLC0415

    settings = _settings(config)
    try:
        made = create_topics(settings.kafka, settings.topics)
    except PartitionCountError as error:
        _fail(str(error))
    console.print(f"made {', '.join(made)}" if made else "all topics are there")


def _settings(config: Path | None) -> Settings:
    try:
        return load_settings(config)
    except (ValidationError, FileNotFoundError) as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    Console(stderr=True).print(f"[bold red]groundswell:[/] {message}", highlight=False)
    raise typer.Exit(2)


if __name__ == "__main__":
    main()
