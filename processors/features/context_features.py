"""The features of contexts as they came, each feature found by its text and hashed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from groundswell.events import MAX_FEATURES, Features
from groundswell.features import CONSTANT_HASH, hashed_all, text_and_value
from processors.features.context_rows import context_rows
from processors.features.cross_counts import pair_count
from processors.features.known_texts import Found, KnownTexts
from processors.features.ragged_rows import Column
from processors.features.text_members import NOT_PLAIN, text_members
from processors.wire.envelopes import UNREADABLE

MOST_NAMES: Final = 10_000
"""Of features that are numbered: each time there is a new one, all of them are brought into order."""
_member: Final = msgspec.json.Decoder(Features)
_objects: Final = msgspec.json.Decoder(list[Features])


class ContextRows(NamedTuple):
    """The features of contexts as rows of flat arrays: those of context i are [start[i], start[i + 1])."""

    start: NDArray[np.int64]
    hashes: NDArray[np.uint32]
    values: NDArray[np.float64]
    most: NDArray[np.int64]
    """How many features they would be without leaving out zeros."""
    fine: NDArray[np.bool_]
    """Whether the text is surely a context and all is in its row. If not, the row is empty."""


class ContextFeatures:
    """The contexts of interactions.

    It is a cache: forgetting it changes nothing but speed, and it does so by itself when it has become large.
    """

    def __init__(self) -> None:
        self._pieces = KnownTexts(members=True, most=MAX_FEATURES)
        self._forget()

    def _forget(self) -> None:
        # Of each piece: hash and value of the feature, and which name it has, -1 where it is none.
        self._hashes, self._values = Column("I", np.uint32), Column("d", np.float64)
        self._names = Column("q", np.int64)
        self._name_numbers: dict[str, int] = {}
        self._ranks: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def rows(self, texts: Sequence[bytes | Raw], crosses: NDArray[np.bool_], most: int) -> ContextRows:
        """Return the features of each context, with the pairs of those that have `crosses`.

        Contexts that may come to more than `most` features are not fine.
        """
        if self._pieces.trim():
            self._forget()
        known = len(self._pieces)
        found = self._pieces.find(texts)
        self._look_into_new_ones(known)
        members = np.diff(found.start)
        features = 1 + members
        features += np.where(crosses, pair_count(features), 0)
        fine = found.cut & (members <= MAX_FEATURES) & (features <= most)
        return self._assembled(found, crosses, features, fine)

    def _look_into_new_ones(self, known: int) -> None:
        if known == len(self._pieces):
            return
        found = text_members(*self._pieces.laid_out(known))
        numbers = np.array([*map(self._number_of, found.names), -1], dtype=np.int64)[found.which]
        hashes, values = found.hashes, np.ones(len(numbers))
        others = np.flatnonzero(found.which == NOT_PLAIN)
        if len(others):
            pieces = [self._pieces.text(known + place) for place in others.tolist()]
            names, texts, values[others] = zip(*_all_looked_into(pieces), strict=True)
            numbers[others], hashes[others] = [self._number_of(name) for name in names], hashed_all(texts)
        self._names.new.frombytes(numbers.tobytes())
        self._hashes.new.frombytes(hashes.tobytes())
        self._values.new.frombytes(values.tobytes())
        of = self._name_numbers
        if len(of) > len(self._ranks):
            self._ranks = np.empty(len(of), dtype=np.int64)
            self._ranks[[of[name] for name in sorted(of)]] = np.arange(len(of))

    def _number_of(self, name: str) -> int:
        """Return the number of a feature's name, -1 where there is none, or so many names that it has no number."""
        if name in self._name_numbers:
            return self._name_numbers[name]
        if not name or len(self._name_numbers) == MOST_NAMES:
            return -1
        return self._name_numbers.setdefault(name, len(self._name_numbers))

    def _assembled(
        self, found: Found, crosses: NDArray[np.bool_], features: NDArray[np.int64], fine: NDArray[np.bool_]
    ) -> ContextRows:
        size = int(features[fine].sum())
        rows = ContextRows(
            np.empty(len(fine) + 1, dtype=np.int64), np.empty(size, dtype=np.uint32), np.empty(size), features, fine
        )
        context_rows(
            found.start, found.numbers, self._names.flat, self._ranks, self._hashes.flat, self._values.flat,
            CONSTANT_HASH, crosses, fine, rows.start, rows.hashes, rows.values,
        )  # fmt: skip
        return rows


def _all_looked_into(pieces: Sequence[bytes]) -> list[tuple[str, str, float]]:
    """Return what `_looked_into` does of each piece; together they take a third of the time.

    Each becomes an object of its own: without braces within none becomes two.
    """
    together = b"},{".join(pieces)
    if together.count(b"{") == together.count(b"}") == len(pieces) - 1:
        try:
            objects = _objects.decode(b"[{%b}]" % together)
        except UNREADABLE:
            pass  # one by one it turns out which
        else:
            # Between two that end and begin within a text nothing is parted: they would come to one object.
            if len(objects) == len(pieces) and all(len(members) == 1 for members in objects):
                return [(name, *text_and_value(name, value)) for members in objects for name, value in members.items()]
    return [_looked_into(piece) for piece in pieces]


def _looked_into(piece: bytes) -> tuple[str, str, float]:
    """Return name, text and value of the feature that a member says; its name is empty where it says none."""
    try:
        ((name, value),) = _member.decode(b"{%b}" % piece).items()
    except (*UNREADABLE, ValueError):
        return "", "", 0.0
    return name, *text_and_value(name, value)
