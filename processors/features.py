"""Features as hashes that any language can compute, and their interning into flat arrays.

A feature is a string with a value: `name=value` with value 1 for text and booleans (`true`, `false`), `name`
with the number itself for numbers. An action's id is the feature `=id`. Every context has the constant
feature, the empty string. Then

    h(s)         = fmix32(crc32(utf8(s)))
    cross(g, h)  = fmix32((g * 0x9E3779B1 + h) mod 2^32)
    index        = cross mod 2^bits

with fmix32 the finaliser of MurmurHash3 (Appleby) and crc32 that of zlib.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any, Final, TypeVar, cast
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from processors.events import Action, FeatureValue
from processors.flat_rows import Arrays, Rows

CONSTANT: Final = ""
LARGEST_VALUE: Final = 1e9
LEAST_VALUE: Final = 1e-9
"""Numbers are clamped to this size, so that no single feature can overflow a score."""
_MASK: Final = 0xFFFFFFFF
_encode: Final = msgspec.msgpack.Encoder().encode
# Keys of what was met before: encoding is faster than a tuple of items, and it tells 1, 1.0 and True apart, which a
# dictionary does not. It refuses integers of more than 64 bits.

Feature = tuple[int, float]
"""Hash and value."""
Hash = TypeVar("Hash", int, NDArray[np.uint64])
Count = TypeVar("Count", int, NDArray[np.int64])


def fmix32(h: Hash) -> Hash:
    """Return the 32-bit finaliser of MurmurHash3, of a number or of each in an array."""
    mixed: Any = h  # NumPy's types take what is shifted by a plain number for signed
    mixed = mixed ^ (mixed >> 16)
    mixed = (mixed * 0x85EBCA6B) & _MASK
    mixed = mixed ^ (mixed >> 13)
    mixed = (mixed * 0xC2B2AE35) & _MASK
    return cast("Hash", mixed ^ (mixed >> 16))


def hashed(text: str) -> int:
    """Return h(text), an unsigned 32-bit number."""
    return fmix32(crc32(text.encode()))


def hashed_all(texts: Iterable[str]) -> NDArray[np.uint64]:
    """Return `hashed` of each text; of many it takes half the time."""
    return fmix32(np.array([crc32(text.encode()) for text in texts], dtype=np.uint64))


def crossed(left: int, right: int) -> int:
    """Return the hash of two features together; the order matters."""
    return fmix32((left * 0x9E3779B1 + right) & _MASK)


def crossed_all(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return `crossed` of each pair, a table of the shape (left, right)."""
    return fmix32((left[:, None] * np.uint64(0x9E3779B1) + right) & np.uint64(_MASK))


CONSTANT_HASH: Final = hashed(CONSTANT)
_CONSTANT_FEATURE: Final = CONSTANT_HASH, 1.0
_of_name = lru_cache(maxsize=4_096)(hashed)


def feature(name: str, value: FeatureValue) -> Feature:
    """Return hash and value of one named feature."""
    text, amount = text_and_value(name, value)
    return (_of_name(text) if text == name else hashed(text)), amount


def text_and_value(name: str, value: FeatureValue) -> tuple[str, float]:
    """Return the text by whose hash a named feature goes, and its value."""
    if isinstance(value, str):
        return f"{name}={value}", 1.0
    if isinstance(value, bool):
        return f"{name}={'true' if value else 'false'}", 1.0
    if -LEAST_VALUE < value < LEAST_VALUE:
        return name, 0.0
    if -LARGEST_VALUE <= value <= LARGEST_VALUE:
        return name, float(value)
    return name, -LARGEST_VALUE if value < 0 else LARGEST_VALUE


def context_features(context: Mapping[str, FeatureValue], crosses: bool) -> list[Feature]:
    """Return the constant, the single features without zeros, and their pairs if `crosses`."""
    singles = _without_zeros(context)
    pairs = [(crossed(g, h), x * y) for (g, x), (h, y) in combinations(singles, 2)] if crosses else []
    return [_CONSTANT_FEATURE, *singles, *pairs]


def action_features(action: Action) -> list[Feature]:
    """Return the feature of the action's id, then its other features without zeros."""
    return [(hashed(f"={action.id}"), 1.0), *_without_zeros(action.features)]


def _without_zeros(features: Mapping[str, FeatureValue]) -> list[Feature]:
    return [pair for name in sorted(features) if (pair := feature(name, features[name]))[1]]


