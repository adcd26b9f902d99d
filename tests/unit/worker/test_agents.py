"""How what waits of a partition is handed on: nothing that the cursor has passed is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

import pytest
from faust.types import TP

from streams.kafka.record_batches import Cursor, RecordBatch
from streams.observing.conditions import Conditions
from streams.observing.metrics import Metrics
from streams.worker.agents import _read
from streams.worker.careful_steps import CarefulSteps
from streams.worker.whole_steps import Worked
from streams.worker.worker_app import Groundswell
from tests.unit.stand_ins import batch, record

INTERACTIONS = TP("interactions", 0)


class Worker:
    """What reading takes of a worker, with a broker that may refuse to seek."""

    def __init__(self, *, refusing: bool = False, again: int | None = None) -> None:
        self.metrics, self.consumer = Metrics(), self
        self.refusing, self.again = refusing, again
        self.happened: list[object] = []
        self.careful = CarefulSteps(self.commit, {}, {}, Conditions(self.metrics))

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        self.happened.append(offsets)
        return True

    async def seek(self, tp: TP, offset: int) -> None:
        if self.refusing:
            raise RuntimeError("no current assignment")
        self.happened.append(("sought", offset))

    async def crash(self, error: BaseException) -> None:
        self.happened.append(("crashed", str(error)))

    def reads(self, *stretches: range, cursor: Cursor | None = None) -> list[object]:
        async def take(new: RecordBatch, worked: Worked) -> int | None:
            await worked()
            self.happened.append([one.offset for one in new.records])
            return self.again

        waiting = [batch([record("interactions", offset, b"k", b"v") for offset in one]) for one in stretches]
        app = cast(Groundswell, cast(Any, self))
        with suppress(RuntimeError):
            asyncio.run(_read(app, INTERACTIONS, waiting, cursor or Cursor(0), take))
        return self.happened


@pytest.mark.parametrize(
    ("stretches", "happened"),
    [
        ([range(3), range(3, 5)], [[0, 1, 2, 3, 4]]),
        ([range(3), range(2, 5)], [[0, 1, 2, 3, 4]]),
        ([range(2, 5)], [("sought", 0)]),
        ([range(3), range(7, 9)], [[0, 1, 2], ("sought", 3)]),
        ([range(3), range(7, 9), range(9, 11)], [[0, 1, 2], ("sought", 3)]),
        ([range(3), range(7, 9), range(7, 9), range(3, 7)], [[0, 1, 2], ("sought", 3)]),
    ],
)
def test_what_is_new_is_taken_before_a_gap_is_sought(stretches: list[range], happened: list[object]) -> None:
    assert Worker().reads(*stretches) == happened


def test_a_gap_that_is_still_there_is_the_logs_own_and_one_that_was_not_sought_is_not() -> None:
    cursor = Cursor(0)
    Worker(refusing=True).reads(range(7, 9), cursor=cursor)
    worker = Worker()
    worker.reads(range(7, 9), cursor=cursor)
    assert worker.reads(range(7, 9), cursor=cursor) == [("sought", 0), [7, 8]]


def test_a_seek_that_fails_ends_the_worker_and_what_came_before_it_has_been_taken() -> None:
    assert Worker(refusing=True).reads(range(3), range(7, 9)) == [[0, 1, 2], ("crashed", "no current assignment")]


def test_who_takes_records_may_say_where_to_read_on() -> None:
    assert Worker(again=1).reads(range(3), range(7, 9)) == [[0, 1, 2], ("sought", 1)]
