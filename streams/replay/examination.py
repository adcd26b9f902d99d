"""A log and what lies beside it, read to the end and checked before anything is sent: what is good adds up."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from groundswell.events import Feedback, Impression
from streams.replay.dsjson import DecisionLog, DsjsonMapping
from streams.replay.left_out import LeftOut, Place, RowError
from streams.replay.log_files import FeedbackFile, Log
from streams.replay.mapped_rows import Interpreted
from streams.replay.mapping import Mapping
from streams.replay.standards import Standards, without_repeats
from streams.replay.summary import FeedbackFileSummary, ReplaySummary

ROWS_PER_ADVANCE = 1_000


class ReplayError(RuntimeError):
    """A log that cannot be replayed. Says where, and why."""


class ReadableLog(Protocol):
    """A log of any kind that fits its mapping, read once to its end."""

    @property
    def rows(self) -> int:
        """How many rows the file has."""

    @property
    def duplicates(self) -> int:
        """How many of them repeat an earlier one that counts."""

    @property
    def left_out(self) -> LeftOut:
        """Those that were left out."""

    @property
    def feedback_files(self) -> Lookup[str, FeedbackFile]:
        """Files of feedback beside it."""

    @property
    def side_tables(self) -> Iterable[tuple[Path, int, LeftOut]]:
        """Other files beside it, with how many rows they have and which cannot be read."""

    def place(self, number: int) -> Place:
        """Return where a row of that number stands."""

    def outcomes(self, limit: int | None) -> Iterator[tuple[int, Interpreted | RowError]]:
        """Yield (row number, what it says or what is wrong with it) of the first `limit` rows in time order."""


def readable_log(path: Path, mapping: Mapping | DsjsonMapping) -> ReadableLog:
    """Read the log at `path`. Raises MappingError where it does not fit the mapping."""
    return Log(path, mapping) if isinstance(mapping, Mapping) else DecisionLog(path, mapping)


@dataclass
class Examination:
    """What was found in a log of which everything has been checked.

    `refused` are the numbers of rows that a worker would refuse, `dropped` rows of feedback likewise. `oldest` is the
    least event time of an impression (ms), None where there is none, `newest` the largest event time, `backward_ms` by
    how much feedback came before its impression at most.
    """

    feedback: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    late: int = 0
    oldest: int | None = None
    newest: int = 0
    backward_ms: int = 0
    refused: set[int] = field(default_factory=set)
    dropped: set[Place] = field(default_factory=set)
    joined: Counter[Path] = field(default_factory=Counter)
    repeats: Counter[Path] = field(default_factory=Counter)


def examine(
    log: ReadableLog,
    model: str,
    standards: Standards,
    limit: int | None,
    advance: Callable[[int], None] = lambda _: None,
    observe: Callable[[Impression, Sequence[Feedback]], None] = lambda _, __: None,
) -> Examination:
    """Check all that would be sent. What is wrong is added to what the log and its files leave out.

    `observe` sees each impression that is good, with what came back.

    Raises ReplayError where the log is not in the order that its mapping says.
    """
    found = Examination()
    latest = 0
    judged = standards.judged(log.outcomes(limit), model, int(time.time() * 1_000))
    for count, (number, outcome) in enumerate(judged, start=1):
        if count % ROWS_PER_ADVANCE == 0:
            advance(ROWS_PER_ADVANCE)
        checked = _checked(log, outcome, found)
        if isinstance(checked, RowError):
            log.left_out.add(log.place(number), checked)
            found.refused.add(number)
            continue
        impression, feedback = checked
        shown_at = impression.occurred_at
        if shown_at < latest:
            place = log.place(number)
            raise ReplayError(f"{place}: {latest - shown_at} ms before an earlier row; remove sorted_by_time = true")
        latest = shown_at
        found.newest = max(found.newest, shown_at)
        found.oldest = shown_at if found.oldest is None else min(found.oldest, shown_at)
        found.actions[impression.actions[impression.chosen].id] += 1
        observe(impression, feedback)
        found.unanswered += not feedback
        for piece in feedback:
            found.feedback[piece.signal] += 1
            found.late += piece.occurred_at > shown_at + standards.wait_ms
            found.newest = max(found.newest, piece.occurred_at)
            found.backward_ms = max(found.backward_ms, shown_at - piece.occurred_at)
    return found


def _checked(
    log: ReadableLog, outcome: Interpreted | RowError, found: Examination
) -> tuple[Impression, list[Feedback]] | RowError:
    """Return an impression with its feedback, or what is wrong with its row. Takes down what other rows came to."""
    if isinstance(outcome, RowError):
        return outcome
    feedback, repeats, excess = without_repeats(outcome)
    if not log.feedback_files and not excess:
        own = outcome.told[0].error
        return (outcome.impression, feedback) if own is None else own
    files = {file.path: file for file in log.feedback_files.values()}
    wrong = {told.place: told.error for told in (*outcome.told, *excess) if told.error is not None}
    for place, error in wrong.items():
        if place is None:
            return error
        files[place.path].left_out.add(place, error)
        found.dropped.add(place)
    places = [told.place for told in outcome.told if told.place is not None]
    found.joined.update(place.path for place in places if place not in wrong)
    found.repeats.update(told.place.path for told in repeats if told.place is not None)
    return outcome.impression, feedback


def found_good(log: ReadableLog, found: Examination, limit: int | None) -> Iterator[tuple[Impression, list[Feedback]]]:
    """Yield what an examination found good, read again."""
    for number, outcome in log.outcomes(limit):
        if isinstance(outcome, RowError) or number in found.refused:
            continue
        told = [one for one in outcome.told if one.error is None and one.place not in found.dropped]
        yield outcome.impression, without_repeats(Interpreted(outcome.impression, told))[0]


def summed_up(log: ReadableLog, found: Examination, beyond_limit: int, seconds: float) -> ReplaySummary:
    """Return what came of all rows.

    Raises ReplayError where they do not add up, which no log can cause.
    """
    files = []
    for file in log.feedback_files.values():
        joined, left_out = found.joined[file.path], file.left_out.total()
        stray = file.rows - joined - left_out
        files.append(FeedbackFileSummary(file.path, file.rows, joined, stray, left_out, found.repeats[file.path]))
    reasons = [*log.left_out.in_words()]
    for other in beside(log):
        reasons += other.in_words()
    summary = ReplaySummary(
        rows=log.rows,
        duplicates=log.duplicates,
        impressions=found.actions.total(),
        beyond_limit=beyond_limit,
        unanswered=found.unanswered,
        feedback=dict(found.feedback),
        late=found.late,
        actions=dict(found.actions),
        refused=log.left_out.counts,
        reasons=tuple(reasons),
        feedback_files=tuple(files),
        watermark=None,
        seconds=seconds,
    )
    if log.rows != summary.impressions + log.duplicates + log.left_out.total() + beyond_limit:
        raise ReplayError("\n".join(["the rows do not add up, which is a fault of groundswell:", *summary.sums()]))
    return summary


def beside(log: ReadableLog) -> Iterator[LeftOut]:
    """Yield what the files beside a log leave out."""
    yield from (file.left_out for file in log.feedback_files.values())
    yield from (left_out for _, _, left_out in log.side_tables)
