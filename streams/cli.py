"""The command line: `groundswell …`. It is made of what the entry points of the group `groundswell.commands` name."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Final

import typer

from streams.command_line import DISTRIBUTION, CommandGroup

COMMANDS: Final = "groundswell.commands"
"""The group of entry points: each names a function, which becomes a command, or a group of commands."""
HELP: Final = "Infers what people meant from what they did, and learns a policy from it."
ORDER: Final = (
    "demo", "kafka", "worker", "serve", "doctor", "dead-letters", "replay", "export-dsjson", "redecode", "adopt-topics",
    "worth", "evaluate-policy", "simulate", "evaluate", "chaos", "hash-token", "topics", "keys", "policy", "control",
    "bench",
)  # fmt: skip
"""Of the help, groups after single commands; what others add comes after it by name."""


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
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_show_locals=False,
    )
    cli.callback(help=HELP)(_options)
    for entry in sorted(entry_points(group=COMMANDS), key=_place):
        command = entry.load()
        if isinstance(command, typer.Typer):
            cli.add_typer(command, name=entry.name)
        else:
            cli.command(entry.name)(command)
    return cli


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"groundswell {version(DISTRIBUTION)}")
        raise typer.Exit


def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take what stands before a command."""


def _place(entry: EntryPoint) -> tuple[int, str]:
    return (ORDER.index(entry.name) if entry.name in ORDER else len(ORDER)), entry.name


cli = collected()

if __name__ == "__main__":
    main()
