"""Faults planted in a worker, for `groundswell chaos` to find. Nothing of the worker knows this module.

`python -m experiments.chaos.planted_faults FAULT DIED` runs a worker with one of them. Where a fault only bites when
the worker dies at the wrong moment, it does so by its own hand, and once: `DIED` is the file that remembers it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from weakref import WeakSet

import typer
from faust.types import TP

from groundswell.events import Source
from processors.learners.ledger import Ledger
from processors.wire.envelopes import decode_interaction
from streams.app import run_worker
from streams.kafka.record_batches import Cursor
from streams.settings import load_settings
from streams.worker.outputs import Outputs
from streams.worker.worker_app import Groundswell

DROPPED = 1000
SPARSE_CHECKPOINTS = 4.0
"""Seconds between checkpoints, so that several commits lie between two of them."""


class Fault(StrEnum):
    """What is planted."""

    NO_DEDUPLICATION = "no-deduplication"
    DROPPED_INTERACTIONS = "dropped-interactions"
    EARLY_COMMIT = "early-commit"


def _die_once(died: Path) -> None:
    """End this process as kill -9 would, unless an earlier one has already done so."""
    try:
        died.touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _no_deduplication(died: Path) -> None:
    """The learner learns whatever comes; and interactions come again, as the join dies before it marks them."""
    admit, write, flush = Ledger.admit_all, Outputs.interactions, Outputs.flush
    with_interactions: WeakSet[Outputs] = WeakSet()

    def always(self: Ledger, sources: Sequence[Source]) -> list[bool]:
        return [True for _ in admit(self, sources)]

    def noted(self: Outputs, model: str, spread_by: bytes, values: Iterable[bytes]) -> None:
        with_interactions.add(self)
        write(self, model, spread_by, values)

    async def last(self: Outputs) -> None:
        await flush(self)
        if self in with_interactions:
            _die_once(died)

    Ledger.admit_all = always  # type: ignore[method-assign]  # a fault is planted here
    Outputs.interactions = noted  # type: ignore[method-assign]  # a fault is planted here
    Outputs.flush = last  # type: ignore[method-assign]  # a fault is planted here


def _dropped_interactions() -> None:
    """The join writes 999 of 1,000 interactions, and does not write the others however often it comes by."""
    write = Outputs.interactions

    def most(self: Outputs, model: str, spread_by: bytes, values: Iterable[bytes]) -> None:
        write(self, model, spread_by, [one for one in values if decode_interaction(one).source.offset % DROPPED])

    Outputs.interactions = most  # type: ignore[method-assign]  # a fault is planted here


def _early_commit(died: Path) -> None:
    """The learner commits what no checkpoint includes yet, dies, and goes on from what it committed."""
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
        if self.seeking or not self.flowing:
            return await commit(self, offsets)  # of partitions that are taken over or let go of
        topic, learners = self.settings.topics.interactions, self.partitions.learners
        read = {TP(topic, partition): one.interactions.offset for partition, one in learners.items()}
        unsaved = any(one.interactions.offset > one.durable_offset for one in learners.values())
        taken = await commit(self, {**offsets, **read})
        if taken and unsaved:
            _die_once(died)
        return taken

    Groundswell.known_positions = committed_positions  # type: ignore[method-assign]  # a fault is planted here
    Groundswell.commit_offsets = commit_early  # type: ignore[method-assign]  # a fault is planted here


def worker(fault: Fault, died: Path) -> None:
    """Run a worker with a fault."""
    settings = load_settings()
    if fault is Fault.EARLY_COMMIT:
        learning = settings.learning.model_copy(update={"checkpoint_seconds": SPARSE_CHECKPOINTS})
        settings = settings.model_copy(update={"learning": learning})
    plants: Mapping[Fault, Callable[[], None]] = {
        Fault.NO_DEDUPLICATION: partial(_no_deduplication, died),
        Fault.DROPPED_INTERACTIONS: _dropped_interactions,
        Fault.EARLY_COMMIT: partial(_early_commit, died),
    }
    plants[fault]()
    run_worker(settings)


if __name__ == "__main__":
    typer.run(worker)
