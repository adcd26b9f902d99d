"""Replaying a log: its rows become impressions and feedback on the topics, as if they happened again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping as Lookup
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from processors.events import Feedback, Impression, Watermark
from streams.acknowledged import AcknowledgedProducer
from streams.event_time import OutOfOrderError, Pace, in_event_time
from streams.logged_rows import Log, open_log
from streams.mapped_rows import ROW, RowError, RowInterpreter
from streams.mapping import Mapping

WATERMARK_MARGIN_MS = 3_600_000


class ReplayError(RuntimeError):
    """A row of the log that cannot be replayed. Says which, and why."""


@dataclass(frozen=True)
class ReplaySummary:
    """What was read and produced.

    `rows` are the file's, `duplicates` those that deduplication dropped, `refused` the bad rows that were
    skipped, by field. `impressions` went out, `unanswered` of them without feedback. `feedback` counts by
    signal, `actions` the impressions by shown action. `watermark` (ms) is what the end of input promised.
    """

    rows: int
    duplicates: int
    impressions: int
    unanswered: int
    feedback: Lookup[str, int]
    actions: Lookup[str, int]
    refused: Lookup[str, int]
    watermark: int
    seconds: float


class _Tally:
    def __init__(self) -> None:
        self.feedback: Counter[str] = Counter()
        self.actions: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.unanswered = 0


def interpreted_rows(
    log: Log, mapping: Mapping, limit: int | None, refused: Counter[str]
) -> Iterator[tuple[Impression, list[Feedback]]]:
    """Yield each row's impression and feedback; a bad row raises ReplayError, or is counted in `refused`."""
    interpreter = RowInterpreter(mapping, log.actions, log.frequencies)
    for row in log.read(limit):
        try:
            yield interpreter.interpret(row)
        except RowError as error:
            if mapping.bad_rows == "stop":
                raise ReplayError(
                    f'row {row[ROW] + 1}: {error} (to leave such rows out, set bad_rows = "skip")'
                ) from error
            refused[error.field] += 1


def replay(
    path: Path,
    mapping: Mapping,
    *,
    bootstrap_servers: str,
    impressions_topic: str,
    feedback_topic: str,
    speed: float | None,
    limit: int | None,
    console: Console,
    watermark_margin_ms: int = WATERMARK_MARGIN_MS,
) -> ReplaySummary:
    """Produce the log at `path` to the two topics in event-time order, then mark the end of input.

    `speed` is a multiple of real time, None as fast as the broker takes it; `limit` replays the first rows
    only. The end is a watermark on every partition of both topics, `watermark_margin_ms` after the newest event
    time (but not in the future): choose no less than the join's wait and grace.

    Raises MappingError where mapping and log do not fit, ReplayError for a bad row, SendError where the broker
    does not take a message, ValueError for a speed that is not positive.
    """
    started = time.monotonic()
    pace = Pace(speed)
    log = open_log(path, mapping)
    total = log.distinct_rows if limit is None else min(limit, log.distinct_rows)
    tally = _Tally()
    encode = msgspec.json.Encoder().encode
    newest = 0
    with AcknowledgedProducer(bootstrap_servers) as producer, _progress(console) as progress:
        partitions = {topic: producer.partitions(topic) for topic in (impressions_topic, feedback_topic)}
        shown = progress.add_task(path.name, total=total)
        messages = in_event_time(_tallied(interpreted_rows(log, mapping, limit, tally.refused), tally))
        for message in _ordered(messages):
            pace.wait_until(message.occurred_at)
            newest = message.occurred_at
            topic = impressions_topic if isinstance(message, Impression) else feedback_topic
            producer.send(topic, encode(message), key=message.impression_id.encode())
            if isinstance(message, Impression):
                progress.advance(shown)
        # Not in the future, where it would be refused: the last windows of a log that ends now close by the clock.
        watermark = max(newest, min(newest + watermark_margin_ms, int(time.time() * 1_000)))
        end_of_input = encode(Watermark(schema_version=1, watermark=watermark))
        for topic, numbers in partitions.items():
            for partition in numbers:
                producer.send(topic, end_of_input, partition=partition)
        producer.wait_for_acknowledgements()
    return ReplaySummary(
        rows=log.rows,
        duplicates=log.rows - log.distinct_rows,
        impressions=tally.actions.total(),
        unanswered=tally.unanswered,
        feedback=dict(tally.feedback),
        actions=dict(tally.actions),
        refused=dict(tally.refused),
        watermark=watermark,
        seconds=time.monotonic() - started,
    )


def _tallied(
    interpreted: Iterator[tuple[Impression, list[Feedback]]], tally: _Tally
) -> Iterator[tuple[Impression, list[Feedback]]]:
    for impression, feedback in interpreted:
        tally.actions[impression.actions[impression.chosen].id] += 1
        tally.feedback.update(signal.signal for signal in feedback)
        tally.unanswered += not feedback
        yield impression, feedback


def _ordered(messages: Iterator[Impression | Feedback]) -> Iterator[Impression | Feedback]:
    try:
        yield from messages
    except OutOfOrderError as error:
        raise ReplayError(f"the log is not sorted by time: {error}; remove sorted_by_time") from error


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("impressions"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
