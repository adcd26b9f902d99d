"""Scores of actions by a sparse table of weights: the sum that `groundswell/policy.py` states, many crosses at once.

The terms of an action are added up in one order, context feature by context feature and within each the action's
features in theirs, starting from 0: so the same policy, context and action give the same bits in every process,
whatever else is offered beside the action.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from groundswell.events import Action
from groundswell.features import Feature, Hashes, action_features, crossed_each, hashed_all

Rows = tuple[Hashes, NDArray[np.float64] | None]
"""Hashes and values, of the shape (actions, features); no values where all are 1."""
_Table = tuple[NDArray[np.int64] | None, NDArray[np.float64]]
"""Indices in order, and their weights; without indices each has the place of its index."""
_BLOCK: Final = 1 << 16
"""Of so many crosses at once, so that no context takes memory without bound."""
_REMEMBERED: Final = 64
"""Lists of actions: an app offers the same ones again and again."""
_DENSE_BITS: Final = 20
"""Up to here a table has a place for each index, 8 MB at the most, which is found five times as fast."""
_ZERO: Final = np.array(0.0)
_Number = TypeVar("_Number", np.uint32, np.float64)
_OFTEN: Final = 16
"""Contexts that are scored before such a table is made: it takes as long as some of them."""


class WeightTable:
    """The weights of a policy by their index, of which those that are not listed weigh 0."""

    def __init__(self, indices: Sequence[int], values: Sequence[float], bits: int) -> None:
        self._bits, self._mask, self._asked = bits, np.array((1 << bits) - 1, dtype=np.uint32), 0
        # Of long lists twice as fast as `array`.
        listed = np.fromiter(indices, np.int64, len(indices))
        weights = np.fromiter(values, np.float64, len(values))
        # After the listed ones one for whatever is not listed. Both change at once: several threads may ask.
        self._table: _Table = np.append(listed, 1 << bits), np.append(weights, 0.0)

    def scores(self, context: Sequence[Feature], actions: Sequence[Action]) -> list[float]:
        """Return the score of each action in a context of these features."""
        if self._asked < _OFTEN:
            self._asked += 1
        elif self._table[0] is not None and self._bits <= _DENSE_BITS:
            self._table = None, self._spread_out(*self._table)
        hashes, of_actions = _rows_of(actions)
        count, height = hashes.shape
        # A row for each action, and in it its terms in their order: numpy works through what lies in one piece in a
        # third of the time that pairs of a column and a row take.
        step, total = max(_BLOCK // hashes.size, 1), np.zeros(count)
        for begin in range(0, len(context), step):
            block = context[begin : begin + step]
            if height > 1:
                block = [one for one in block for _ in range(height)]
            keys = _for_all(array("I", [key for key, _ in block]), np.uint32, count)
            terms = self._of(crossed_each(keys, _beside(hashes, block)))
            values = [value for _, value in block]
            if of_actions is not None:
                terms *= _for_all(array("d", values), np.float64, count) * _beside(of_actions, block)
            elif values.count(1.0) < len(values):
                terms *= _for_all(array("d", values), np.float64, count)
            rows = terms.reshape(count, -1)
            if begin:
                rows[:, 0] += total
            # Not `sum`, which adds in another order where it is quicker.
            total = np.add.accumulate(rows, 1, None, rows)[:, -1]
        scores: list[float] = (total + _ZERO).tolist()  # which makes 0 of a sum that is -0
        return scores

    def _spread_out(self, listed: NDArray[np.int64] | None, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weights with a place for each index; another thread may have spread them out already."""
        if listed is None:
            return weights
        everywhere = np.zeros(1 << self._bits)
        everywhere[listed[:-1]] = weights[:-1]
        return everywhere

    def _of(self, crosses: Hashes) -> NDArray[np.float64]:
        crosses &= self._mask
        listed, weights = self._table
        if listed is None:
            return weights.take(crosses)
        place = np.searchsorted(listed, crosses)
        return np.where(listed[place] == crosses, weights[place], 0.0)


def _rows_of(actions: Sequence[Action]) -> Rows:
    """Return hashes and values of the actions' features, a row for each action, filled up with values of 0."""
    if not any([action.features for action in actions]):  # noqa: C419 - a generator takes twice as long
        return _hashes_of_ids(tuple([action.id for action in actions])), None
    rows = [action_features(action) for action in actions]
    height = max(map(len, rows))
    filled = [row + [(0, 0.0)] * (height - len(row)) for row in rows]
    hashes, values = np.array(filled).transpose(2, 0, 1)  # hashes are whole as floats, too
    return hashes.astype(np.uint32), values


@lru_cache(maxsize=_REMEMBERED)
def _hashes_of_ids(ids: tuple[str, ...]) -> Hashes:
    hashes = hashed_all(f"={one}" for one in ids)[:, None]
    hashes.flags.writeable = False
    return hashes


def _for_all(of_context: array[Any], kind: type[_Number], count: int) -> NDArray[_Number]:
    """Return hashes or values of a context's features once for each of so many actions."""
    return np.frombuffer(of_context * count, kind)


def _beside(of_actions: NDArray[_Number], block: Sequence[Feature]) -> NDArray[_Number]:
    """Return the features of each action as often as those of the context stand in its row."""
    height = of_actions.shape[1]
    return of_actions.repeat(len(block)) if height == 1 else np.tile(of_actions, len(block) // height).ravel()
