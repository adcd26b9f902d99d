"""Faults planted in a worker, to see what `groundswell chaos` finds. Nothing of the worker knows this module.

`python -m experiments.chaos_plants FAULT` runs a worker with one of them. Three have to be found; the other two,
slow marks and cleared queues, the worker has to get over. Each comes with what makes it bite in a run of a few seconds.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import typer
from faust.types import TP, ConsumerMessage

from processors.events import Source
from processors.interactions import decode_interaction
from processors.ledger import Ledger
from state.journal import JoinJournal
from streams.app import Groundswell
from streams.outputs import Outputs
from streams.record_batches import Cursor, RecordBatchConsumer
from streams.run import run_worker
from streams.settings import load_settings

MARK_DELAY = 1.0
"""Seconds in which a worker that dies has written interactions that no mark knows of: they will be written again."""
DROPPED = 1000
CLEARED = 0.2
SPARSE_CHECKPOINTS = 30.0


class Fault(StrEnum):
    """What is planted."""

    SLOW_MARKS = "slow-marks"
    CLEARED_QUEUES = "cleared-queues"
    NO_DEDUPLICATION = "no-deduplication"
    DROPPED_INTERACTIONS = "dropped-interactions"
    EARLY_COMMIT = "early-commit"


def _slow_marks() -> None:
    mark = JoinJournal.mark

    async def late(self: JoinJournal, *arguments: Any) -> None:
        await asyncio.sleep(MARK_DELAY)
        await mark(self, *arguments)

    JoinJournal.mark = late  # type: ignore[method-assign,assignment]  # a fault is planted here


def _cleared_queues() -> None:
    """Now and then the queues of the agents are cleared, as Faust does when it resumes after a rebalance."""
    deliver = RecordBatchConsumer._deliver
    rng = random.Random(0)

    async def deliver_and_clear(self: RecordBatchConsumer, message: ConsumerMessage) -> None:
        await deliver(self, message)
        if rng.random() < CLEARED:
            self.app.flow_control.clear()

    RecordBatchConsumer._deliver = deliver_and_clear  # type: ignore[method-assign]  # a fault is planted here


def _no_deduplication() -> None:
    """The learner learns whatever comes."""
    admit = Ledger.admit

    def always(self: Ledger, source: Source) -> bool:
        admit(self, source)
        return True

    Ledger.admit = always  # type: ignore[method-assign]  # a fault is planted here
    _slow_marks()


def _dropped_interactions() -> None:
    """The join writes 999 of 1,000 interactions, and does not write the others however often it comes by."""
    write = Outputs.interaction

    def most(self: Outputs, model: str, spread_by: bytes, value: bytes) -> None:
        if decode_interaction(value).source.offset % DROPPED:
            write(self, model, spread_by, value)

    Outputs.interaction = most  # type: ignore[method-assign]  # a fault is planted here


def _early_commit() -> None:
    """The learner commits what it has read before a checkpoint includes it, and goes on from what it committed."""
    known_positions, commit = Groundswell.known_positions, Groundswell.commit_offsets

    async def committed_positions(self: Groundswell, assignment: set[TP]) -> Mapping[TP, int]:
        positions = dict(await known_positions(self, assignment))
        committed = await self._record_consumer.seek_to_committed()
        for partition, learner in self.partitions.learners.items():
            tp = TP(self.settings.topics.interactions, partition)
            if (committed.get(tp) or 0) > learner.interactions.offset:
                learner.interactions = Cursor(committed[tp])
                positions[tp] = committed[tp]
        return positions

    async def commit_early(self: Groundswell, offsets: Mapping[TP, int]) -> bool:
        topic = self.settings.topics.interactions
        read = {TP(topic, partition): one.interactions.offset for partition, one in self.partitions.learners.items()}
        return await commit(self, {**offsets, **read})

    Groundswell.known_positions = committed_positions  # type: ignore[method-assign]  # a fault is planted here
    Groundswell.commit_offsets = commit_early  # type: ignore[method-assign,assignment]  # a fault is planted here


_PLANT: Mapping[Fault, Callable[[], None]] = {
    Fault.SLOW_MARKS: _slow_marks,
    Fault.CLEARED_QUEUES: _cleared_queues,
    Fault.NO_DEDUPLICATION: _no_deduplication,
    Fault.DROPPED_INTERACTIONS: _dropped_interactions,
    Fault.EARLY_COMMIT: _early_commit,
}


def worker(fault: Fault) -> None:
    """Run a worker with a fault."""
    settings = load_settings()
    if fault is Fault.EARLY_COMMIT:
        # So that there is something between what was committed and what the last checkpoint includes.
        learning = settings.learning.model_copy(update={"checkpoint_seconds": SPARSE_CHECKPOINTS})
        settings = settings.model_copy(update={"learning": learning})
    _PLANT[fault]()
    run_worker(settings)


if __name__ == "__main__":
    typer.run(worker)
