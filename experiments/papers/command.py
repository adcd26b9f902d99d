"""`groundswell evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.command_line import fail


def evaluate(
    name: Annotated[str, typer.Argument(help="An experiment; an unknown name lists them.")],
    seeds: Annotated[int, typer.Option(min=1, help="How many.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="The first of them: anybody's choice.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; default out/NAME.")] = None,
) -> None:
    """Run one of the papers' experiments, and say which bars were met."""
    from experiments.papers.evaluate import EXPERIMENTS, evaluate  # noqa: PLC0415

    if name not in (*EXPERIMENTS, "all"):
        fail(f"no experiment {name!r}; there are {', '.join(EXPERIMENTS)}, and all")
    raise typer.Exit(evaluate(name, seeds, seed, out or Path("out") / name))
