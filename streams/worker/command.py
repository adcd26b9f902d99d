"""`groundswell redecode` and `groundswell worth`."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.command_line import ConfigOption, console, fail, load_or_fail


def redecode(
    model: Annotated[str, typer.Option(help="Its name in the configuration.")],
    check: Annotated[bool, typer.Option("--check", help="Say what would change and write nothing.")] = False,
    stopped: Annotated[bool, typer.Option("--stopped", help="No worker runs, whatever Kafka says.")] = False,
    config: ConfigOption = None,
) -> None:
    """Learn a model again from its interactions, under the settings and rules of now. No worker may run meanwhile."""
    from processors.learners.stock_models import EstimatorError  # noqa: PLC0415
    from state.checkpoints import CheckpointError  # noqa: PLC0415
    from streams.kafka.access_check import check_connection  # noqa: PLC0415
    from streams.kafka.acknowledged_producer import SendError  # noqa: PLC0415
    from streams.kafka.security import SecurityError  # noqa: PLC0415
    from streams.worker.redecoding import RedecodeError, redecode  # noqa: PLC0415

    settings = load_or_fail(config)
    try:
        check_connection(settings.kafka)
        for found in redecode(settings, model, check=check, stopped=stopped):
            for line in found.in_words():
                console.print(line, highlight=False, markup=False, soft_wrap=True)
    except (CheckpointError, EstimatorError, RedecodeError, SecurityError, SendError, TimeoutError) as error:
        fail(str(error))
    console.print("nothing was written" if check else "written; workers may start again")


def worth(
    model: Annotated[str, typer.Option(help="Its name in the configuration.")],
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, to the standard output.")] = False,
    config: ConfigOption = None,
) -> None:
    """Say what each signal of a model is worth, as the worker last wrote it."""
    from streams.kafka.access_check import check_connection  # noqa: PLC0415
    from streams.kafka.security import SecurityError  # noqa: PLC0415
    from streams.worker.worth_listing import WorthError, as_csv, as_table, newest_worth  # noqa: PLC0415

    settings = load_or_fail(config)
    try:
        check_connection(settings.kafka)
        found = newest_worth(settings, model)
    except (SecurityError, TimeoutError, WorthError) as error:
        fail(str(error))
    if csv:
        typer.echo(as_csv(found), nl=False)
    else:
        console.print(as_table(found))
