"""What the join should have made of two logs, read off its definition by brute force (processors/join/fold.py).

No state, no order of reading, no windows: each impression is judged by itself. Nothing here is shared with what is
judged but the wire format. Impressions that are deferred do not occur here.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from processors.join.config import JoinConfig

HOSTILE = "hostile-"
"""How the ids begin of what the hostile producer writes."""
REFUSED = "refused"
"""The header of its records that no worker lets in."""


class Entry(NamedTuple):
    """One record of a log."""

    offset: int
    key: bytes | None
    value: bytes
    timestamp: float = inf
    """When it was logged, in ms, by the broker's clock."""
    refused: bool = False
    """Whether the producer knows that no worker lets it in."""


@dataclass(frozen=True)
class Expected:
    """What one impression should have become, and when (ms of event time)."""

    offset: int
    impression_id: str
    model: str
    closes_at: int
    feedback: tuple[str, ...]
    """The ids, sorted."""


@dataclass(frozen=True)
class Definition:
    """What one pair of partitions should become, by the offset of the impression, and the ids of late ones.

    `open` are the ids of those whose window has not closed where the logs end: they are not due.
    """

    interactions: dict[int, Expected]
    late: frozenset[str]
    open: frozenset[str]


class _Seen(NamedTuple):
    """A message with the time of its log before it, in ms."""

    body: dict[str, Any]
    offset: int
    log_time: float


def read_definition(impressions: Sequence[Entry], feedback: Sequence[Entry], join: JoinConfig) -> Definition:
    """Return what one pair of partitions should become."""
    wait, grace, backward = (round(seconds * 1000) for seconds in (join.wait, join.grace, join.backward))
    answers: defaultdict[str, list[_Seen]] = defaultdict(list)
    for one in _with_log_time(feedback):
        answers[one.body["impression_id"]].append(one)
    expected: dict[str, Expected] = {}
    late: set[str] = set()
    for shown in _with_log_time(impressions):
        impression_id = shown.body["impression_id"]
        if impression_id in expected or impression_id in late:
            continue  # repeated: the first counts
        occurred_at = shown.body["occurred_at"]
        if occurred_at + wait + grace <= shown.log_time:
            late.add(impression_id)
            continue
        effective = round(max(occurred_at, shown.log_time - grace))
        closes_at = effective + wait + grace
        belongs = {
            one.body["feedback_id"]
            for one in answers[impression_id]
            if occurred_at - backward <= one.body["occurred_at"] <= effective + wait and one.log_time < closes_at
        }
        expected[impression_id] = Expected(
            shown.offset, impression_id, shown.body["model"], closes_at, tuple(sorted(belongs))
        )
    end = min(_end(impressions), _end(feedback))
    return Definition(
        {one.offset: one for one in expected.values() if one.closes_at <= end},
        frozenset(late),
        frozenset(one.impression_id for one in expected.values() if one.closes_at > end),
    )


def feedback_ids(feedback: Sequence[Entry]) -> set[str]:
    """Return the ids of all feedback in a log."""
    return {one.body["feedback_id"] for one in _with_log_time(feedback)}


def _with_log_time(log: Sequence[Entry]) -> list[_Seen]:
    """Return the messages of a log that are let in; its watermarks only move its time."""
    seen: list[_Seen] = []
    log_time = float("-inf")
    for entry in log:
        if entry.refused:
            continue
        body = json.loads(entry.value)
        if entry.key is not None:
            seen.append(_Seen(body, entry.offset, log_time))
        log_time = max(log_time, _moves_to(entry, body))
    return seen


def _end(log: Sequence[Entry]) -> float:
    """Return the time of a log behind its last record."""
    return max((_moves_to(entry, json.loads(entry.value)) for entry in log if not entry.refused), default=-inf)


def _moves_to(entry: Entry, body: Mapping[str, Any]) -> float:
    """Return to what time a record moves its log: a watermark to its own, a message no further than its timestamp."""
    return float(body["watermark"] if entry.key is None else min(body["occurred_at"], entry.timestamp))
