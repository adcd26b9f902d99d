"""`groundswell policy …` and `groundswell dead-letters`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from streams.command_line import ConfigOption, command_group, fail, load_or_fail, say
from streams.inspection.looking import looking

policy = command_group("Look at the newest policies, as apps read them.")

ModelOption = Annotated[str | None, typer.Option("--model", help="Its name; not needed where there is one.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For scripts.")]


@policy.command("show")
def show(model: ModelOption = None, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show what has been published: version, age, exploration, size (with --json the documents themselves)."""
    import msgspec  # noqa: PLC0415

    from streams.inspection.published_policies import AskedError, chosen, in_words, newest_policies  # noqa: PLC0415

    settings = load_or_fail(config)
    with looking(settings, settings.topics.policies) as logs:
        found = newest_policies(settings, logs)
    try:
        named = list(found.values()) if model is None and found else [chosen(found, model)]
    except AskedError as error:
        fail(str(error))
    now = round(time.time() * 1000)
    for one in named:
        if as_json:
            typer.echo(msgspec.json.encode(one.snapshot))
        else:
            for line in in_words(one, now):
                say(line)


@policy.command("ask")
def ask(
    actions: Annotated[str, typer.Option(help='Ids: a,b,c; or as in impressions: [{"id": "a", "features": {…}}].')],
    context: Annotated[list[str] | None, typer.Option(help="Features: user=ann,hour=7; or a JSON object.")] = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say what the newest policy would show: to whom (--context), of what (--actions), how likely."""
    import msgspec  # noqa: PLC0415

    from streams.inspection import published_policies  # noqa: PLC0415

    settings = load_or_fail(config)
    try:
        asked = published_policies.context_of(context or []), published_policies.actions_of(actions)
        with looking(settings, settings.topics.policies) as logs:
            found = published_policies.chosen(published_policies.newest_policies(settings, logs), model)
    except published_policies.AskedError as error:
        fail(str(error))
    answers = published_policies.answers(found.snapshot, *asked)
    if as_json:
        told = {"model": found.snapshot.model, "version": found.snapshot.version}
        typer.echo(msgspec.json.encode({**told, "actions": [one._asdict() for one in answers]}))
        return
    heading = published_policies.heading(found, round(time.time() * 1000))
    width = max(len("action"), *(len(one.action) for one in answers))
    lines = [heading, f"  {'action':<{width}}  probability   score"]
    lines += [f"  {one.action:<{width}}  {one.probability:>10.1%}  {one.score:>+7.3f}" for one in answers]
    if len(answers) == 1:
        lines.append("  of one action it is certain; divide several by commas, as in --actions news,sport,music")
    elif not any(one.score for one in answers):
        lines.append(
            "  nothing is known of this context with any of these actions: see that names, values and ids are spelled "
            "as the app logs them"
        )
    for line in lines:
        say(line)


def dead_letters(
    reason: Annotated[str | None, typer.Option(help="Only those that were refused for it.")] = None,
    last: Annotated[int, typer.Option("--last", "-n", min=1, help="How many of the newest to show.")] = 10,
    late: Annotated[bool, typer.Option("--late", help="Of late-feedback: what joined no impression.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show messages that were refused, with why, and count them by reason."""
    import msgspec  # noqa: PLC0415

    from streams.inspection.refused_messages import newest_of  # noqa: PLC0415

    settings = load_or_fail(config)
    topics = settings.topics
    topic = topics.late_feedback if late else topics.dead_letter
    with looking(settings, topic) as logs:
        records = (
            record
            for partition, (first, _) in logs.bounds(topic, logs.partitions(topic)).items()
            for record in logs.read(topic, partition, first, as_they_come=True)
        )
        found = newest_of(records, reason, last)
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    for message in found.messages:
        for line in message.in_words():
            say(line)
    if reason is not None and reason not in found.reasons:
        say(found.lacks(reason, late=late))
    say(f"{topic}: {found.sums()}")
