"""`groundswell redecode`, `groundswell worth` and `groundswell adopt-topics`."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.command_line import ConfigOption, console, fail, load_or_fail, say


def redecode(
    model: Annotated[str, typer.Option(help="Its name in the configuration.")],
    check: Annotated[bool, typer.Option("--check", help="Say what would change and write nothing.")] = False,
    stopped: Annotated[bool, typer.Option("--stopped", help="No worker runs, whatever Kafka says.")] = False,
    config: ConfigOption = None,
) -> None:
    """Learn a model again from its interactions, under the settings and rules of now. No worker may run meanwhile."""
    settings = load_or_fail(config)
    if model not in settings.models:
        fail(settings.no_such_model(model))
    from groundswell.signatures import SignatureError  # noqa: PLC0415
    from processors.learners.stock_models import EstimatorError  # noqa: PLC0415
    from state.learner_checkpoints import CheckpointError  # noqa: PLC0415
    from streams.kafka.access_check import check_connection  # noqa: PLC0415
    from streams.kafka.acknowledged_producer import SendError  # noqa: PLC0415
    from streams.kafka.group_members import WorkersRunError  # noqa: PLC0415
    from streams.kafka.security import SecurityError  # noqa: PLC0415
    from streams.kafka.topics import TopicError  # noqa: PLC0415
    from streams.worker.redecoding import RedecodeError, redecode  # noqa: PLC0415

    try:
        check_connection(settings.kafka)
        for found in redecode(settings, model, check=check, stopped=stopped):
            for line in found.in_words():
                say(line)
    except (
        CheckpointError, EstimatorError, RedecodeError, SecurityError, SendError, SignatureError, TimeoutError,
        TopicError, WorkersRunError,
    ) as error:  # fmt: skip
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
    from streams.kafka.topics import TopicError  # noqa: PLC0415
    from streams.worker.worth_listing import WorthError, as_csv, as_table, newest_worth  # noqa: PLC0415

    settings = load_or_fail(config)
    try:
        check_connection(settings.kafka)
        found = newest_worth(settings, model)
    except (SecurityError, TimeoutError, TopicError, WorthError) as error:
        fail(str(error))
    if csv:
        typer.echo(as_csv(found), nl=False)
    else:
        console.print(as_table(found))


def adopt_topics(
    check: Annotated[bool, typer.Option("--check", help="Say what would be done and write nothing.")] = False,
    stopped: Annotated[bool, typer.Option("--stopped", help="No worker runs, whatever Kafka says.")] = False,
    config: ConfigOption = None,
) -> None:
    """Go on with topics that were deleted and made again, or cut. No worker may run meanwhile. Twice does no harm."""
    from groundswell.signatures import SignatureError  # noqa: PLC0415
    from state.learner_checkpoints import CheckpointError  # noqa: PLC0415
    from state.segment_table import JournalError  # noqa: PLC0415
    from streams.kafka.batch_writer import NotWrittenError  # noqa: PLC0415
    from streams.kafka.group_members import WorkersRunError, refuse_beside_workers  # noqa: PLC0415
    from streams.kafka.security import SecurityError  # noqa: PLC0415
    from streams.kafka.topics import TopicError, check_topics  # noqa: PLC0415
    from streams.worker.topic_adoption import adopt_topics  # noqa: PLC0415

    settings = load_or_fail(config)
    try:
        check_topics(settings.kafka, settings.topics)
        if not (check or stopped):
            refuse_beside_workers(settings.kafka)
        adopted = adopt_topics(settings, check=check)
    except (
        CheckpointError, JournalError, NotWrittenError, SecurityError, SignatureError, TimeoutError, TopicError,
        WorkersRunError,
    ) as error:  # fmt: skip
        fail(str(error))
    for one in adopted:
        say(one.in_words())
    if not adopted:
        console.print("every topic is the one that is known: nothing to do")
    else:
        console.print("nothing was written" if check else "taken over; workers may start again")