def count_crosses(context: Mapping[str, FeatureValue], actions: Sequence[Action], crosses: bool) -> tuple[int, int]:
    """Return how many features the context has, and how many crosses with those of the actions, at most.

    Cheap: nothing is hashed.
    """
    described = [len(action.features) for action in actions if action.features]
    return count_crosses_of(len(context), len(actions), sum(described), crosses)


def count_crosses_of(context: int, actions: int, described: int, crosses: bool) -> tuple[int, int]:
    """Return the same, of so many features of a context, so many actions, and as many features of these together."""
    contexts = 1 + context
    if crosses:
        contexts += pair_count(contexts)
    return contexts, contexts * (actions + described)


def pair_count(count: Count) -> Count:
    """Return how many pairs there are of so many."""
    return count * (count - 1) // 2


class FeatureStore:
    """Contexts and action sets met before, as rows of flat arrays: hashing is paid once per distinct one.

    The store is a cache and no part of a learner's state: forgetting it changes nothing but speed.
    `trim` forgets everything when more than `limit` features are held, those included by whose text the rows are found.
    """

    def __init__(self, crosses: bool, limit: int = 2_000_000) -> None:
        self._crosses = crosses
        self._limit = limit
        self._flat: Arrays
        self._flat_counts: tuple[int, int, int] | None = None
        """How many rows there were when the arrays were taken last."""
        self._forget()

    def trim(self) -> None:
        """Forget all rows if there are too many. Row numbers given out before become void."""
        if self._contexts.size + self._actions.size + self._sets.size + self._as_sent > self._limit:
            self._forget()

    @property
    def arrays(self) -> Arrays:
        """The arrays for the kernel. Take them after the last row was added: growing replaces them."""
        contexts, sets, actions = self._contexts, self._sets, self._actions
        counts = contexts.count, sets.count, actions.count
        if counts != self._flat_counts:
            self._flat_counts = counts
            self._flat = (
                contexts.start,
                contexts.keys,
                contexts.values,
                sets.start,
                sets.keys,
                actions.start,
                actions.keys,
                actions.values,
            )
        return self._flat

    @property
    def widest(self) -> tuple[int, int, int]:
        """The most features of a context, actions of a set and features of an action so far."""
        return self._contexts.widest, self._sets.widest, self._actions.widest

    def context(self, features: Mapping[str, FeatureValue]) -> int:
        """Return the row of a context."""
        try:
            key: object = _encode(features)
        except OverflowError:
            key = repr(features)
        row = self._context_rows.get(key)
        if row is None:
            row = self._contexts.append(*zip(*context_features(features, self._crosses), strict=True))
            self._context_rows[key] = row
            self._as_sent += len(features)
        return row

    def actions(self, actions: Sequence[Action]) -> int:
        """Return the row of an action set."""
        try:
            key: object = _encode(actions)
        except OverflowError:
            key = repr(actions)
        row = self._set_texts.get(key)
        if row is None:
            row = self._set_texts[key] = self._set([self._action(action) for action in actions])
            self._as_sent += sum([len(action.features) for action in actions], len(actions))
        return row

    def _set(self, rows: list[int]) -> int:
        key = tuple(rows)
        row = self._set_rows.get(key)
        if row is None:
            row = self._set_rows[key] = self._sets.append(rows)
        return row

    def signal(self, name: str) -> int:
        """Return the hash of a signal."""
        number = self._signals.get(name)
        if number is None:
            number = self._signals[name] = hashed(name)
            if len(self._signals) > self._limit:
                self._signals.clear()
        return number

    def _forget(self) -> None:
        self._contexts, self._actions, self._sets = Rows(), Rows(), Rows()
        self._flat_counts = None
        self._context_rows: dict[object, int] = {}
        self._action_rows: dict[object, int] = {}
        self._set_rows: dict[tuple[int, ...], int] = {}
        self._set_texts: dict[object, int] = {}
        self._signals: dict[str, int] = {}
        self._as_sent = 0
        """How many features these are found by, with those of value 0."""

    def _action(self, action: Action) -> int:
        try:
            key: object = _encode(action)
        except OverflowError:
            key = repr(action)
        row = self._action_rows.get(key)
        if row is None:
            row = self._action_rows[key] = self._actions.append(*zip(*action_features(action), strict=True))
            self._as_sent += len(action.features)
        return row
