"""What a log comes to once it has been examined, as `replay` does before it sends."""

from __future__ import annotations

from groundswell.events import Feedback, Impression
from streams.replay.dsjson import DecisionLog
from streams.replay.examination import examine, found_good, summed_up
from streams.replay.log_files import Log
from streams.replay.standards import Standards
from streams.replay.summary import ReplaySummary


def read(
    log: Log | DecisionLog, limit: int | None = None, standards: Standards | None = None
) -> list[tuple[Impression, list[Feedback]]]:
    """Return what would be sent, once all of it has been examined and adds up."""
    found = examine(log, log.mapping.model, standards or Standards(), limit)
    known = log.rows - log.duplicates - log.left_out.total() + len(found.refused)
    summed_up(log, found, max(0, known - limit) if limit is not None else 0, 0.0)
    return list(found_good(log, found, limit))


def summary(log: Log | DecisionLog, standards: Standards | None = None) -> ReplaySummary:
    """Return what comes of all rows."""
    found = examine(log, log.mapping.model, standards or Standards(), None)
    return summed_up(log, found, 0, 0.0)


def read_with_summary(log: Log | DecisionLog) -> tuple[list[tuple[Impression, list[Feedback]]], ReplaySummary]:
    """Return what would be sent, and what comes of all rows."""
    found = examine(log, log.mapping.model, Standards(), None)
    return list(found_good(log, found, None)), summed_up(log, found, 0, 0.0)


def complaints(log: Log | DecisionLog, standards: Standards | None = None) -> str:
    """Return what is wrong with the rows of a log and of the files beside it."""
    return "\n".join(summary(log, standards).reasons)
