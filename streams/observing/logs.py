"""Logs: one line of JSON each where a machine reads them, and a readable line on a terminal.

Everything goes through here, Faust's and aiokafka's own words as well. Log with `LOG = get_log(__name__)` and
`LOG.info("what happened", partition=3)`; what is bound with `bound_contextvars` stands on all lines within. Values
are shown as they are, so give no secret to a log; tracebacks are printed without the values of variables, in which
there may be one.
"""

from __future__ import annotations

import logging
import logging.config
import sys
from typing import Any, Final, Literal

import structlog
from structlog.contextvars import bound_contextvars
from structlog.typing import EventDict, Processor

__all__ = ["LogFormat", "bound_contextvars", "get_log", "log_configuration", "set_up_logs"]

LogFormat = Literal["auto", "json", "text"]
Output = Literal["stdout", "stderr"]
CLIENTS: Final = ("aiokafka", "kafka")
"""The loggers of Kafka's clients."""
_MOST_SAID: Final = 1_000
"""Lines of theirs that are remembered."""


def _first_things_first(_: object, __: str, fields: EventDict) -> EventDict:
    return {name: fields.pop(name) for name in ("time", "level", "message", "logger") if name in fields} | dict(fields)


def _on_one_line(_: object, __: str, fields: EventDict) -> EventDict:
    """Escape what would begin a line, or command the terminal, in a message: Faust's and aiokafka's quote producers."""
    message = str(fields["event"])
    if not message.isprintable():
        fields["event"] = "".join(
            one if one.isprintable() else one.encode("unicode_escape").decode() for one in message
        )
    return fields


_PROCESSORS: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
]
_JSON: list[Processor] = [
    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
    structlog.processors.format_exc_info,
    structlog.processors.EventRenamer("message"),
    _first_things_first,
    structlog.processors.JSONRenderer(default=str),
]


class _WithoutServices(logging.Filter):
    """Passes over what parts of Faust, ours among them, say of their starting and stopping."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is to be written."""
        return record.levelno > logging.INFO or not str(record.msg).startswith("[^")


class _OnceAMinute(logging.Filter):
    """Passes over what a client of Kafka said within a minute: that a topic is gone, thousands of times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is to be written."""
        if record.name.partition(".")[0] not in CLIENTS:
            return True
        line = f"{record.name} {record.levelno} {record.getMessage()}"
        if record.created < self._said.get(line, 0.0) + 60:
            return False
        if len(self._said) >= _MOST_SAID:
            self._said.clear()
        self._said[line] = record.created
        return True


def get_log(name: str) -> structlog.stdlib.BoundLogger:
    """Return the log of a module."""
    log: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return log


def _text(colours: bool) -> list[Processor]:
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        _on_one_line,
        structlog.dev.ConsoleRenderer(
            timestamp_key="time",
            colors=colours,
            # What producers sent is quoted, so that it cannot begin a line of its own.
            repr_native_str=True,
            exception_formatter=structlog.dev.plain_traceback,
        ),
    ]


def log_configuration(
    level: str, form: LogFormat, output: Output = "stdout", *, clients: bool = True
) -> dict[str, Any]:
    """Return what `logging.config.dictConfig` takes; `auto` is text on a terminal and JSON elsewhere.

    Without `clients` nothing is written of what Kafka's clients tell.
    """
    terminal = getattr(sys, output).isatty()
    as_text = form == "text" or (form == "auto" and terminal)
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": _text(terminal) if as_text else _JSON,
        "foreign_pre_chain": _PROCESSORS,
    }
    handler: dict[str, Any] = {"class": "logging.StreamHandler", "formatter": "line", "stream": f"ext://sys.{output}"}
    if level != "DEBUG":
        handler["filters"] = ["services", "once a minute"]
    quieter = {"DEBUG": "INFO", "INFO": "WARNING"}.get(level, level)
    silent = "INFO" if level == "DEBUG" else "ERROR"
    never = "CRITICAL"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "filters": {"services": {"()": _WithoutServices}, "once a minute": {"()": _OnceAMinute}},
        "handlers": {"output": handler},
        # What clients tell of each connection, and Faust of each of its parts, is of use in a search for errors only.
        "loggers": {
            **{name: {"level": quieter} for name in ("faust", "mode")},
            **{name: {"level": quieter if clients else never} for name in CLIENTS},
            # It does not know Faust's groups, and quotes whole descriptions of them.
            "kafka.admin._groups": {"level": "ERROR" if clients else never},
            # Timers of a busy worker overlap, and a buffer is full after a backlog: nothing is amiss.
            "faust.transport.producer": {"level": silent},
            "mode.timers": {"level": silent},
        },
        "root": {"level": level, "handlers": ["output"]},
    }


def set_up_logs(level: str, form: LogFormat, output: Output = "stdout", *, clients: bool = True) -> None:
    """Send the logs of this process to its output, what Kafka's clients tell with them unless `clients` is False."""
    logging.config.dictConfig(log_configuration(level, form, output, clients=clients))
    logging.captureWarnings(True)


structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_PROCESSORS,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
