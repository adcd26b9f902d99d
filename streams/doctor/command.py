"""`groundswell doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.command_line import ConfigOption, console, load_or_fail, pasteable


def doctor(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: one object on one line.")] = False,
) -> None:
    """Look at Kafka and what lies on it: what keeps groundswell from working? Exits 1 if anything does."""
    from msgspec.structs import replace  # noqa: PLC0415

    from streams.doctor.examination import examine  # noqa: PLC0415
    from streams.doctor.findings import in_json, in_words, is_well  # noqa: PLC0415

    found = []
    for one in examine(load_or_fail(config)):
        finding = replace(one, remedy=pasteable(one.remedy))
        found.append(finding)
        if not as_json:
            console.print(in_words(finding), highlight=False, soft_wrap=True)
    if as_json:
        typer.echo(in_json(found))
    raise typer.Exit(0 if is_well(found) else 1)
