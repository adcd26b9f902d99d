"""`groundswell evaluate-policy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.command_line import ConfigOption, fail, load_or_fail, say
from streams.inspection.looking import looking


def evaluate_policy(
    log: Annotated[Path | None, typer.Argument(help="A log as `replay` takes it; without one: --model.")] = None,
    mapping: Annotated[str | None, typer.Option(help="Of that log: a TOML file, or the name of a shipped one.")] = None,
    model: Annotated[str | None, typer.Option(help="Whose interactions and rewards to read from the topics.")] = None,
    policy: Annotated[
        list[Path] | None, typer.Option(help="A policy to value, as `policy show --json` writes it; several times.")
    ] = None,
    live: Annotated[
        Path | None, typer.Option(help="The policy that the others have to beat; with --model: the published one.")
    ] = None,
    greedy: Annotated[bool, typer.Option("--greedy", help="Value what policies rank first alone.")] = False,
    margin: Annotated[
        float, typer.Option(min=0, max=2, help="By how much others may be worse than --live; 0: they have to beat it.")
    ] = 0.0,
    worth: Annotated[
        list[str] | None,
        typer.Option(help="SIGNAL=NUMBER from -1 to 1, several times, in the place of inferred rewards."),
    ] = None,
    by: Annotated[str | None, typer.Option(help="A feature: what the log can speak of, by its values.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
    config: ConfigOption = None,
) -> None:
    """Say what policies would have earned on a log, how sure that is, and what the log cannot speak of."""
    import msgspec  # noqa: PLC0415

    from groundswell.policy import PolicyError  # noqa: PLC0415
    from streams.evaluation import question, report  # noqa: PLC0415
    from streams.evaluation.evaluation import EvaluationError  # noqa: PLC0415
    from streams.evaluation.rewarded import WorthError, worths_of  # noqa: PLC0415
    from streams.replay.examination import ReplayError  # noqa: PLC0415
    from streams.replay.mapping import MappingError  # noqa: PLC0415

    if (log is None) == (model is None) or (log is None) != (mapping is None):
        fail("give either a log and its --mapping, or --model")
    if worth and log is None:
        fail("--worth is for logs: of a model the rewards that were inferred lie on their topic")
    settings = load_or_fail(config)
    try:
        asked = question.Question(tuple(policy or ()), live, greedy, margin, worths_of(worth or []), by)
        if log is not None and mapping is not None:
            answer = question.of_log(asked, log, mapping, settings)
        else:
            topics = settings.topics
            with looking(settings, topics.interactions, topics.rewards, topics.policies) as logs:
                answer = question.of_model(asked, model or "", settings, logs)
    except (EvaluationError, MappingError, PolicyError, ReplayError, WorthError) as error:
        fail(str(error))
    if as_json:
        plain = report.as_plain(answer.evaluation, segmented=by is not None)
        typer.echo(msgspec.json.encode({"source": answer.source, "remarks": answer.remarks, **plain}))
        return
    say(f"{answer.source}; {answer.evaluation.count:,} decisions")
    for remark in answer.remarks:
        say(f"look at this: {remark}")
    for line in report.in_words(answer.evaluation, segmented=by is not None):
        say(line)
