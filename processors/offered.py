"""Arrays of actions that are surely well-formed, told by their text: most were looked into before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET, Raw, Struct, UnsetType
from numba import njit
from numpy.typing import NDArray

from processors.envelopes import UNREADABLE
from processors.events import MAX_ACTIONS, Features, Identifier
from processors.flat_rows import Column
from processors.pieces import Pieces

MALFORMED: Final = -1


class Candidate(Struct, gc=False):
    """An action as `events.Action` has it; one without features gets no dictionary for them."""

    id: Identifier
    features: Features | UnsetType = UNSET


_candidate: Final = msgspec.json.Decoder(Candidate)


class Offered(NamedTuple):
    """Arrays of actions: those of array i are `numbers[start[i]:start[i + 1]]`."""

    start: NDArray[np.int64]
    numbers: NDArray[np.int64]
    actions: NDArray[np.int64]
    """How many actions each array has, 0 where it is not surely well-formed with actions of different ids."""
    features: NDArray[np.int64]
    """How many features these have together."""


class OfferedActions:
    """Finds the actions in arrays of them. What was looked into is a cache of bounded size."""

    def __init__(self) -> None:
        self._pieces = Pieces(members=False)
        self._forget()

    def _forget(self) -> None:
        self._ids: dict[str, int] = {}
        self._looked_into = 0
        # Of each piece the number of its id, and how many features it has.
        self._id, self._features = Column("q", np.int64), Column("q", np.int64)
        self._met: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)

    def count(self, texts: Sequence[bytes | Raw]) -> tuple[list[int], list[int]]:
        """Return how many actions each array has, and how many features these have together.

        No actions where the array is not surely well-formed with actions of different ids: a decoder has to tell.
        """
        offered = self.find(texts)
        return offered.actions.tolist(), offered.features.tolist()

    def find(self, texts: Sequence[bytes | Raw]) -> Offered:
        """Return the actions in each array."""
        if self._pieces.trim():
            self._forget()
        found = self._pieces.find(texts)
        self._look_into_new()
        actions, features = np.zeros(len(texts), dtype=np.int64), np.zeros(len(texts), dtype=np.int64)
        count_well_formed(found.start, found.numbers, self._id.flat, self._features.flat, self._met, actions, features)
        return Offered(found.start, found.numbers[: found.start[-1]], actions, features)

    def _look_into_new(self) -> None:
        for piece in self._pieces.texts(self._looked_into):
            of, features = self._look_into(piece)
            self._id.new.append(of)
            self._features.new.append(features)
        self._looked_into = len(self._pieces)
        if len(self._ids) > len(self._met):
            self._met = np.zeros(2 * len(self._ids), dtype=np.bool_)

    def _look_into(self, piece: bytes) -> tuple[int, int]:
        """Return the number of an action's id, and how many features it has."""
        try:
            action = _candidate.decode(b"{%b}" % piece)
        except UNREADABLE:
            return MALFORMED, 0
        features = 0 if action.features is UNSET else len(action.features)
        return self._id_number(action.id), features

    def _id_number(self, action_id: str) -> int:
        return self._ids.setdefault(action_id, len(self._ids))


@njit(cache=True, _nrt=False)
def count_well_formed(start, numbers, ids, features_of, met, actions, features):
    """Write how many actions each array has, and how many features; 0 where one is malformed or an id comes twice.

    `met` has room for each id, and is all false before and after.
    """
    for i in range(len(start) - 1):
        begin, end = start[i], start[i + 1]
        if end - begin > MAX_ACTIONS:
            continue
        described, last = 0, begin
        while last < end:
            of = ids[numbers[last]]
            if of < 0 or met[of]:
                break
            met[of] = True
            described += features_of[numbers[last]]
            last += 1
        if last == end:
            actions[i] = end - begin
            features[i] = described
        for j in range(begin, last):
            met[ids[numbers[j]]] = False
