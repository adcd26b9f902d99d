"""Rows of differing length in flat arrays, as compiled code wants them, that grow at their end."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the array with room for `size` entries; what is in the new ones means nothing."""
    larger = np.empty(size, dtype=array.dtype)
    larger[: len(array)] = array
    return larger


class Column:
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
            self._array = grown(self._array, max(end, 2 * len(self._array)))
        self._array[self._filled : end] = self.new
        self._filled = end
        del self.new[:]
        return self._array


class RaggedRows:
    """Rows of differing length in flat arrays: row i is [start[i], start[i + 1])."""

    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        """How many keys all rows have together."""
        self.widest = 1
        self.newest_width = 0
        """How many keys the row has that was added last."""
        self._start, self._keys = Column("q", np.int64), Column("I", np.uint32)
        self._values = Column("d", np.float64)
        self._start.new.append(0)

    def append(self, keys: Sequence[int], values: Sequence[float] = ()) -> int:
        """Add a row and return its number. Either all rows have values, or none has."""
        self._keys.new.extend(keys)
        self._values.new.extend(values)
        self.size += len(keys)
        self._start.new.append(self.size)
        self.newest_width = len(keys)
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
