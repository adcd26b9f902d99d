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
    case: Annotated[str | None, typer.Option(help='Of "hard": the only one; default all of them.')] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; default out/NAME.")] = None,
) -> None:
    """Run one of the papers' experiments, or one outside their feeds, and say which bars were met."""
    from experiments.papers.experiments import EXPERIMENTS, HARD, evaluate  # noqa: PLC0415
    from experiments.papers.hard import cases  # noqa: PLC0415
    from experiments.people.data_place import DataError  # noqa: PLC0415

    if name not in (*EXPERIMENTS, HARD, "all"):
        fail(f"no experiment {name!r}; there are {', '.join(EXPERIMENTS)}, {HARD}, and all")
    if case is not None and (name != HARD or case not in cases()):
        fail(f"no case {case!r}; of {HARD} there are {', '.join(cases())}, others have none")
    folder = out or Path("out") / (name if case is None else f"{name}-{case}")
    try:
        raise typer.Exit(evaluate(name, seeds, seed, folder, case))
    except DataError as error:
        fail(str(error))
