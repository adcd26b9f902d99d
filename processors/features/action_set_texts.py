"""Arrays of actions that are surely well-formed, told by their text: most were looked into before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import getsizeof
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET, Raw, Struct, UnsetType
from numpy.typing import NDArray

from groundswell.events import MAX_ACTIONS, Features, Identifier
from processors.compiled import borrowing
from processors.features.known_texts import Found, KnownTexts
from processors.features.nesting import NESTING_TO_SPARE, opened_by
from processors.features.ragged_rows import Column
from processors.wire.envelopes import UNREADABLE
from processors.wire.laid_out import laid_out
from processors.wire.repeated_names import may_repeat

MALFORMED: Final = -1
UNSEEN: Final = -2
RESTS: Final = 16
"""Batches for which a decoder looks at all actions after one in which most were new."""


class Candidate(Struct, gc=False):
    """An action as `groundswell.events.Action` has it; one without features gets no dictionary for them."""

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


class ActionSetTexts:
    """Finds the actions in arrays of them. What was looked into is a cache of bounded size."""

    def __init__(self) -> None:
        self._pieces = KnownTexts(members=False, most=MAX_ACTIONS)
        self._rests = self._new = 0
        self._forget()

    def _forget(self) -> None:
        self._ids: dict[str, int] = {}
        self._id_bytes = 0
        """What ids take, wherever they are kept."""
        # Of each piece the number of its id, and how many features it has.
        self._id, self._features = Column("q", np.int64), Column("q", np.int64)
        self._met: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)

    def count(
        self, whole: NDArray[np.uint8], begin: NDArray[np.int64], end: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how many actions each array has that lies between these places, and how many features these have.

        No actions where the array is not surely well-formed with actions of different ids: a decoder has to tell.
        Where most actions are new, as with a score among their features, that is faster, and it is left to the decoder
        for some batches.
        """
        if self._rests:
            self._rests -= 1
            return np.zeros(len(begin), dtype=np.int64), np.zeros(len(begin), dtype=np.int64)
        offered = self._found(lambda: self._pieces.find_between(whole, begin, end), len(begin))
        if 2 * self._new > len(offered.numbers):
            self._rests = RESTS
        return offered.actions, offered.features

    def find(self, texts: Sequence[bytes | Raw]) -> Offered:
        """Return the actions in each array."""
        return self._found(lambda: self._pieces.find(texts), len(texts))

    def _found(self, find: Callable[[], Found], count: int) -> Offered:
        if self._pieces.trim(self._beside):
            self._forget()
        known = len(self._pieces)
        found = find()
        self._new = len(self._pieces) - known
        self._take_note(known)
        offered = Offered(
            found.start, found.numbers[: found.start[-1]], np.zeros(count, np.int64), np.zeros(count, np.int64)
        )
        if not self._count_well_formed(offered):
            for row in np.flatnonzero(offered.actions == UNSEEN).tolist():
                self._look_into_all(offered.numbers[found.start[row] : found.start[row + 1]].tolist())
            self._count_well_formed(offered)
        return offered

    @property
    def _beside(self) -> int:
        """What is kept of the pieces, other than some numbers of each."""
        return self._id_bytes

    def _take_note(self, known: int) -> None:
        """Take note of new pieces, those from number `known` on."""
        repeats = may_repeat(laid_out([b"{%b}" % piece for piece in self._pieces.texts(known)]))
        self._id.new.extend(np.where(repeats, MALFORMED, UNSEEN).tolist())
        self._features.new.extend([0] * self._new)

    def _count_well_formed(self, offered: Offered) -> bool:
        """Count what is well-formed; return whether all pieces that it takes have been looked into."""
        if len(self._ids) > len(self._met):
            self._met = np.zeros(2 * len(self._ids), dtype=np.bool_)
        return bool(count_well_formed(
            offered.start, offered.numbers, self._id.flat, self._features.flat, self._met, offered.actions,
            offered.features,
        ))  # fmt: skip

    def _look_into_all(self, numbers: Sequence[int]) -> None:
        """Look into the actions of an array up to the first that is none: the others tell nothing more of it."""
        of, features = self._id.flat, self._features.flat
        for number in numbers:
            if of[number] == UNSEEN:
                of[number], features[number] = self._look_into(self._pieces.text(number))
            if of[number] == MALFORMED:
                return

    def _look_into(self, piece: bytes) -> tuple[int, int]:
        """Return the number of an action's id, and how many features it has."""
        if opened_by(piece) > NESTING_TO_SPARE:
            return MALFORMED, 0
        try:
            action = _candidate.decode(b"{%b}" % piece)
        except UNREADABLE:
            return MALFORMED, 0
        features = 0 if action.features is UNSET else len(action.features)
        return self._id_number(action.id), features

    def _id_number(self, action_id: str) -> int:
        number = self._ids.setdefault(action_id, len(self._ids))
        self._id_bytes += getsizeof(action_id)
        return number


@borrowing
def count_well_formed(start, numbers, ids, features_of, met, actions, features):
    """Write how many actions each array has, and how many features; 0 where one is malformed or an id comes twice.

    Where an action was not looked into write `UNSEEN`, and return whether there are no such. `met` has room for each
    id, and is all false before and after.
    """
    seen = True
    for i in range(len(start) - 1):
        begin, end = start[i], start[i + 1]
        described, last, of = 0, begin, MALFORMED
        while last < end:
            of = ids[numbers[last]]
            if of < 0 or met[of]:
                break
            met[of] = True
            described += features_of[numbers[last]]
            last += 1
        actions[i], features[i] = 0, 0
        if last == end:
            actions[i], features[i] = end - begin, described
        elif of == UNSEEN:
            actions[i], seen = UNSEEN, False
        for j in range(begin, last):
            met[ids[numbers[j]]] = False
    return seen
