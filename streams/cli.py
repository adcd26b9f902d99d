"""The command line: `groundswell …`. It is made of what the entry points of the group `groundswell.commands` name."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Final

import typer

from streams.command_line import CommandGroup

COMMANDS: Final = "groundswell.commands"
"""The group of entry points: each names a function, which becomes a command, or a group of commands."""
ORDER: Final = (
    "simulate", "worker", "doctor", "replay", "redecode", "worth", "demo", "chaos", "evaluate", "kafka", "topics",
    "bench",
)  # fmt: skip
"""Of the help; what others add comes after it by name."""


def main() -> None:
    """Run the command line."""
    if not cli.registered_commands:
        sys.exit("groundswell: no commands are declared: what is installed is older than this code, run `make install`")
    cli()


def collected() -> typer.Typer:
    """Return the command line with all commands that are installed."""
    cli = typer.Typer(
        cls=CommandGroup,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_show_locals=False,
        help="Infers what people meant from what they did, and learns a policy from it.",
    )
    for entry in sorted(entry_points(group=COMMANDS), key=_place):
        command = entry.load()
        if isinstance(command, typer.Typer):
            cli.add_typer(command, name=entry.name)
        else:
            cli.command(entry.name)(command)
    return cli


def _place(entry: EntryPoint) -> tuple[int, str]:
    return (ORDER.index(entry.name) if entry.name in ORDER else len(ORDER)), entry.name


cli = collected()

if __name__ == "__main__":
    main()
