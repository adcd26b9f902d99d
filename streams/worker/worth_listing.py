"""What signals are worth, read off its topic: as CSV for programs, as a table for people."""

from __future__ import annotations

import csv
import io

import msgspec
from rich.markup import escape
from rich.table import Table

from groundswell.worth import Worth, WorthTable
from streams.kafka.topic_inspector import TopicInspector
from streams.settings import Settings
from streams.words import counted

COLUMNS = ("segment", "signal", "log_odds", "low", "high", "plays", "share", "doubt")


class WorthError(Exception):
    """There is nothing to say of a model; the message says why."""


def newest_worth(settings: Settings, model: str) -> WorthTable:
    """Return what a worker wrote last of a model.

    Raises:
        WorthError: nothing has been written of it, or something else lies there.
        TimeoutError: the topic cannot be read to its end.
        TopicError: there is no such topic.
    """
    topic = settings.topics.signal_worth
    with TopicInspector(settings.kafka) as logs:
        logs.require(topic)
        record = logs.newest(topic, 0).get(model.encode())
    if record is None or record.value is None:
        if model not in settings.models:
            raise WorthError(settings.no_such_model(model))
        raise WorthError(
            f"nothing is on {topic} of model {model!r} yet: a worker writes it with its checkpoints, of models with "
            'the rule "three-state"'
        )
    try:
        return msgspec.json.decode(record.value, type=WorthTable)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise WorthError(
            f"what is on {topic} of {model!r} is of another release or of something else: {error}. A "
            "worker of this release writes it anew with its next checkpoint"
        ) from error


def as_csv(table: WorthTable) -> str:
    """Return a line of names and one a row; what is not known is empty, and so is the segment of all together."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    lines.writerows([getattr(row, name) for name in COLUMNS] for row in table.rows)
    return text.getvalue()


def as_table(table: WorthTable) -> Table:
    """Return it for a terminal."""
    shown = Table(
        title=f"{escape(table.model)} after {counted(table.interactions, 'interaction')}", title_justify="left"
    )
    for name in ("signal", table.feature or "segment", "log odds of +1", "interval", "plays", "doubt"):
        shown.add_column(escape(name), justify="right" if name in {"log odds of +1", "interval", "plays"} else "left")
    for row in table.rows:
        shown.add_row(
            escape(row.signal),
            "all" if row.segment is None else escape(row.segment),
            "" if row.log_odds is None else f"{row.log_odds:+.2f}",
            _interval(row),
            f"{row.plays:,.0f}",
            (row.doubt or "").replace("_", " "),
        )
    return shown


def _interval(row: Worth) -> str:
    if row.log_odds is None:
        return ""
    low, high = ("" if bound is None else f"{bound:+.2f}" for bound in (row.low, row.high))
    return f"{low or '-inf'} to {high or '+inf'}"
