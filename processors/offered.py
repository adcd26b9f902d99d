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
        self._id = np.empty(0, dtype=np.int64)
        self._features = np.empty(0, dtype=np.int64)

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
        met_in = np.full(len(self._ids), -1, dtype=np.int64)
        count_well_formed(found.start, found.numbers, self._id, self._features, met_in, actions, features)
        return Offered(found.start, found.numbers[: found.start[-1]], actions, features)

    def _look_into_new(self) -> None:
        known = len(self._pieces)
        if known > len(self._id):
            self._id, self._features = np.resize(self._id, 2 * known), np.resize(self._features, 2 * known)
        for number in range(self._looked_into, known):
            self._id[number], self._features[number] = self._look_into(self._pieces.text(number))
        self._looked_into = known

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
def count_well_formed(start, numbers, ids, features_of, met_in, actions, features):
    """Write how many actions each array has, and how many features; 0 where one is malformed or an id comes twice.

    `met_in` has room for each id: in which array it was met last.
    """
    for i in range(len(start) - 1):
        begin, end = start[i], start[i + 1]
        if end - begin > MAX_ACTIONS:
            continue
        described, well_formed = 0, True
        for j in range(begin, end):
            of = ids[numbers[j]]
            if of < 0 or met_in[of] == i:
                well_formed = False
                break
            met_in[of] = i
            described += features_of[numbers[j]]
        if well_formed:
            actions[i] = end - begin
            features[i] = described
