"""What an interaction costs as the number of users grows, and as that of pending impressions does.

It is the worker's own code from records as they are read to records as they are written, without Kafka: what Kafka
costs hangs on neither, and would only make the growth look smaller. Of each kind all sizes are measured in turns,
a stretch at a time, so that what else the machine does falls on all of them.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

from experiments.bench.worker_in_memory import WorkerInMemory
from experiments.bench.workload import BEGIN, FEEDBACK_SHARE, PER_SECOND, USERS, Record, feedback, impression
from processors.join.config import JoinConfig
from streams.settings import Settings

STRETCH: Final = 2_000
"""Impressions that are read at once."""
FEWEST_PENDING: Final = 300


@dataclass(frozen=True)
class Size:
    """How many users come at random, how many impressions wait, and how large the model's tables are."""

    users: int = USERS
    pending: int = FEWEST_PENDING
    hash_bits: int = 18


class Traffic:
    """Two endless logs in the order of event time, of which feedback comes evenly within `wait` seconds."""

    def __init__(self, users: int, wait: float, seed: int) -> None:
        self._rng = random.Random(seed)
        self._users = users
        self._wait_ms = round(wait * 1000)
        self._number = 0
        self._to_come: list[tuple[int, bytes]] = []

    def stretch(self, count: int) -> tuple[list[Record], list[Record]]:
        """Return the next `count` impressions, and the feedback up to the time of the last of them."""
        rng = self._rng
        shown, answers, now = [], [], BEGIN
        for number in range(self._number, self._number + count):
            shown.append(impression(number, rng, users=self._users))
            now = BEGIN + number * 1000 // PER_SECOND
            if rng.random() < FEEDBACK_SHARE:
                heappush(self._to_come, (now + rng.randrange(self._wait_ms), shown[-1][0]))
        self._number += count
        while self._to_come and self._to_come[0][0] <= now:
            at, key = heappop(self._to_come)
            answers.append(feedback(key, at, rng))
        return shown, answers


class Sized:
    """A worker at one size, the traffic it reads, and what that took."""

    def __init__(self, size: Size, seed: int) -> None:
        wait = size.pending / PER_SECOND
        self._traffic = Traffic(size.users, wait, seed)
        self._worker = WorkerInMemory(
            Settings.model_validate(
                {
                    "join": JoinConfig(wait=wait, grace=0, backward=0, remember=wait, idle=None),
                    "models": {"feed": {"definitely_negative": ["dislike"], "hash_bits": size.hash_bits}},
                    "topics": {"event_partitions": 1, "interaction_partitions": 1},
                }
            )
        )
        self.seconds = 0.0
        self.interactions = 0

    @property
    def pending(self) -> int:
        """How many impressions wait."""
        return int(self._worker.metrics.registry.get_sample_value("groundswell_join_pending", {"partition": "0"}) or 0)

    async def read(self, count: int) -> None:
        """Let it read so many impressions and their feedback, and add what that took."""
        for _ in range(0, count, STRETCH):
            shown, answers = self._traffic.stretch(STRETCH)
            begin = time.process_time()
            self.interactions += await self._worker.takes(shown, answers)
            self.seconds += time.process_time() - begin


def microseconds(
    sizes: Mapping[str, Size], count: int, *, warm_up: int, runs: int, seed: int = 0
) -> Sequence[Mapping[str, float]]:
    """Return the CPU microseconds an interaction took at each size, in each of several `runs` of `count` impressions.

    Before the first, each size has read what waits there, as many that closed and are remembered, and `warm_up` more.
    """
    return asyncio.run(_microseconds(sizes, count, warm_up, runs, seed))


async def _microseconds(
    sizes: Mapping[str, Size], count: int, warm_up: int, runs: int, seed: int
) -> Sequence[Mapping[str, float]]:
    workers = {name: Sized(size, seed) for name, size in sizes.items()}
    for name, worker in workers.items():
        await worker.read(2 * sizes[name].pending + warm_up)
        assert worker.pending > 0.9 * sizes[name].pending, "fewer wait than said"
    # What was made until now would be looked through again and again, as in a worker it is not; the last sizes go.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    return [await _one_run(workers, count) for _ in range(runs)]


async def _one_run(workers: Mapping[str, Sized], count: int) -> Mapping[str, float]:
    for worker in workers.values():
        worker.seconds, worker.interactions = 0.0, 0
    for _ in range(0, count, STRETCH):
        for worker in workers.values():
            await worker.read(STRETCH)
    return {name: 1e6 * worker.seconds / worker.interactions for name, worker in workers.items()}
