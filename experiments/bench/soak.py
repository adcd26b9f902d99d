"""A month of the join and the learner on a fast clock: does memory end where it stood after the first days?

People, actions, features and signals come and go all the time; feedback comes late, twice, or for impressions that
never were. It is the worker's own code from record batches to checkpoints; only Kafka is missing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
from rich.progress import track

from experiments.bench.pending import resident_bytes
from experiments.bench.result import at_most, conclude
from experiments.bench.worker_in_memory import WorkerInMemory
from experiments.bench.workload import Record
from processors.join.config import JoinConfig
from streams.settings import Settings

WARM_UP: Final = 20
"""Days after which memory has to stand still: by then as many texts are remembered as may be, and some forgotten."""
DAYS: Final = WARM_UP + 30
GROWTH_BAR: Final = 1.05
ACTIONS: Final = 11
PEOPLE_A_DAY: Final = 5_000
BEGIN: Final = 1_767_225_600_000
DAY_MS: Final = 86_400_000
STRETCH: Final = 2_000
FEED: Final = "feed"


class Month:
    """What apps send: a day's people see a day's actions, described by a day's campaign."""

    def __init__(self, a_day: int, seed: int) -> None:
        self._rng = random.Random(seed)
        self._a_day = a_day
        self._number = 0

    def day(self, day: int) -> Iterator[tuple[list[Record], list[Record]]]:
        """Yield the impressions and the feedback of one stretch after another."""
        for first in range(0, self._a_day, STRETCH):
            shown: list[Record] = []
            answers: list[Record] = []
            for number in range(first, min(first + STRETCH, self._a_day)):
                at = BEGIN + day * DAY_MS + number * DAY_MS // self._a_day
                shown.append(self._impression(day, at))
                answers += self._feedback(at)
                self._number += 1
            yield shown, answers

    def _impression(self, day: int, at: int) -> Record:
        rng, key = self._rng, f"i{self._number}"
        actions = [
            {"id": f"item-{day}-{item}", "features": {f"campaign-{day}": 1, "length": rng.randrange(600)}}
            for item in rng.sample(range(200), ACTIONS)
        ]
        return key.encode(), msgspec.json.encode(
            {
                "schema_version": 1,
                "impression_id": key,
                "occurred_at": at,
                "model": FEED,
                "context": {"user": f"u-{day}-{rng.randrange(PEOPLE_A_DAY)}", f"test-{day}": rng.random() < 0.5},
                "actions": actions,
                "chosen": rng.randrange(ACTIONS),
                "propensity": 1 / ACTIONS,
            }
        )

    def _feedback(self, at: int) -> list[Record]:
        rng = self._rng
        if rng.random() > 0.6:
            return []
        signal = rng.choice(["click", "like", "dislike", f"new-{self._number % 1_000_000}"])
        late = 30 * 3_600_000 if rng.random() < 0.01 else rng.randrange(1_800_000)
        key = f"nobody-{self._number}" if rng.random() < 0.01 else f"i{self._number}"
        message = {
            "schema_version": 1,
            "impression_id": key,
            "feedback_id": f"f{self._number}",
            "occurred_at": at + late,
            "signal": signal,
        }
        record = key.encode(), msgspec.json.encode(message)
        return [record, record] if rng.random() < 0.02 else [record]


def soaked_worker() -> WorkerInMemory:
    """Return a worker that waits for an hour and remembers for two."""
    return WorkerInMemory(
        Settings.model_validate(
            {
                "join": JoinConfig(wait=3_600, grace=60, backward=600, remember=7_200, idle=None),
                "models": {FEED: {"definitely_negative": ["dislike"]}},
                "topics": {"event_partitions": 1, "interaction_partitions": 1},
            }
        )
    )


def bench_soak(out: Path, a_day: int = 20_000, seed: int = 0) -> int:
    """Let a month pass; return 1 if memory has grown since the first days, else 0."""
    month, worker = Month(a_day, seed), soaked_worker()
    resident: list[int] = []

    async def days() -> None:
        for day in track(range(DAYS), description="days"):
            for shown, answers in month.day(day):
                await worker.takes(shown, answers)
            await worker.saves()
            resident.append(resident_bytes())

    asyncio.run(days())
    # What is free but not given back comes and goes by a tenth from day to day.
    settled, end = median(resident[WARM_UP : WARM_UP + 10]), median(resident[-10:])
    rows: dict[str, dict[str, Any]] = {
        f"day {day + 1}": {"resident_MB": resident[day] / 1e6} for day in (0, WARM_UP - 1, WARM_UP + 9, DAYS - 1)
    }
    first, last = WARM_UP + 1, WARM_UP + 10
    bar = at_most(f"memory of the last ten days, of that of days {first} to {last}", GROWTH_BAR, end / settled)
    return conclude(
        out, f"{DAYS} days of {a_day:,} impressions", rows, [bar], bench="soak", seed=seed, resident=resident
    )
