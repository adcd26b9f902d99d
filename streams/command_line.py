"""What the commands share: the option that names the settings, errors in words, groups, the terminal.

Every command lies beside the code that it runs, in a module `command` that the entry points of the group
`groundswell.commands` name (pyproject.toml); `streams/cli.py` collects them. All of these modules are imported for each
command, so what takes long to import is imported where it is used.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from streams.settings import Settings

DISTRIBUTION: Final = "groundswell-worker"
CONFIGURED: Final = re.compile(
    r"`(groundswell (?:adopt-topics|control|dead-letters|doctor|evaluate-policy|export-dsjson|policy|redecode|replay"
    r"|serve|topics|worker|worth)\b[^`]*)`"
)
"""Commands that have a configuration, as messages advise them."""

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", envvar="GROUNDSWELL_CONFIG", help="TOML file with the settings.")
]
console = Console()
_given: ContextVar[Path | None] = ContextVar("_given", default=None)
"""The file that --config of the command in progress names."""


class CommandGroup(TyperGroup):
    """Commands that say in words which extra they need, where one of its packages is not installed, and, where they did
    not expect it, what Kafka refuses and which file or folder cannot be used.
    """

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # as below
        """Take what stands before the command."""
        try:
            return super().parse_args(ctx, args)
        except TyperException as error:
            if re.fullmatch(r"No such option: (--config|-c)", error.message):
                error.message += f" here; it goes after the command: {ctx.command_path} COMMAND --config FILE"
            raise

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # Typer has a context class of its own
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except TyperException as error:
            given = re.search(r"unexpected extra argument.* \(([^\s)]+)", error.message)
            if given and given[1].endswith(".toml"):
                error.message += f"; did you mean --config {given[1]}?"
            elif given and Path(given[1]).exists():
                error.message += "; give one file to each call, the oldest first"
            raise
        except ModuleNotFoundError as error:
            module = (error.name or "").partition(".")[0]
            command = [ctx.info_name] if ctx.parent else []
            command.append(ctx.invoked_subcommand)
            extra = extra_with(module, command)
            if extra is None:
                raise
            what, checkout = f'pip install "groundswell[{extra}]"', f"in a checkout pip install '.[{extra}]'"
            fail(f"{' '.join(map(str, command))} needs {module}: {what}, {checkout}")
        except OSError as error:
            if error.filename is None:
                raise
            fail(unusable(error))
        except Exception as error:
            refused = getattr(sys.modules.get("kafka.errors"), "KafkaError", None)
            if refused is None or not isinstance(error, refused):
                raise
            fail(f"Kafka: {error}. `groundswell doctor` looks at the brokers and the topics")


def command_group(help_text: str) -> typer.Typer:
    """Return a group of commands, yet without any."""
    return typer.Typer(cls=CommandGroup, no_args_is_help=True, help=help_text)


def load_or_fail(config: Path | None) -> Settings:
    """Return the settings; where they are wrong, end and say what is wrong with them.

    Every command begins so, and has its logs set up by it; the worker sets up its own afterwards.
    """
    from streams.declared_settings import DeclarationError  # noqa: PLC0415
    from streams.observing.logs import set_up_logs  # noqa: PLC0415
    from streams.settings import load_settings, named_by_environment  # noqa: PLC0415

    # Clients raise what goes wrong; what they tell of connections beside would hide the one line that helps.
    set_up_logs("WARNING", "auto", "stderr", clients=False)
    _given.set(None if config == named_by_environment() else config)
    try:
        return load_settings(config)
    except DeclarationError as error:
        fail(str(error))


def unusable(error: OSError) -> str:
    """Return in words that a file or a folder cannot be used."""
    return f"{error.filename}: cannot be used ({error.strerror}): name a place where files can be read and written"


def fail(message: str, status: int = 2) -> NoReturn:
    """End with the message and an exit status."""
    # Messages speak of [sections], which are not markup; broken lines could not be searched for.
    told = escape(pasteable(message))
    Console(stderr=True).print(f"[bold red]groundswell:[/] {told}", highlight=False, soft_wrap=True)
    raise typer.Exit(status)


def say(line: str) -> None:
    """Print a line of the answer: as it is, whatever it holds, and without breaking it."""
    console.print(pasteable(line), highlight=False, markup=False, soft_wrap=True)


def pasteable(advice: str) -> str:
    """Return an advice with the --config of this command in the commands that it names, so that they can be pasted."""
    config = _given.get()
    if config is None:
        return advice  # that of the environment, if any, will be that of the pasted one
    return CONFIGURED.sub(
        lambda found: found[0] if "--config" in found[0] else f"`{found[1]} --config {shlex.quote(str(config))}`",
        advice,
    )


def extra_with(module: str, command: Sequence[str | None] = ()) -> str | None:
    """Return the extra of the worker to install for a module: the one named as the command is, which has all that it
    needs, or the first that has what is named like this module; None if none has it.
    """
    try:
        requirements = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return None
    extras: dict[str, bool] = {}
    for requirement in requirements:
        required = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"""\bextra *== *["']([\w.-]+)["']""", requirement)
        if required and extra:
            has = _normalised(required[0]) == _normalised(module)
            extras[extra[1]] = extras.get(extra[1], False) or has
    having = [extra for extra, has in extras.items() if has]
    return next((extra for extra in extras if extra in command), having[0]) if having else None


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
