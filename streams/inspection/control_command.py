"""`groundswell control …`."""

from __future__ import annotations

import getpass
import time
from typing import Annotated

import typer

from streams.command_line import ConfigOption, command_group, console, fail, load_or_fail
from streams.inspection.looking import looking

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
            model_controls.write_control(settings, made, snapshot, before.slot)
            found = model_controls.read_control(settings, logs, model)
    except (model_controls.NoControlError, SendError, SignatureError) as error:
        fail(str(error))
    if found.newest.control != made:
        fail(f"another control of {model!r} came meanwhile: see `groundswell control show {model}`")
    console.print(model_controls.in_words(model, made, now), highlight=False, markup=False, soft_wrap=True)
    if others:
        there = f"no policy of {model!r} has been published, but of {', '.join(others)}: is that its name?"
        console.print(there, highlight=False, markup=False, soft_wrap=True)


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
    from streams.inspection.published_policies import newest_policies  # noqa: PLC0415

    settings = load_or_fail(config)
    topics = settings.topics
    now, report, newest = round(time.time() * 1000), None, None
    with looking(settings, topics.controls) as logs:
        found = model_controls.read_control(settings, logs, model)
        in_force = found.newest.control
        if in_force is not None and in_force.mode == "apprentice":
            logs.require(topics.policies, topics.interactions, topics.rewards)
            newest = newest_policies(settings, logs).get(model)
            if newest is not None:
                report = apprentice_report(settings, logs, model, newest.snapshot, last)
    if as_json:
        past = sorted(found.history.values(), key=lambda one: one.version, reverse=True)
        told = {"control": in_force, "apprentice": None if report is None else report._asdict()}
        typer.echo(msgspec.json.encode({**told, "history": past} if history else told))
        return
    lines = [model_controls.in_words(model, in_force, now)]
    if report is not None and newest is not None:
        lines += report.in_words(newest.snapshot)
    if history:
        lines += model_controls.history_in_words(found, now)
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        fail("who this is cannot be told: say so with --by")
