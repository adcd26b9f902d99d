"""How batches of a partition stand in line for its turn."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from faust.types import TP

from streams.kafka.record_batch_app import UnpackedBytes
from streams.kafka.record_batches import RecordBatch
from streams.worker.held_partitions import HeldPartitions
from tests.unit.stand_ins import batch, record


def batch_at(offset: int) -> RecordBatch:
    return batch([record("interactions", offset, b"k", b"v")])


class Reader:
    """Agents that read one partition, in steps of which each ends when it is told to."""

    def __init__(self) -> None:
        self.held = HeldPartitions()
        self.steps: list[list[int]] = []
        self.ends = asyncio.Semaphore(0)

    async def read(self, offset: int) -> None:
        async with self.held.turn(batch_at(offset), self.held.learner_lock(0)) as waiting:
            if waiting:
                self.steps.append([one.first_offset for one in waiting])
                await self.ends.acquire()

    async def arrive(self, *offsets: int) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self.read(offset)) for offset in offsets]
        await let_all_run()
        return tasks


async def let_all_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_step_takes_all_that_waits_and_those_taken_along_are_free_for_what_comes_next() -> None:
    async def scenario() -> None:
        reader = Reader()
        [first] = await reader.arrive(0)
        waiting = await reader.arrive(1, 2, 3)
        assert reader.held.waiting(TP("interactions", 0))
        reader.ends.release()
        await first
        await let_all_run()
        assert reader.steps == [[0], [1, 2, 3]]
        assert [task.done() for task in waiting] == [False, True, True], "their agents receive while the step goes on"
        assert not reader.held.waiting(TP("interactions", 0))
        later = await reader.arrive(4, 5)
        reader.ends.release()
        reader.ends.release()
        await asyncio.gather(*waiting, *later)
        assert reader.steps == [[0], [1, 2, 3], [4, 5]]

    asyncio.run(scenario())


def test_nobody_waits_for_a_first_in_line_who_was_cancelled() -> None:
    async def scenario() -> None:
        reader = Reader()
        await reader.arrive(0)
        first, second = await reader.arrive(1, 2)
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        await asyncio.wait_for(second, 5)
        later = await reader.arrive(3)
        reader.ends.release()
        reader.ends.release()
        await asyncio.gather(*later)
        assert reader.steps == [[0], [3]], "whose cursor sees the gap, and seeks back"

    asyncio.run(scenario())


@pytest.mark.parametrize("cancelled", [False, True])
def test_what_was_worked_on_takes_no_memory_while_agents_still_have_it_at_hand(cancelled: bool) -> None:
    async def scenario() -> None:
        held, unpacked = HeldPartitions(), UnpackedBytes()
        at_hand = [batch_at(offset) for offset in range(3)]
        for one in at_hand:
            unpacked.hold(one, 10_000_000)
        busy = held.learner_lock(0)

        async def read(one: RecordBatch) -> None:
            async with held.turn(one, busy):
                pass

        await busy.acquire()
        tasks = [asyncio.create_task(read(one)) for one in at_hand]
        await let_all_run()
        assert unpacked.bytes == 30_000_000
        if cancelled:
            tasks[0].cancel()
        busy.release()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert unpacked.bytes == 0, "or reading would stop for good once agents have enough at hand"
        assert not any(one.records for one in at_hand)

    asyncio.run(scenario())
