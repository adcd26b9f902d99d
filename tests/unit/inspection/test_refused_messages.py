"""Refused messages for people: the newest of the reason that was asked for, in one line each whatever they hold."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from streams.inspection.refused_messages import SHOWN_CHARACTERS, newest_of

NOW = 1_767_225_600_000


class Record(NamedTuple):
    offset: int
    headers: list[tuple[str, bytes]]
    value: bytes | None = b"{}"
    key: bytes | None = b"i1"
    partition: int = 0
    timestamp: int = NOW


def refused(offset: int, reason: str, value: bytes | None = b"{}", *, at: int = NOW, partition: int = 0) -> Record:
    headers = [("reason", reason), ("detail", "why"), ("topic", "impressions"), ("partition", "3"), ("offset", "17")]
    return Record(offset, [(name, text.encode()) for name, text in headers], value, b"i1", partition, at)


def test_the_newest_are_shown_and_all_are_counted() -> None:
    found = newest_of([refused(n, "schema" if n % 3 else "model") for n in range(10)], None, 2)
    assert [message.reason for message in found.messages] == ["schema", "model"]
    assert found.sums() == "10 messages in all: schema 6, model 4"


def test_only_those_of_a_reason_are_shown() -> None:
    found = newest_of([refused(n, "schema" if n % 3 else "model") for n in range(10)], "model", 3)
    assert [message.reason for message in found.messages] == ["model"] * 3
    assert found.reasons == {"schema": 6, "model": 4}


def test_the_newest_of_several_partitions_are_those_that_came_last() -> None:
    records = [refused(0, "late", at=at, partition=at % 2) for at in (5, 1, 9, 3, 7)]
    assert [message.at for message in newest_of(records, None, 3).messages] == [5, 7, 9]


def test_a_message_cannot_command_the_terminal_or_fill_it() -> None:
    (message,) = newest_of([refused(0, "schema", b"\x1b[2J\nnext" + b"x" * 1_000_000)], None, 1).messages
    first, second = message.in_words()
    assert first == "2026-01-01T00:00:00+00:00  schema: why  (impressions[3]@17)"
    assert second.startswith("    \\x1b[2J\\nnextxxx")
    assert len(second) < SHOWN_CHARACTERS + 10


def test_late_feedback_tells_how_late_and_a_record_without_headers_is_shown_too() -> None:
    late = Record(0, [("reason", b"late"), ("lateness_ms", b"1500")])
    found = newest_of([late, Record(1, [], None, None)], None, 5)
    assert [message.detail for message in found.messages] == ["1500 ms late", ""]
    assert found.reasons == {"late": 1, "unknown": 1}


@pytest.mark.parametrize(
    ("reason", "late", "says"),
    [
        ("empty", False, "none is there for the reason 'empty'"),
        ("orphan", True, "none is there for the reason 'orphan'"),
        ("orphan", False, "'orphan' is a reason on the other topic: add --late"),
        ("schema", True, "'schema' is a reason on the other topic: leave --late out"),
        ("schem", False, "there is no reason 'schem'; did you mean 'schema'?"),
        ("bad_propensities", False, "there is no reason 'bad_propensities'; did you mean 'bad_propensity'?"),
        ("xyz", True, "there is no reason 'xyz'; reasons are feedback_evicted, feedback_not_shown, late, late_imp"),
    ],
)
def test_a_reason_of_which_there_is_none_is_told_from_one_that_there_cannot_be(
    reason: str, late: bool, says: str
) -> None:
    assert newest_of([], reason, 5).lacks(reason, late=late).startswith(says)


def test_nothing_is_said_to_be_nothing() -> None:
    assert newest_of([], None, 5).sums() == "none"
