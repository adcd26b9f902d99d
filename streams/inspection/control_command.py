"""`groundswell control …`."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING, Annotated

import typer

from streams.command_line import ConfigOption, command_group, fail, load_or_fail, say
from streams.inspection.looking import looking
from streams.words import nearest

if TYPE_CHECKING:
    from streams.kafka.topic_inspector import TopicInspector
    from streams.settings import Settings

control = command_group("By what the apps of a model act: the newest policy, an older one, a rule of their own.")

ModelArgument = Annotated[str, typer.Argument(help="Its name.")]


@control.command("set")
def set_control(
    model: ModelArgument,
    mode: Annotated[str, typer.Option(help="log-only, apprentice, canary, online or frozen.")],
    why: Annotated[str, typer.Option(help="For whoever asks later.")],
    percent: Annotated[
        float | None, typer.Option(min=0, max=100, help="Of a canary: for how many the newest policy decides.")
    ] = None,
    feature: Annotated[
        str | None, typer.Option(help="Of a canary: the feature of the context that tells people apart.")
    ] = None,
    policy_version: Annotated[
        int | None,
        typer.Option("--version", help="Of the policy that decides where it is frozen, or for a canary's rest."),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who says so; by default this user.")] = None,
    config: ConfigOption = None,
) -> None:
    """Set by what the apps of a model act from now on. What is learned goes on, whatever they act by."""
    from groundswell.signatures import SignatureError  # noqa: PLC0415
    from streams.inspection import model_controls  # noqa: PLC0415
    from streams.inspection.canary_sides import canary_sides  # noqa: PLC0415
    from streams.inspection.published_policies import newest_policies  # noqa: PLC0415
    from streams.kafka.acknowledged_producer import SendError  # noqa: PLC0415

    settings = load_or_fail(config)
    if settings.models and model not in settings.models:
        fail(settings.no_such_model(model))
    if not why.strip():
        fail("--why is empty: say it for whoever asks later")
    now = round(time.time() * 1000)
    asked = model_controls.Asked(
        mode=mode, by=by or _user(), at=now, why=why, feature=feature, percent=percent, version=policy_version
    )
    topics = settings.topics
    try:
        with looking(settings, topics.controls, topics.policies) as logs:
            before = model_controls.read_control(settings, logs, model)
            versions = model_controls.published_versions(settings, logs, model, before.newest.pinned)
            made, snapshot = model_controls.new_control(model, asked, before, versions)
            others = [] if settings.models or versions else sorted(newest_policies(settings, logs))
            sides = None if made.canary is None else canary_sides(settings, logs, model, made.canary)
            model_controls.write_control(settings, made, snapshot, before.slot)
            found = model_controls.read_control(settings, logs, model)
    except (model_controls.NoControlError, SendError, SignatureError) as error:
        fail(str(error))
    if found.newest.control != made:
        fail(f"another control of {model!r} came meanwhile: see `groundswell control show {model}`")
    say(model_controls.in_words(model, made, now))
    if made.canary is not None and sides is not None:
        say(sides.in_words(model, made.canary))
    if made.canary is not None and 0 < made.canary.percent < 1:
        share = made.canary.percent
        say(f"  of a thousand that is {10 * share:g}: for {share:.0%} say --percent {100 * share:g}")
    if others:
        there = f"no policy of {model!r} has been published, but of {', '.join(others)}: is that its name?"
        say(there)


@control.command("show")
def show(
    model: ModelArgument,
    history: Annotated[bool, typer.Option("--history", help="All that were set, the newest first.")] = False,
    last: Annotated[int, typer.Option(min=1, help="Of an apprentice: how many interactions to report on.")] = 2_000,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
    config: ConfigOption = None,
) -> None:
    """Show by what the apps of a model act; of an apprentice how often the policy agrees, and what it would gain."""
    import msgspec  # noqa: PLC0415

    from streams.inspection import model_controls  # noqa: PLC0415
    from streams.inspection.apprentice_report import apprentice_report  # noqa: PLC0415
    from streams.inspection.canary_sides import canary_sides  # noqa: PLC0415
    from streams.inspection.published_policies import newest_policies  # noqa: PLC0415

    settings = load_or_fail(config)
    topics = settings.topics
    now, report, newest, sides = round(time.time() * 1000), None, None, None
    with looking(settings, topics.controls) as logs:
        found = model_controls.read_control(settings, logs, model)
        in_force = found.newest.control
        if in_force is None and not found.history:
            _check_model(settings, logs, model)
        if in_force is not None and in_force.canary is not None:
            sides = canary_sides(settings, logs, model, in_force.canary)
        if in_force is not None and in_force.mode == "apprentice":
            logs.require(topics.policies, topics.interactions, topics.rewards)
            newest = newest_policies(settings, logs).get(model)
            if newest is not None:
                report = apprentice_report(settings, logs, model, newest.snapshot, last)
    if as_json:
        past = sorted(found.history.values(), key=lambda one: one.version, reverse=True)
        told = {
            "control": in_force,
            "apprentice": None if report is None else report._asdict(),
            "canary": None if sides is None else sides._asdict(),
        }
        typer.echo(msgspec.json.encode({**told, "history": past} if history else told))
        return
    lines = [model_controls.in_words(model, in_force, now)]
    if report is not None and newest is not None:
        lines += report.in_words(newest.snapshot)
    if in_force is not None and in_force.canary is not None and sides is not None:
        lines.append(sides.in_words(model, in_force.canary))
    if history:
        lines += model_controls.history_in_words(found, now)
    for line in lines:
        say(line)


def _check_model(settings: Settings, logs: TopicInspector, model: str) -> None:
    """End and name the models that there are where a model of which there is no control is none of them.

    They are those that are configured, else those of which policies have been published, or controls were set.
    """
    from streams.inspection import model_controls  # noqa: PLC0415
    from streams.inspection.published_policies import newest_policies  # noqa: PLC0415

    if settings.models:
        if model not in settings.models:
            fail(settings.no_such_model(model))
        return
    if not logs.partitions(settings.topics.policies):
        return  # whoever may not read them is not told
    there = {*newest_policies(settings, logs), *model_controls.controlled_models(settings, logs)}
    if model in there:
        return
    close = nearest(model, there)
    others = f"but of {', '.join(sorted(there))}" if there else "nor of any other model"
    hint = f"did you mean {close!r}?" if close else "name the file with its section [models.NAME] by --config"
    fail(f"of the model {model!r} there is neither a control nor a policy, {others}: {hint}")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        fail("who this is cannot be told: say so with --by")
