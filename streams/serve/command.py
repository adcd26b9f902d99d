"""`groundswell serve` and `groundswell hash-token`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Final

import typer

from streams.command_line import ConfigOption, console, fail, load_or_fail

if TYPE_CHECKING:
    from streams.settings import Settings

DEMO_CLUSTER: Final = "groundswell.demo_cluster"
"""The group of entry points that names what runs a broker with topics and a worker: of no use but to look at it."""


def serve(
    config: ConfigOption = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Begin with a broker, topics, a model and a worker of its own.")
    ] = False,
) -> None:
    """Answer apps that ask over HTTP: an action with its propensity, and what came back."""
    from groundswell.signatures import SignatureError  # noqa: PLC0415
    from streams.kafka.security import SecurityError  # noqa: PLC0415
    from streams.serve.server import ServeError, listening, serve  # noqa: PLC0415

    settings = load_or_fail(config)
    if not settings.models and not demo:
        fail('no model is configured: add a section [models.NAME] with definitely_negative = ["…"]')
    try:
        # Before anything else: what the demo begins with takes half a minute.
        with listening(settings.serve) as listener, ExitStack() as running:
            if demo:
                settings = _demo_settings(running, settings)
            _set_up_logs(settings)
            serve(settings, listener, partial(_say_where, settings))
    except (SecurityError, ServeError, SignatureError) as error:
        fail(str(error))


def hash_token(
    given: Annotated[bool, typer.Option("--given", help="Hash the token on standard input, and make none.")] = False,
) -> None:
    """Make a token by which an app may ask `groundswell serve`, and its hash for the configuration."""
    from streams.serve.tokens import LEAST_LENGTH, hash_of, new_token  # noqa: PLC0415

    token = sys.stdin.read().strip() if given else new_token()
    if len(token) < LEAST_LENGTH or not token.isascii() or not token.isprintable() or " " in token:
        fail(f"a token has {LEAST_LENGTH} characters or more, ASCII without spaces: make one without --given")
    if not given:
        typer.echo(f"token, for the app alone:  {token}")
        typer.echo("for the configuration, with the name and the models of your choice:\n")
    typer.echo(f'[serve.tokens.app]\nsha256 = "{hash_of(token)}"\nmodels = ["*"]')


def _demo_settings(running: ExitStack, own: Settings) -> Settings:
    """Start what the demo runs on; return its settings, with the models and the server of one's own."""
    for found in entry_points(group=DEMO_CLUSTER):
        folder = Path(running.enter_context(TemporaryDirectory(prefix="groundswell-serve-")))
        console.print("starting a broker and a worker: a moment", highlight=False)
        try:
            cluster = running.enter_context(found.load()(folder, folder / "worker.log", own.models, own_broker=True))
        except ModuleNotFoundError:
            raise  # told with the extra that it takes
        except Exception as error:  # of rooms that are not known here, and in words
            fail(str(error))
        console.print(
            f"the worker's page: {cluster.page}/\nthe broker, for other commands: {cluster.for_others}",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
        settings: Settings = cluster.settings
        return settings.model_copy(update={"serve": own.serve})
    fail("--demo needs what is not installed: run `make install`")


def _set_up_logs(settings: Settings) -> None:
    from streams.observing.logs import set_up_logs  # noqa: PLC0415
    from streams.serve.server import say_seldom  # noqa: PLC0415

    # Clients tell of each attempt to connect, hundreds a minute, and not what to do: that is said by what uses them.
    set_up_logs(settings.log_level, settings.log_format, "stderr", clients=settings.log_level == "DEBUG")
    say_seldom()


def _say_where(settings: Settings) -> None:
    scheme = "http" if settings.serve.certificate_file is None else "https"
    place = f"{scheme}://{settings.serve.host}:{settings.serve.port}"
    model = next(iter(settings.models))
    asked = f'{{"model": "{model}", "context": {{"user": "ann"}}, "actions": [{{"id": "news"}}, {{"id": "sport"}}]}}'
    token = " -H 'Authorization: Bearer TOKEN'" if settings.serve.tokens else ""
    console.print(
        f"{place}/v1/rank, /v1/feedback, /v1/activate, /v1/models; /openapi.json has what to ask, for example\n"
        f"  curl{token} -H 'Content-Type: application/json' {place}/v1/rank -d '{asked}'",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip
