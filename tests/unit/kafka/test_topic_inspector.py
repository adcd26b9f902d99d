"""How long a look at a log may take: a bound on all of it for a glance, on each silence for who works through it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from streams.kafka import topic_inspector
from streams.kafka.topic_inspector import PATIENCE, TopicInspector

RECORDS = 4


class OneByOne:
    """A log of which each poll brings one record."""

    def __init__(self, records: int) -> None:
        self._records, self._next = records, 0

    def end_offsets(self, places: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(places, RECORDS)

    def assign(self, places: list[Any]) -> None: ...

    def seek(self, place: Any, offset: int) -> None: ...

    def position(self, place: Any) -> int:
        return self._next

    def poll(self, timeout_ms: int) -> dict[str, list[Any]]:
        if self._next == self._records:
            return {}
        self._next += 1
        return {"t": [SimpleNamespace(offset=self._next - 1)]}


def work_through(monkeypatch: pytest.MonkeyPatch, records: int, *, as_they_come: bool) -> list[int]:
    """Return what is read of a log where the work on each record, and each look at the clock, takes its time."""
    clock = [0.0]

    def now() -> float:
        clock[0] += 0.1 * PATIENCE
        return clock[0]

    monkeypatch.setattr(topic_inspector, "time", SimpleNamespace(monotonic=now))
    inspector = TopicInspector.__new__(TopicInspector)
    inspector._consumer = OneByOne(records)
    read = []
    for record in inspector.read("t", 0, 0, as_they_come=as_they_come):
        read.append(record.offset)
        clock[0] += 0.6 * PATIENCE
    return read


def test_who_works_through_a_log_may_take_longer_than_the_patience_for_a_glance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert work_through(monkeypatch, RECORDS, as_they_come=True) == [0, 1, 2, 3]
    with pytest.raises(TimeoutError, match="cannot be read to its end"):
        work_through(monkeypatch, RECORDS, as_they_come=False)


def test_a_log_that_falls_silent_before_its_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TimeoutError, match="cannot be read to its end"):
        work_through(monkeypatch, RECORDS - 1, as_they_come=True)
