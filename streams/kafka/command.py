"""`groundswell topics …` and `groundswell keys …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streams.command_line import ConfigOption, command_group, console, fail, load_or_fail, say

topics = command_group("Make and check the topics.")
keys = command_group("Keys by which workers sign checkpoints and policies.")


@topics.command("create")
def create(config: ConfigOption = None) -> None:
    """Make the topics that are missing, and check the partition counts of all."""
    from streams.kafka.security import SecurityError  # noqa: PLC0415
    from streams.kafka.topics import TopicError, create_topics  # noqa: PLC0415

    settings = load_or_fail(config)
    try:
        made = create_topics(settings.kafka, settings.topics)
    except (SecurityError, TopicError) as error:
        fail(str(error))
    console.print(f"made {', '.join(made)}" if made else "all topics are there")


@keys.command("create")
def create_keys(
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder to put them in; it is made if need be.")] = Path(),
    name: Annotated[str, typer.Option(help="Of the files, without their ends.")] = "groundswell",
) -> None:
    """Make a pair of keys: NAME.key to sign by, for the workers alone, and NAME.pub to check by, for everybody."""
    from groundswell.signatures import SignatureError, new_key_pair  # noqa: PLC0415

    if Path(name).name != name or name in ("", ".."):
        fail(f"--name {name!r}: must be a name of files, such as feed; --out names their folder")
    private, public = out / f"{name}.key", out / f"{name}.pub"
    try:
        out.mkdir(parents=True, exist_ok=True)
        pair = new_key_pair()
        # Neither is written over: what a lost key has signed is believed no more. Nor is half a pair left.
        there = next((path for path in (private, public) if path.exists()), None)
        if there is not None:
            fail(_there_already(there))
        for path, content, mode in ((private, pair[0], 0o600), (public, pair[1], 0o644)):
            path.touch(mode, exist_ok=False)
            path.write_bytes(content)
    except FileExistsError as error:
        fail(_there_already(error.filename))
    except OSError as error:
        fail(f"{error.filename}: cannot be made ({error.strerror}): name a folder that can be written with --out")
    except SignatureError as error:
        fail(str(error))
    say(
        f"{private}: for the workers alone (signatures.private_key_file)\n"
        f"{public}: for workers (signatures.public_key_files) and apps"
    )


def _there_already(path: Path | str) -> str:
    return f"{path} is there already: give another --name, or another folder with --out"
