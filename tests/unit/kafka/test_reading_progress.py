"""Whether a log has been read to its end: what idle logs and the lag go by."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import pytest
from faust.types import TP

from streams.kafka.reading_progress import PATIENCE, LogTruncatedError, Reading, ReadingWatch, end_of_log


class Look(NamedTuple):
    """What is seen at a moment, and what is to be said of it."""

    now: float
    offset: int
    handed_out: int
    fetched: int
    end: int
    reading: Reading


CAUGHT_UP, UNDER_WAY, LOST = Reading.CAUGHT_UP, Reading.UNDER_WAY, Reading.LOST


def look(now: float, offset: int, fetched: int, reading: Reading, *, handed_out: int = 0) -> Look:
    return Look(now, offset, handed_out, fetched, 15, reading)


@pytest.mark.parametrize(
    ("name", "looks"),
    [
        ("read to the end", [look(0, 15, 15, CAUGHT_UP)]),
        ("it may be slow", [look(0, 10, 15, UNDER_WAY), look(4.9, 10, 15, UNDER_WAY)]),
        ("slow, and getting on", [look(now, 10 + now // 4, 15, UNDER_WAY) for now in (0, 4, 8, 12)]),
        ("handed out, but it never arrived", [look(0, 10, 15, UNDER_WAY, handed_out=15), look(5, 10, 15, LOST)]),
        ("fetched, but never handed out", [look(0, 10, 15, UNDER_WAY), look(5, 10, 15, LOST)]),
        ("never fetched", [look(0, 10, 10, UNDER_WAY), look(5, 10, 10, LOST), look(6, 10, 10, UNDER_WAY)]),
        (
            "behind the last record there is only a transaction's marker",
            [look(0, 14, 15, UNDER_WAY), look(5, 14, 15, LOST), look(6, 14, 14, UNDER_WAY), look(7, 14, 15, CAUGHT_UP)],
        ),
        (
            "what was fetched again is on its way",
            [look(0, 14, 15, UNDER_WAY), look(5, 14, 15, LOST), look(6, 14, 15, UNDER_WAY, handed_out=15)],
        ),
    ],
)
def test_how_reading_stands(name: str, looks: list[Look]) -> None:
    watch = ReadingWatch()
    for one in looks:
        assert watch.look(one.now, one.offset, one.handed_out, one.fetched, one.end) is one.reading, name


def test_patience_grows_until_something_is_read() -> None:
    watch = ReadingWatch()
    lost = [now for now in range(100) if watch.look(now, 10, 15, 15, 15) is LOST]
    assert [later - earlier for earlier, later in pairwise(lost)] == pytest.approx([11, 21, 41], abs=1)
    assert watch.look(200, 15, 15, 15, 15) is CAUGHT_UP
    assert watch.look(300, 15, 20, 20, 20) is UNDER_WAY
    assert watch.look(300 + PATIENCE, 15, 20, 20, 20) is LOST


class Ends(NamedTuple):
    """What the newest fetch told of where a log ends, and what the broker says when it is asked."""

    told: int | None
    asked: int

    def highwater(self, tp: TP) -> int | None:
        return self.told

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        return dict.fromkeys(partitions, self.asked)


LOG = TP("interactions", 1)


@pytest.mark.parametrize(
    ("name", "ends", "end"),
    [
        ("nothing was fetched yet", Ends(None, 20), None),
        ("there is more than was read", Ends(15, 20), 15),
        ("a fetch brought records from beyond the end that it told of", Ends(5, 10), 10),
        ("and the log has grown since", Ends(5, 12), 12),
    ],
)
def test_where_a_log_ends(name: str, ends: Ends, end: int | None) -> None:
    assert asyncio.run(end_of_log(ends, LOG, 10)) == end, name


def test_a_log_that_was_cut_below_what_was_read_of_it_is_told_of_with_what_to_do() -> None:
    with pytest.raises(LogTruncatedError, match=r"interactions\[1\] ends at 7, .* read up to 10: .*adopt-topics"):
        asyncio.run(end_of_log(Ends(7, 7), LOG, 10))
