"""`groundswell export-dsjson`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from streams.command_line import ConfigOption, fail, load_or_fail, say
from streams.inspection.looking import looking


def export_dsjson(
    out: Annotated[Path, typer.Argument(help="File to write, also .gz; a mapping to read it by goes beside it.")],
    model: Annotated[str | None, typer.Option(help="Whose interactions to write; not needed with --log.")] = None,
    log: Annotated[Path | None, typer.Option(help="A log as `replay` takes it, in the place of the topic.")] = None,
    mapping: Annotated[str | None, typer.Option(help="Of that log: a TOML file, or the name of a shipped one.")] = None,
    cost: Annotated[
        list[str] | None,
        typer.Option(help="SIGNAL=NUMBER, several times: what decisions cost. Default: minus the inferred reward."),
    ] = None,
    action_id: Annotated[str, typer.Option(help="The feature that tells actions apart.")] = "Action.id",
    config: ConfigOption = None,
) -> None:
    """Write interactions, or a log, as VowpalWabbit's decision-service JSON."""
    from streams.replay import dsjson_export  # noqa: PLC0415
    from streams.replay.dsjson_lines import DsjsonLines, UnwritableError  # noqa: PLC0415
    from streams.replay.examination import ReplayError  # noqa: PLC0415
    from streams.replay.mapping import MappingError  # noqa: PLC0415
    from streams.replay.mapping_file import load_mapping, mapping_path  # noqa: PLC0415
    from streams.replay.standards import Standards  # noqa: PLC0415

    if (log is None) != (mapping is None) or (log is None) == (model is None):
        fail("give either --model, or --log and --mapping")
    settings = load_or_fail(config)
    try:
        costs = dsjson_export.costs_of(cost) if cost else None
        with ExitStack() as stack:
            if model is not None:
                topics = settings.topics
                inspector = stack.enter_context(looking(settings, topics.interactions, topics.rewards))
                decided = dsjson_export.of_topics(settings, inspector, model)
                name = model
            else:
                assert log is not None
                assert mapping is not None
                loaded = load_mapping(mapping_path(mapping))
                decided = dsjson_export.of_log(log, loaded, Standards.of(settings, configured=False))
                name = loaded.model
            told = settings.models.get(name)
            lines = DsjsonLines(name, action_id, frozenset() if told is None else told.definitely_negative)
            exported = dsjson_export.export(out, lines, decided, costs)
    except (dsjson_export.CostError, MappingError, ReplayError, UnwritableError) as error:
        fail(str(error))
    for line in exported.in_words():
        say(line)
