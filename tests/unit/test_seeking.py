"""Seeking in the thread that fetches, and noticing what was skipped when nothing behind it shows the gap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from faust.types import TP

from streams.record_batches import STUCK_SECONDS, Cursor, RecordBatchConsumer

PARTITION = TP("impressions", 0)


def test_a_seek_is_made_by_the_thread_that_fetches() -> None:
    happened: list[str] = []

    def seek(tp: TP, offset: int) -> None:
        happened.append(f"seek {tp.topic} {offset}")

    async def call_thread(method: Callable[..., None], *arguments: object) -> None:
        happened.append("in the thread")
        method(*arguments)

    consumer = RecordBatchConsumer.__new__(RecordBatchConsumer)
    consumer._thread = SimpleNamespace(  # type: ignore[assignment]  # all that a seek may touch
        call_thread=call_thread, _ensure_consumer=lambda: SimpleNamespace(seek=seek)
    )
    asyncio.run(consumer._seek(PARTITION, 7))
    assert happened == ["in the thread", "seek impressions 7"]


@pytest.mark.parametrize(
    ("looks", "stuck"),
    [
        ([(0, 5), (STUCK_SECONDS, 5)], True),
        ([(0, 5), (STUCK_SECONDS - 1, 5)], False),
        ([(0, 5), (STUCK_SECONDS - 1, 0), (STUCK_SECONDS, 5)], False),
        ([(0, 5), (STUCK_SECONDS, 5), (STUCK_SECONDS + 1, 5)], False),
        ([(0, 5), (STUCK_SECONDS, 5), (2 * STUCK_SECONDS, 5)], True),
    ],
    ids=["long enough", "not yet", "at the end meanwhile", "just sought", "sought in vain"],
)
def test_a_reader_that_lags_and_gets_nothing_for_long_is_stuck(looks: list[tuple[float, int]], stuck: bool) -> None:
    cursor = Cursor(10)
    assert [cursor.stuck(now, lag) for now, lag in looks][-1] is stuck


def test_a_reader_that_moves_is_not_stuck() -> None:
    cursor = Cursor(10)
    cursor.stuck(0, 5)
    cursor.offset = 11
    assert not cursor.stuck(STUCK_SECONDS, 4)
