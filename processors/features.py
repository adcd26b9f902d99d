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

from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any, Final
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from processors.events import Action, FeatureValue

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


def fmix32(h: int) -> int:
    """Return the 32-bit finaliser of MurmurHash3."""
    h ^= h >> 16
    h = (h * 0x85EBCA6B) & _MASK
    h ^= h >> 13
    h = (h * 0xC2B2AE35) & _MASK
    return h ^ (h >> 16)


def hashed(text: str) -> int:
    """Return h(text), an unsigned 32-bit number."""
    return fmix32(crc32(text.encode()))


def crossed(left: int, right: int) -> int:
    """Return the hash of two features together; the order matters."""
    return fmix32((left * 0x9E3779B1 + right) & _MASK)


def crossed_all(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return `crossed` of each pair, a table of the shape (left, right)."""
    h = (left[:, None] * np.uint64(0x9E3779B1) + right) & np.uint64(_MASK)
    h ^= h >> np.uint64(16)
    h = (h * np.uint64(0x85EBCA6B)) & np.uint64(_MASK)
    h ^= h >> np.uint64(13)
    h = (h * np.uint64(0xC2B2AE35)) & np.uint64(_MASK)
    return h ^ (h >> np.uint64(16))


_CONSTANT_FEATURE: Final = hashed(CONSTANT), 1.0
_of_name = lru_cache(maxsize=4_096)(hashed)


def feature(name: str, value: FeatureValue) -> Feature:
    """Return hash and value of one named feature."""
    if isinstance(value, str):
        return hashed(f"{name}={value}"), 1.0
    if isinstance(value, bool):
        return hashed(f"{name}={'true' if value else 'false'}"), 1.0
    if -LEAST_VALUE < value < LEAST_VALUE:
        return _of_name(name), 0.0
    if -LARGEST_VALUE <= value <= LARGEST_VALUE:
        return _of_name(name), float(value)
    return _of_name(name), -LARGEST_VALUE if value < 0 else LARGEST_VALUE


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
        contexts += contexts * (contexts - 1) // 2
    return contexts, contexts * (actions + described)


class _Column:
    """A flat array that grows at its end. `new` is put there at once: NumPy is slow at a few numbers at a time."""

    def __init__(self, typecode: str, kind: type[np.generic]) -> None:
        self._array = np.empty(64, dtype=kind)
        self._filled = 0
        self.new: array[Any] = array(typecode)

    @property
    def flat(self) -> NDArray[Any]:
        """The flat array, with room to spare behind what was put in."""
        end = self._filled + len(self.new)
        if end > len(self._array):
            self._array = np.resize(self._array, max(end, 2 * len(self._array)))
        self._array[self._filled : end] = self.new
        self._filled = end
        del self.new[:]
        return self._array


class _Rows:
    """Rows of differing length in flat arrays: row i is [start[i], start[i + 1])."""

    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        """How many keys all rows have together."""
        self.widest = 1
        self._start, self._keys = _Column("q", np.int64), _Column("I", np.uint32)
        self._values = _Column("d", np.float64)
        self._start.new.append(0)

    def append(self, keys: Sequence[int], values: Sequence[float] = ()) -> int:
        """Add a row and return its number. Either all rows have values, or none has."""
        self._keys.new.extend(keys)
        self._values.new.extend(values)
        self.size += len(keys)
        self._start.new.append(self.size)
        self.widest = max(self.widest, len(keys))
        self.count += 1
        return self.count - 1

    @property
    def start(self) -> NDArray[np.int64]:
        """Where each row begins, and the last one ends."""
        return self._start.flat

    @property
    def keys(self) -> NDArray[np.uint32]:
        """The keys of all rows, one row after the other."""
        return self._keys.flat

    @property
    def values(self) -> NDArray[np.float64]:
        """The values that belong to the keys."""
        return self._values.flat


Arrays = tuple[
    NDArray[np.int64],
    NDArray[np.uint32],
    NDArray[np.float64],
    NDArray[np.int64],
    NDArray[np.uint32],
    NDArray[np.int64],
    NDArray[np.uint32],
    NDArray[np.float64],
]
"""Contexts (start, hashes, values), action sets (start, action rows), actions (start, hashes, values)."""


class FeatureStore:
    """Contexts and action sets met before, as rows of flat arrays: hashing is paid once per distinct one.

    The store is a cache and no part of a learner's state: forgetting it changes nothing but speed.
    `trim` forgets everything when more than `limit` features are held, those included by whose text or object the rows
    are found.
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
        known = self._newest.get(actions[0].id)
        if known is not None and known[0] is actions[0]:
            rows = self._by_sight(actions)
            if rows is not None:
                return self._set(rows)
        try:
            key: object = _encode(actions)
        except OverflowError:
            key = repr(actions)
        row = self._set_texts.get(key)
        if row is None:
            row = self._set_texts[key] = self._set([self._action(action) for action in actions])
            self._as_sent += sum([len(action.features) for action in actions], len(actions))
        return row

    def _by_sight(self, actions: Sequence[Action]) -> list[int] | None:
        """Return the rows of actions, or None where one of them is another object than the one that was met last."""
        newest, rows = self._newest, []
        for action in actions:
            known = newest.get(action.id)
            if known is None or known[0] is not action:
                return None
            rows.append(known[1])
        return rows

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
        self._contexts, self._actions, self._sets = _Rows(), _Rows(), _Rows()
        self._flat_counts = None
        self._context_rows: dict[object, int] = {}
        self._action_rows: dict[object, int] = {}
        self._set_rows: dict[tuple[int, ...], int] = {}
        self._set_texts: dict[object, int] = {}
        self._newest: dict[str, tuple[Action, int]] = {}
        """By its id the action that was met last, and its row: one that is known by sight need not be looked into."""
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
        self._newest[action.id] = action, row
        return row
