"""Changes to a good document, packed as msgpack: so an input says what is other, and stays small.

A change is `[place, value]`; `[place]`, which takes something out; `[place, offset, bytes]`, which puts bytes there; or
`[offset, bytes]`, for the document as it is packed. A value `Ext(1, (times, value))` is a list of so many.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from random import Random
from typing import Any, Final

import msgspec
from msgspec import inspect

from experiments.fuzz.mutation import FLOATS, Mutation, at, from_msgpack, places

MOST_CHANGES: Final = 12
REPEATED: Final = 1
COUNTS: Final = (1, 1_000, 1_000_000, 60_000_000)
MOST_REPEATED: Final = 128 << 20
"""Bytes of what is repeated: twice what anything may unpack to."""


def changed(base: bytes, changes: Sequence[Any]) -> bytes:
    """Return a packed document with these changes."""
    tree = [from_msgpack(base)]
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


def more_or_fewer(base: bytes, changes: Sequence[Any], kind: inspect.Type, rng: Random) -> list[Any]:
    """Return these changes to a document of this type with one more, or one less."""
    now = list(changes)[:MOST_CHANGES]
    place = rng.random()
    if place < 0.2 and now:
        now.pop(rng.randrange(len(now)))
    elif place < 0.25:
        now.append([rng.randrange(1 << 20), rng.randbytes(rng.randint(1, 4))])
    else:
        now.append(_drawn_change(changed(base, now), kind, rng))
    return now


def _expanded(value: Any) -> Any:
    """Return a value with what is to be repeated repeated, in a document that may be so large."""
    if isinstance(value, msgspec.msgpack.Ext) and value.code == REPEATED:
        match from_msgpack(bytes(value.data)):
            case [int(times), one] if 0 <= times * len(msgspec.msgpack.encode(one)) <= MOST_REPEATED:
                return msgspec.Raw(_array_of(times) + msgspec.msgpack.encode(one) * times)
        return None
    if isinstance(value, list):
        return [_expanded(one) for one in value]
    if isinstance(value, dict):
        return {key: _expanded(one) for key, one in value.items()}
    return value


def _array_of(count: int) -> bytes:
    return b"\xdd" + count.to_bytes(4, "big")


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


def _drawn_change(packed: bytes, kind: inspect.Type, rng: Random) -> list[Any]:
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
    what = rng.random()
    if what < 0.1 and len(place) > 1:
        return [list(place)]
    if what < 0.2:
        one: Any = rng.choice(([], {}, 0, None, "", [[]], {"": 0}, 1.5))
        return [list(place), msgspec.msgpack.Ext(REPEATED, msgspec.msgpack.encode((rng.choice(COUNTS), one)))]
    mutation = Mutation(tree, kind, rng)
    rng.choice((Mutation.redraw, Mutation.be_odd, Mutation.be_near, Mutation.copy_from_elsewhere))(
        mutation, at(mutation.tree, place[:-1]), place
    )
    return [list(place), copy.deepcopy(at(mutation.tree, place))]
