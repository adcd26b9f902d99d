"""`groundswell replay`."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from streams.command_line import ConfigOption, console, fail, load_or_fail, say


def replay(
    path: Annotated[Path, typer.Argument(help="CSV, TSV, JSON lines (also .gz, .zst) or Parquet.")],
    mapping: Annotated[str, typer.Option(help="What each column means: a TOML file, or the name of a shipped one.")],
    speed: Annotated[str, typer.Option(help="A multiple of real time, or max.")] = "max",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first rows.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Read everything and send nothing.")] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Send also what is older than the topics' events, and will be set aside.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Produce a log as impressions and feedback, as if it happened again."""
    from streams.kafka.access_check import PATIENCE_OF_A_READER, check_connection  # noqa: PLC0415
    from streams.kafka.acknowledged_producer import SendError  # noqa: PLC0415
    from streams.kafka.security import SecurityError, security_arguments  # noqa: PLC0415
    from streams.replay.examination import ReplayError  # noqa: PLC0415
    from streams.replay.mapping import MappingError  # noqa: PLC0415
    from streams.replay.mapping_file import load_mapping, mapping_path  # noqa: PLC0415
    from streams.replay.newest_events import newest_events  # noqa: PLC0415
    from streams.replay.replay import replay as run_replay  # noqa: PLC0415
    from streams.replay.standards import Standards  # noqa: PLC0415

    if check and (anyway or speed != "max"):
        fail(f"{'--anyway' if anyway else '--speed'} is about what is sent, and --check sends nothing: leave one out")
    pace = None if speed == "max" else _multiple(speed)
    settings = load_or_fail(config)
    join = settings.join
    try:
        if not check:
            check_connection(settings.kafka, PATIENCE_OF_A_READER)
        with _ending_in_words():
            summary = run_replay(
                path,
                load_mapping(mapping_path(mapping)),
                bootstrap_servers=settings.kafka.bootstrap_servers,
                impressions_topic=settings.topics.impressions,
                feedback_topic=settings.topics.feedback,
                speed=pace,
                limit=limit,
                console=console,
                standards=Standards.of(settings, configured=not check),
                check=check,
                watermark_margin_ms=round((join.wait + join.grace + join.backward) * 1000) + 1,
                newest_there=None if anyway else partial(newest_events, settings.kafka),
                late_after_ms=round((join.wait + join.grace) * 1000),
                security=security_arguments(settings.kafka),
            )
    except (MappingError, ReplayError, SecurityError, SendError, TimeoutError, ValueError) as error:
        fail(str(error))
    for line in summary.in_words():
        say(line)


@contextmanager
def _ending_in_words() -> Iterator[None]:
    """End by SIGTERM or Ctrl-C with one sentence, and the status of a shell for it (143, 130)."""
    status = 128 + signal.SIGINT

    def terminated(*_: Any) -> NoReturn:
        nonlocal status
        status = 128 + signal.SIGTERM
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    except KeyboardInterrupt as error:
        fail(str(error) or "interrupted: nothing was sent", status)
    finally:
        signal.signal(signal.SIGTERM, before)


def _multiple(speed: str) -> float:
    try:
        multiple = float(speed)
    except ValueError:
        multiple = math.nan
    if not 0 < multiple < math.inf:
        fail(f"--speed {speed}: must be a multiple of real time above 0, such as 60, or max")
    return multiple
