"""Replaying a log: its rows become impressions and feedback on the topics, as if they happened again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Lookup
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

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

from groundswell.events import Feedback, Impression, Watermark
from streams.kafka.acknowledged_producer import AcknowledgedProducer
from streams.replay.dsjson import DsjsonMapping, open_decisions
from streams.replay.event_time_pace import OutOfOrderError, Pace, in_event_time
from streams.replay.log_files import open_log
from streams.replay.mapped_rows import Interpreted, RowError
from streams.replay.mapping import Mapping

WATERMARK_MARGIN_MS = 3_600_000
MESSAGES_PER_WATERMARK = 10_000


class ReplayError(RuntimeError):
    """A row of the log that cannot be replayed. Says which, and why."""


@dataclass(frozen=True)
class ReplaySummary:
    """What was read and produced.

    `rows` are the file's, `duplicates` those that deduplication dropped, `refused` the rows that were left out,
    by the field or the reason. `impressions` went out, `unanswered` of them without feedback. `feedback` counts
    by signal, `actions` the impressions by shown action. `watermark` (ms) is what the end of input promised.
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
    def __init__(self, left_out: Lookup[str, int]) -> None:
        self.feedback: Counter[str] = Counter()
        self.actions: Counter[str] = Counter()
        self.refused: Counter[str] = Counter(left_out)
        self.unanswered = 0


class ReadableLog(Protocol):
    """A log of any kind that fits its mapping."""

    @property
    def rows(self) -> int:
        """How many rows the file has."""

    @property
    def distinct_rows(self) -> int:
        """How many are left after deduplication."""

    @property
    def left_out(self) -> Lookup[str, int]:
        """How many of those hold no decision, by reason."""

    def outcomes(self, limit: int | None) -> Iterator[tuple[int, Interpreted | RowError]]:
        """Yield (row number, what it says or what is wrong with it) of the first `limit` rows in time order."""


def readable_log(path: Path, mapping: Mapping | DsjsonMapping) -> ReadableLog:
    """Open the log at `path`. Raises MappingError where it does not fit the mapping."""
    return open_log(path, mapping) if isinstance(mapping, Mapping) else open_decisions(path, mapping)


def accepted(
    outcomes: Iterable[tuple[int, Interpreted | RowError]], bad_rows: str, refused: Counter[str]
) -> Iterator[Interpreted]:
    """Yield what the rows say; a bad row raises ReplayError, or is counted by field if `bad_rows` is "skip"."""
    for row, outcome in outcomes:
        if not isinstance(outcome, RowError):
            yield outcome
        elif bad_rows == "skip":
            refused[outcome.field] += 1
        else:
            raise ReplayError(f'row {row}: {outcome} (to leave such rows out, set bad_rows = "skip")') from outcome


def replay(
    path: Path,
    mapping: Mapping | DsjsonMapping,
    *,
    bootstrap_servers: str,
    impressions_topic: str,
    feedback_topic: str,
    speed: float | None,
    limit: int | None,
    console: Console,
    watermark_margin_ms: int = WATERMARK_MARGIN_MS,
    security: Lookup[str, Any] | None = None,
) -> ReplaySummary:
    """Produce the log at `path` to the two topics in event-time order, then mark the end of input.

    `speed` is a multiple of real time, None as fast as the broker takes it; `limit` replays the first rows
    only. The end is a watermark on every partition of both topics, `watermark_margin_ms` after the newest event
    time (but not in the future): choose no less than the join's wait and grace. `security` is what clients need
    beyond the address.

    Raises MappingError where mapping and log do not fit, ReplayError for a bad row, SendError where the broker
    does not take a message, ValueError for a speed that is not positive.
    """
    started = time.monotonic()
    pace = Pace(speed)
    log = readable_log(path, mapping)
    total = log.distinct_rows - sum(log.left_out.values())
    tally = _Tally(log.left_out)
    encode = msgspec.json.Encoder().encode
    newest = 0
    with AcknowledgedProducer(bootstrap_servers, security=security) as producer, _progress(console) as progress:
        partitions = {topic: producer.partitions(topic) for topic in (impressions_topic, feedback_topic)}
        shown = progress.add_task(path.name, total=total if limit is None else min(limit, total))
        interpreted = accepted(log.outcomes(limit), mapping.bad_rows, tally.refused)
        for number, message in enumerate(_ordered(in_event_time(_tallied(interpreted, tally))), start=1):
            pace.wait_until(message.occurred_at)
            newest = message.occurred_at
            topic = impressions_topic if isinstance(message, Impression) else feedback_topic
            producer.send(topic, encode(message), key=message.impression_id.encode())
            if isinstance(message, Impression):
                progress.advance(shown)
            if number % MESSAGES_PER_WATERMARK == 0:
                _mark(producer, partitions, newest)
        # Not in the future, where it would be refused: then the last windows close by the clock.
        watermark = max(newest, min(newest + watermark_margin_ms, int(time.time() * 1_000)))
        _mark(producer, partitions, watermark)
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


def _mark(producer: AcknowledgedProducer, partitions: Lookup[str, Sequence[int]], reached: int) -> None:
    """Tell every partition how far event time is: where feedback is rare, its log alone would not say."""
    marker = msgspec.json.encode(Watermark(schema_version=1, watermark=reached))
    for topic, numbers in partitions.items():
        for partition in numbers:
            producer.send(topic, marker, partition=partition)


def _tallied(interpreted: Iterator[Interpreted], tally: _Tally) -> Iterator[Interpreted]:
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
