"""Values drawn from a declared type: most of them as it may be, some just beyond a bound."""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from random import Random
from typing import Any, Final

from msgspec import UNSET, inspect

NUMBERS: Final = (
    0, 1, -1, 2, 0.5, 1.0, -0.0, 1e-9, 1e-300, 5e-324, 1e9, 1e100, 1.7e308, -1e300, 2**31, 2**32, 2**53 + 1, 2**62,
    2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**30, 10**400, math.nan, math.inf, -math.inf,
)  # fmt: skip
TEXTS: Final = (
    "", "x", "none", "shown", "click", "u1", "a", "\0", "\ud800", "\U0001f600", "é", '"', "\\", "null", "=",
    "x" * 129, "x" * 257, "}", "[", "{[,]}", '","id":"', "\u2028", "\x7f", "-0", "1e5", "NaN",
)  # fmt: skip
ODD: Final[tuple[Any, ...]] = (*NUMBERS, *TEXTS, None, True, False, [], {}, [[]], {"": {}}, b"", b"\xff")
"""What is mostly something else than is expected."""
DEPTH: Final = 6
"""From which on collections are drawn empty."""


@cache
def described(kind: Any) -> inspect.Type:
    """Return what msgspec knows of a type."""
    return inspect.type_info(kind)


def drawn(kind: inspect.Type, rng: Random, depth: int = 0) -> Any:
    """Return plain values that fit a type, or are just beyond one of its bounds."""
    for described_as, draw in _DRAW.items():
        if isinstance(kind, described_as):
            return draw(kind, rng, depth)
    return rng.choice(ODD)


def _struct(kind: inspect.StructType, rng: Random, depth: int) -> Any:
    members = {}
    if kind.tag_field is not None:
        members[kind.tag_field] = kind.tag
    for field in kind.fields:
        if field.required or rng.random() < 0.5:
            members[field.encode_name] = drawn(field.type, rng, depth + 1)
    return list(members.values()) if kind.array_like else members


def _typed_dict(kind: inspect.TypedDictType, rng: Random, depth: int) -> Any:
    return {field.encode_name: drawn(field.type, rng, depth + 1) for field in kind.fields}


def _number(kind: inspect.IntType | inspect.FloatType, rng: Random, depth: int) -> Any:
    least = kind.ge if kind.ge is not None else kind.gt
    most = kind.le if kind.le is not None else kind.lt
    bounds = [one for one in (least, most) if one is not None]
    if bounds and rng.random() < 0.1:
        bound = rng.choice(bounds)
        beyond = rng.choice((-1, 0, 1))
        return bound + beyond if isinstance(kind, inspect.IntType) else bound * (1 + 1e-9 * beyond)
    if isinstance(kind, inspect.IntType):
        low = int(least if least is not None else -1_000)
        return rng.randint(low, int(min(most, low + 1_000) if most is not None else low + 1_000))
    if rng.random() < 0.1:
        return rng.choice(NUMBERS)
    return rng.uniform(least if least is not None else -3.0, most if most is not None else 3.0)


def _text(kind: inspect.StrType, rng: Random, depth: int) -> Any:
    if kind.max_length is not None and rng.random() < 0.05:
        return "x" * (kind.max_length + rng.randint(0, 1))
    return rng.choice(TEXTS) if rng.random() < 0.1 else "".join(rng.choices(string.printable, k=rng.randint(1, 8)))


def _items(kind: inspect.ListType | inspect.VarTupleType, rng: Random, depth: int) -> Any:
    least = kind.min_length or 0
    return [drawn(kind.item_type, rng, depth + 1) for _ in range(_size(least, kind.max_length, rng, depth))]


def _pairs(kind: inspect.DictType, rng: Random, depth: int) -> Any:
    size = _size(kind.min_length or 0, kind.max_length, rng, depth)
    return {drawn(kind.key_type, rng, depth + 1): drawn(kind.value_type, rng, depth + 1) for _ in range(size)}


def _size(least: int, most: int | None, rng: Random, depth: int) -> int:
    if depth >= DEPTH:
        return least
    if most is not None and most <= 2_000 and rng.random() < 0.02:
        return most + rng.randint(0, 1)
    return rng.randint(least, least + 3)


Draw = Callable[[Any, Random, int], Any]
_DRAW: Final[Mapping[type | tuple[type, ...], Draw]] = {
    inspect.StructType: _struct,
    inspect.TypedDictType: _typed_dict,
    (inspect.IntType, inspect.FloatType): _number,
    inspect.StrType: _text,
    (inspect.ListType, inspect.VarTupleType): _items,
    inspect.TupleType: lambda kind, rng, depth: [drawn(one, rng, depth + 1) for one in kind.item_types],
    inspect.DictType: _pairs,
    inspect.BoolType: lambda kind, rng, depth: rng.random() < 0.5,
    inspect.NoneType: lambda kind, rng, depth: None,
    inspect.LiteralType: lambda kind, rng, depth: rng.choice(kind.values),
    inspect.UnionType: lambda kind, rng, depth: drawn(rng.choice(_told(kind.types)), rng, depth),
    inspect.BytesType: lambda kind, rng, depth: rng.randbytes(rng.randint(0, 12)),
}


def _told(kinds: Sequence[inspect.Type]) -> list[inspect.Type]:
    """Return the types without that of what is left out."""
    return [one for one in kinds if not (isinstance(one, inspect.CustomType) and one.cls is type(UNSET))]


def member(kind: inspect.Type | None, key: Any) -> inspect.Type | None:
    """Return the type of what lies under a key (or at a place) of something of this type, None where it has none."""
    match kind:
        case inspect.StructType() | inspect.TypedDictType():
            array_like = isinstance(kind, inspect.StructType) and kind.array_like
            names = range(len(kind.fields)) if array_like else [field.encode_name for field in kind.fields]
            found = (field.type for name, field in zip(names, kind.fields, strict=True) if name == key)
        case inspect.DictType():
            return kind.value_type
        case inspect.ListType() | inspect.VarTupleType():
            return kind.item_type
        case inspect.TupleType():
            found = (one for place, one in enumerate(kind.item_types) if place == key)
        case inspect.UnionType():
            found = (known for one in kind.types if (known := member(one, key)) is not None)
        case _:
            return None
    return next(found, None)
