"""What a worker holds of each partition, and how those who want a turn with it stand in line."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Container
from contextlib import asynccontextmanager

from faust.types import TP

from streams.kafka.record_batches import RecordBatch
from streams.settings import TopicSettings
from streams.worker.partition_join import PartitionJoin
from streams.worker.partition_learner import PartitionLearner


class Line:
    """The batches of one partition that wait for their turn, and whether somebody has taken them."""

    def __init__(self, first: RecordBatch) -> None:
        self.batches = [first]
        self.taken = asyncio.Event()


class HeldPartitions:
    """The partitions that this worker holds, each with a lock that outlives their coming and going."""

    def __init__(self) -> None:
        self.joins: dict[int, PartitionJoin] = {}
        self.learners: dict[int, PartitionLearner] = {}
        self._locks: defaultdict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._lines: dict[TP, Line] = {}

    def join_lock(self, partition: int) -> asyncio.Lock:
        """Return the lock under which the join of a partition is used or replaced."""
        return self._locks["join", partition]

    def learner_lock(self, partition: int) -> asyncio.Lock:
        """Return the lock under which the learners of a partition are used or replaced."""
        return self._locks["learner", partition]

    def waiting(self, tp: TP) -> bool:
        """Say whether any batch of a partition waits for its turn."""
        return tp in self._lines

    def keep_only(self, assignment: Container[TP], topics: TopicSettings) -> None:
        """Forget what is known of partitions that are not assigned, and learners that left a step to another worker."""
        for partition in [one for one in self.joins if TP(topics.impressions, one) not in assignment]:
            del self.joins[partition]
        for partition, learner in list(self.learners.items()):
            if learner.abandoned or TP(topics.interactions, partition) not in assignment:
                self.learners.pop(partition).close()

    @asynccontextmanager
    async def turn(self, batch: RecordBatch, lock: asyncio.Lock) -> AsyncIterator[list[RecordBatch]]:
        """Wait for the partition's turn; yield all batches that wait for it by then, in order.

        A step costs the same whether it takes one record or thousands, so the more a worker lags the more it
        reads at once. The list is empty where the first in line has taken this batch along. All of them are let go
        when the turn is over.
        """
        if line := self._lines.get(batch.tp):
            line.batches.append(batch)
            await line.taken.wait()
            yield []
            return
        line = self._lines[batch.tp] = Line(batch)
        try:
            try:
                await lock.acquire()
            finally:  # where the first in line is cancelled the line is missing, which the next batch shows
                del self._lines[batch.tp]
                line.taken.set()
            try:
                yield line.batches
            finally:
                lock.release()
        finally:
            for one in line.batches:
                one.let_go()
