"""Rows for names in a table of fixed size: the name that was not seen for longest gives way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from processors.wire.plain_state import Count, read_as, require


class RecentNames:
    """Rows 0 to `size` - 1, given to keys as they come; what a key's row holds is void when the row is given anew.

    >>> slots = Slots(2)
    >>> slots.take(7), slots.take(8), slots.take(7), slots.take(9), slots.take(8)
    ((0, True), (1, True), (0, False), (1, True), (0, True))
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.given_anew = 0
        self._rows: dict[int, int] = {}  # the key that was not seen for longest comes first

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, key: int) -> tuple[int, bool]:
        """Return the key's row and whether it has just been given to it."""
        row = self._rows.pop(key, None)
        new = row is None
        if row is None:
            row = len(self._rows)
            if row == self.size:
                row = self._rows.pop(next(iter(self._rows)))
                self.given_anew += 1
        self._rows[key] = row
        return row, new

    def state(self) -> list[list[int]]:
        """Return keys and rows as plain values, in the order in which they will give way, and how many did."""
        return [list(self._rows), list(self._rows.values()), [self.given_anew]]

    @classmethod
    def restore(cls, size: int, state: Sequence[Sequence[int]]) -> Self:
        """Return the slots whose `state()` this is. Raises `MalformedError` where it is none."""
        slots, what = cls(size), "the names with a row"
        keys, rows, (slots.given_anew,) = read_as(tuple[list[int], list[Count], tuple[Count]], state, what)
        require(len(keys) <= size and len(keys) == len(set(keys)), f"{what}: {len(keys)} keys of {size} rows")
        require(sorted(rows) == list(range(len(keys))), f"{what}: its rows are not the first {len(keys)}")
        slots._rows = dict(zip(keys, rows, strict=True))
        return slots
