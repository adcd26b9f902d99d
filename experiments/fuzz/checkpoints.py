"""Checkpoints with a right checksum: refused with one error, or gone on from.

An input is msgpack: the name of a `base`, a good checkpoint with a model of that kind, and a list of `changes` to it.
Each is `[place, value]`; `[place]`, which takes something out; `[place, offset, bytes]`, which puts bytes over those
there; or `[offset, bytes]` in the document as it is packed. A value `Ext(1, (times, value))` is a list of so many.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from random import Random
from typing import Any, Final

import cramjam
import msgspec
from msgspec import Struct

from experiments.fuzz.drawn import described
from experiments.fuzz.messages import MODELS, feedback, interaction
from experiments.fuzz.mutation import FLOATS, Mutation, at, from_msgpack, places
from experiments.fuzz.target import Target, require
from experiments.fuzz.worker import Learning, check_decides, check_learned
from processors.learners.ledger import LedgerState
from processors.wire.plain_state import StateError
from state import learner_checkpoints
from state.learner_checkpoints import ALWAYS_UNPACKED, CHECKPOINT_KEY, MAGIC, VERSION, CheckpointError, Publication
from streams.kafka.topics import TopicChangedError

MOST_CHANGES: Final = 12
REPEATED: Final = 1
TOLD: Final = (CheckpointError, StateError, TopicChangedError)
"""What a worker says of a checkpoint that it does not go on from."""
COUNTS: Final = (1, 1_000, 1_000_000, 60_000_000)


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


def _expanded(value: Any) -> Any:
    """Return a value with what is to be repeated repeated, in a document that may be so large."""
    if isinstance(value, msgspec.msgpack.Ext) and value.code == REPEATED:
        match from_msgpack(bytes(value.data)):
            case [int(times), one] if 0 <= times * len(msgspec.msgpack.encode(one)) <= 2 * ALWAYS_UNPACKED:
                return msgspec.Raw(_array_of(times) + msgspec.msgpack.encode(one) * times)
        return None
    if isinstance(value, list):
        return [_expanded(one) for one in value]
    if isinstance(value, dict):
        return {key: _expanded(one) for key, one in value.items()}
    return value


def _array_of(count: int) -> bytes:
    return b"\xdd" + count.to_bytes(4, "big")


def document(data: bytes) -> bytes:
    """Return the packed document that an input stands for. Raises `ValueError` where it stands for none."""
    match from_msgpack(data):
        case {"base": str(kind), "changes": list(changes)} if kind in MODELS:
            pass
        case _:
            raise ValueError("no base with changes")
    tree = [from_msgpack(base(kind))]
    later: list[tuple[int, bytes]] = []
    for change in changes[:MOST_CHANGES]:
        match change:
            case [int(offset), bytes(content)]:
                later.append((offset, content))
            case [list(place), *rest] if place and place[0] == 0:
                _change(tree, place, rest)
    packed = msgspec.msgpack.encode(_expanded(tree[0]))
    for offset, content in later:
        begin = offset % (len(packed) + 1)
        packed = packed[:begin] + content + packed[begin + len(content) :]
    return packed


def _change(tree: list[Any], place: list[Any], rest: list[Any]) -> None:
    """Make one change, if there is such a place."""
    try:
        holder = at(tree, tuple(place[:-1]))
        match rest:
            case [value]:
                holder[place[-1]] = value
            case [] if len(place) > 1:
                del holder[place[-1]]
            case [int(offset), bytes(content)]:
                old = holder[place[-1]]
                begin = 8 * offset % (len(old) + 1)
                holder[place[-1]] = old[:begin] + content + old[begin + len(content) :]
    except (KeyError, IndexError, TypeError):
        return


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
        changes = list(tree["changes"])[:MOST_CHANGES]
        place = rng.random()
        if place < 0.1:
            tree["base"] = rng.choice(MODELS)
        elif place < 0.3 and changes:
            changes.pop(rng.randrange(len(changes)))
        elif place < 0.35:
            changes.append([rng.randrange(1 << 20), rng.randbytes(rng.randint(1, 4))])
        else:
            changes.append(_drawn_change(document(msgspec.msgpack.encode({**tree, "changes": changes})), rng))
        return msgspec.msgpack.encode({"base": tree["base"], "changes": changes})
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError, IndexError):
        return None


def _drawn_change(packed: bytes, rng: Random) -> list[Any]:
    """Return a change to something in a document."""
    tree = from_msgpack(packed) if len(packed) < 1 << 20 else {}
    found = [place for place in places([tree]) if place]
    place = rng.choice(found)
    old = at([tree], place)
    if isinstance(old, bytes) and len(old) >= 8 and rng.random() < 0.8:
        return [
            list(place),
            rng.randrange(len(old) // 8),
            rng.choice(FLOATS) if rng.random() < 0.8 else rng.randbytes(8),
        ]
    kind = rng.random()
    if kind < 0.1 and len(place) > 1:
        return [list(place)]
    if kind < 0.2:
        one: Any = rng.choice(([], {}, 0, None, "", [[]], {"": 0}, 1.5))
        return [list(place), msgspec.msgpack.Ext(REPEATED, msgspec.msgpack.encode((rng.choice(COUNTS), one)))]
    mutation = Mutation(tree, described(_Document), rng)
    rng.choice((Mutation.redraw, Mutation.be_odd, Mutation.be_near, Mutation.copy_from_elsewhere))(
        mutation, at(mutation.tree, place[:-1]), place
    )
    return [list(place), copy.deepcopy(at(mutation.tree, place))]


TARGET: Final = Target("checkpoints", check, seeds, mutated)
