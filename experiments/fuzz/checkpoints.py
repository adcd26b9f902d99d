"""Checkpoints with a right checksum: refused with one error, or gone on from.

An input is msgpack: the name of a `base`, a good checkpoint with a model of that kind, and a list of `changes` to it
(`changed.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from random import Random
from typing import Any, Final

import cramjam
import msgspec
from msgspec import Struct

from experiments.fuzz.changed import changed, more_or_fewer
from experiments.fuzz.drawn import described
from experiments.fuzz.messages import MODELS, feedback, interaction
from experiments.fuzz.mutation import from_msgpack
from experiments.fuzz.target import Target, require
from experiments.fuzz.worker import Learning, check_decides, check_learned
from processors.learners.ledger import LedgerState
from processors.wire.plain_state import StateError
from state import learner_checkpoints
from state.learner_checkpoints import CHECKPOINT_KEY, MAGIC, VERSION, CheckpointError, Publication
from streams.kafka.topics import TopicChangedError

TOLD: Final = (CheckpointError, StateError, TopicChangedError)
"""What a worker says of a checkpoint that it does not go on from."""


class _Document(Struct):
    """A checkpoint with the types that its parts have when they are restored."""

    offset: int
    ledger: LedgerState
    models: dict[str, dict[str, Any]]
    publications: dict[str, Publication]
    worths: dict[str, dict[str, Any]]
    lineages: dict[str, str]
    interactions_topic: str


@cache
def base(kind: str) -> bytes:
    """Return the document of a good checkpoint, packed."""
    learning = Learning()
    for number in range(6):
        signals = [{"signals": ["click"]}, {"feedback": [], "signals": ["none"]}, {"signals": ["dislike"]}][number % 3]
        answers = {"feedback": [feedback(number, signals["signals"][0])], **signals}
        learning.takes([msgspec.json.encode(interaction(number, model, **answers)) for model in (kind,)])
    learning.saves()
    value = learning.written.newest("checkpoints")[CHECKPOINT_KEY]
    return msgspec.msgpack.encode(learner_checkpoints.decode(value or b""))


def document(data: bytes) -> bytes:
    """Return the packed document that an input stands for. Raises `ValueError` where it stands for none."""
    match from_msgpack(data):
        case {"base": str(kind), "changes": list(changes)} if kind in MODELS:
            pass
        case _:
            raise ValueError("no base with changes")
    return changed(base(kind), changes)


def sealed(packed: bytes) -> bytes:
    """Return a checkpoint with a right checksum."""
    body = bytes(cramjam.zstd.compress(packed, level=1))
    return MAGIC + VERSION.to_bytes(2, "big") + sha256(body).digest() + body


def check(data: bytes) -> None:
    """A worker says that it cannot go on from it, or does: it learns, decides, and writes what it can go on from."""
    try:
        value = sealed(document(data))
    except (ValueError, OverflowError, TypeError, RecursionError, msgspec.MsgspecError):
        return  # what stands for no document
    try:
        learning = Learning({CHECKPOINT_KEY: value})
    except TOLD as error:
        require(bool(str(error)), "it is refused without a word")
        return
    learners = learning.learner._learners
    if "river" in learners:
        return  # what River's own attributes may be only River knows: it is tried on a sample when it is restored
    before = learning.included
    if learning.learner.interactions.offset > 1 << 61:
        return
    for name, learner in learners.items():
        if before[name] < 1 << 52:
            _check_learns(learning, name, learner.interactions_included)
    if all(included < 1 << 52 for included in before.values()):
        check_learned(learning)


def _check_learns(learning: Learning, name: str, before: int) -> None:
    check_decides(learning.learner._learners[name].snapshot(None))
    far = {"partition": 1 << 20, "offset": 0, "floor": 0, "topic": "fresh"}
    learning.takes(
        [msgspec.json.encode(interaction(number, name, source={**far, "offset": number})) for number in (0, 1)]
    )
    after = learning.learner._learners[name].interactions_included
    require(before <= after <= before + 2, f"{before} interactions before, and after two more {after}")


def seeds() -> Iterable[bytes]:
    """Yield a good checkpoint of each kind of model."""
    for kind in MODELS:
        yield msgspec.msgpack.encode({"base": kind, "changes": []})


def mutated(data: bytes, rng: Random) -> bytes | None:
    """Return an input with a change more, or less, or that of another model."""
    try:
        tree = from_msgpack(data)
        kind, changes = tree["base"], tree["changes"]
        if rng.random() < 0.1:
            kind = rng.choice(MODELS)
        else:
            changes = more_or_fewer(base(kind), changes, described(_Document), rng)
        return msgspec.msgpack.encode({"base": kind, "changes": changes})
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError, IndexError):
        return None


TARGET: Final = Target("checkpoints", check, seeds, mutated)
