"""Action sets as they came, each action found by its text and looked into once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import Raw
from numba import njit
from numpy.typing import NDArray

from processors.envelopes import UNREADABLE
from processors.events import Action
from processors.features import action_features
from processors.flat_rows import Column, Rows
from processors.pieces import Pieces

_action = msgspec.json.Decoder(Action)


class FoundSets(NamedTuple):
    """Action sets as rows of actions: those of set i are `actions[start[i]:start[i + 1]]`."""

    start: NDArray[np.int64]
    actions: NDArray[np.int64]
    features: NDArray[np.int64]
    """How many features the actions of a set have in all beside their ids, as they were sent."""
    fine: NDArray[np.bool_]
    """Whether the text is surely a set of actions with an id of its own each. If not, its actions mean nothing."""


class ActionSets:
    """The action sets of interactions; `actions` has the features of each action, and `ids` its id.

    It is a cache: forgetting it changes nothing but speed, and it does so by itself when it has become large.
    """

    def __init__(self) -> None:
        self._pieces = Pieces(members=False)
        self._forget()

    def _forget(self) -> None:
        self.actions = Rows()
        self.ids: list[str] = []
        # Of each piece the first one with the same id, -1 where it is no action; and how many features it has.
        self._namesakes, self._described = Column("q", np.int64), Column("q", np.int64)
        self._first: dict[str, int] = {}
        self._met: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)

    def find(self, texts: Sequence[bytes | Raw]) -> FoundSets:
        """Return the action set in each text."""
        if self._pieces.trim():
            self._forget()
        known = len(self._pieces)
        found = self._pieces.find(texts)
        self._look_into_new_ones(known)
        features = np.empty(len(texts), dtype=np.int64)
        find_sets(
            found.start, found.numbers, self._namesakes.flat, self._described.flat, self._met, found.cut, features
        )
        return FoundSets(found.start, found.numbers[: found.start[-1]], features, found.cut)

    def _look_into_new_ones(self, known: int) -> None:
        for number, text in enumerate(self._pieces.texts(known), start=known):
            try:
                action = _action.decode(b"{%b}" % text)
            except UNREADABLE:
                self._note("", -1, 0, [])
            else:
                same = self._first.setdefault(action.id, number)
                self._note(action.id, same, len(action.features), action_features(action))
        if len(self.ids) > len(self._met):
            self._met = np.zeros(2 * len(self.ids), dtype=np.bool_)

    def _note(self, action_id: str, same: int, described: int, features: Sequence[tuple[int, float]]) -> None:
        self.ids.append(action_id)
        self._namesakes.new.append(same)
        self._described.new.append(described)
        self.actions.append([key for key, _ in features], [value for _, value in features])


@njit(cache=True, _nrt=False)
def find_sets(start, numbers, namesakes, described, met, fine, features):
    """Write the sums of `described`, and whether all actions of a set are some with an id of their own, where `fine`.

    `met` is all false before and after.
    """
    for i in range(len(fine)):
        features[i] = 0
        last = start[i]
        while fine[i] and last < start[i + 1]:
            same = namesakes[numbers[last]]
            if same < 0 or met[same]:
                fine[i] = False
                break
            met[same] = True
            features[i] += described[numbers[last]]
            last += 1
        for k in range(start[i], last):
            met[namesakes[numbers[k]]] = False
