"""Contexts and action sets as rows of flat arrays, each hashed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from sys import getsizeof
from typing import Final

import msgspec

from groundswell.events import Action, FeatureValue
from groundswell.features import action_features, context_features
from processors.features.ragged_rows import Arrays, RaggedRows

_encode: Final = msgspec.msgpack.Encoder().encode
# Keys of what was met before: encoding is faster than a tuple of items, and it tells 1, 1.0 and True apart, which a
# dictionary does not. It refuses integers of more than 64 bits.


_ENTRY_BYTES: Final = 200
_FEATURE_BYTES: Final = 30
"""What a row takes, and each of its features, beside that by which it is found; arrays have room for twice as many."""


class FeatureStore:
    """Contexts and action sets met before, as rows of flat arrays: hashing is paid once per distinct one.

    The store is a cache and no part of a learner's state: forgetting it changes nothing but speed.
    `trim` forgets everything when it takes more than `most_bytes` of memory, with the texts by which rows are found.
    """

    def __init__(self, crosses: bool, most_bytes: int = 200_000_000) -> None:
        self._crosses = crosses
        self._most_bytes = most_bytes
        self._flat: Arrays
        self._flat_counts: tuple[int, int, int] | None = None
        """How many rows there were when the arrays were taken last."""
        self._forget()

    def trim(self) -> None:
        """Forget all rows if there are too many. Row numbers given out before become void."""
        if self.bytes > self._most_bytes:
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
            self._count(key, self._contexts)
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
            self.bytes += getsizeof(key) + _ENTRY_BYTES
        return row

    def _set(self, rows: list[int]) -> int:
        key = tuple(rows)
        row = self._set_rows.get(key)
        if row is None:
            row = self._set_rows[key] = self._sets.append(rows)
            self._count(key, self._sets)
        return row

    def _count(self, key: object, rows: RaggedRows) -> None:
        """Count a row that was just added, with that by which it is found."""
        self.bytes += getsizeof(key) + _ENTRY_BYTES + _FEATURE_BYTES * rows.newest_width

    def _forget(self) -> None:
        self._contexts, self._actions, self._sets = RaggedRows(), RaggedRows(), RaggedRows()
        self._flat_counts = None
        self._context_rows: dict[object, int] = {}
        self._action_rows: dict[object, int] = {}
        self._set_rows: dict[tuple[int, ...], int] = {}
        self._set_texts: dict[object, int] = {}
        self.bytes = 0
        """What all of it takes, roughly."""

    def _action(self, action: Action) -> int:
        try:
            key: object = _encode(action)
        except OverflowError:
            key = repr(action)
        row = self._action_rows.get(key)
        if row is None:
            row = self._action_rows[key] = self._actions.append(*zip(*action_features(action), strict=True))
            self._count(key, self._actions)
        return row
