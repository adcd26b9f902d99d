"""While joins are restored, which may take long, the worker answers those who ask after it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping

import pytest
from faust.types import TP

from state.segment_table import Segment, packed, unpacked
from streams.app import create_app
from streams.kafka.record_batch_app import RecordBatchApp
from streams.worker.partition_join import PartitionJoin
from tests.unit.stand_ins import worker_settings

PATIENCE = 10.0


def test_the_event_loop_turns_while_a_join_is_folded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    loop: asyncio.AbstractEventLoop
    begun: asyncio.Event
    answered, fold = threading.Event(), PartitionJoin.restore

    def long_fold(join: PartitionJoin) -> None:
        loop.call_soon_threadsafe(begun.set)
        assert answered.wait(PATIENCE), "the loop stood still"
        fold(join)

    monkeypatch.setattr(PartitionJoin, "restore", long_fold)

    async def scenario() -> None:
        nonlocal loop, begun
        loop, begun = asyncio.get_running_loop(), asyncio.Event()
        app = create_app(worker_settings())
        restoring = asyncio.create_task(app.known_positions({TP("impressions", 0), TP("feedback", 0)}))
        await asyncio.wait_for(begun.wait(), PATIENCE)
        assert not app.partitions.joins, "a join that is not restored is not there to be used"
        answered.set()
        assert await restoring == {TP("impressions", 0): 0, TP("feedback", 0): 0}
        assert list(app.partitions.joins) == [0]

    asyncio.run(scenario())


def test_nothing_is_committed_of_a_partition_before_it_was_read_what_stands_beside_its_offset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    committed: list[object] = []

    async def commit(_: RecordBatchApp, offsets: Mapping[TP, int]) -> bool:
        committed.append(offsets)
        return bool(offsets)

    monkeypatch.setattr(RecordBatchApp, "commit_offsets", commit)

    async def scenario() -> None:
        app = create_app(worker_settings())
        here, there = TP("impressions", 0), TP("feedback", 0)
        assert not await app.commit_offsets({here: 7, there: 8})
        await app.careful.take_over([here], {here: (5, "")}, {})
        assert await app.commit_offsets({here: 7, there: 8})
        await app.careful.let_go(well=True)
        assert not await app.commit_offsets({here: 9})
        assert committed == [{}, {here: 5}, {here: 7}, {}, {}]

    asyncio.run(scenario())


def test_what_is_restored_is_what_the_table_held_when_it_began() -> None:
    async def scenario() -> None:
        table = create_app(worker_settings())._table
        keys = [(0, 5, "writer", number) for number in range(3)]
        kept = {key: Segment(evicted=[key[3]], waited_since=[0]) for key in keys}
        table.data.update({key: packed(segment) for key, segment in kept.items()})
        segments = table.segments(0)
        del table.data[keys[1]]
        assert [unpacked(*one).evicted for one in segments] == [[0], [1], [2]]

    asyncio.run(scenario())
