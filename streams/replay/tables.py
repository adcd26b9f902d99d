"""A file as rows of cells, whatever its format: those columns that a mapping names, in its order.

A reader yields one entry for each row of the file, its cells or what is wrong with it, and never fewer.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from streams.replay.cell_values import shortened
from streams.replay.left_out import RowError
from streams.replay.mapping import MappingError


class Wanted(NamedTuple):
    """A column of the file, and the field of the mapping that asks for it."""

    field: str
    column: str


class Table(Protocol):
    """A file of rows."""

    @property
    def unit(self) -> str:
        """What rows are counted in: lines of text, or rows."""

    @property
    def typed(self) -> bool:
        """Whether cells have types of their own; where not, all are texts."""

    def rows(self) -> Iterator[tuple[int, list[object] | RowError]]:
        """Yield each row's number with its cells, or with what is wrong with it.

        Raises MappingError where the file cannot be read to its end, or lacks a column.
        """


def missing_column(path: Path, wanted: Wanted, there: Iterable[str], hint: str = "") -> MappingError:
    """Return the error for a column that the file does not have."""
    columns = list(there)
    by_letters = {column.lower(): column for column in columns}
    close = difflib.get_close_matches(wanted.column.lower(), by_letters, n=1)
    suggestion = f"; did you mean {by_letters[close[0]]!r}?" if close else f"; it has {shortened(', '.join(columns))}"
    return MappingError(f"{wanted.field}: {path.name} has no column {wanted.column!r}{suggestion}{hint}")


def nested(record: object, names: Sequence[str]) -> tuple[bool, object]:
    """Return whether the record has what these names lead to, and what it is.

    A null on the way is a null at its end.
    """
    for depth, name in enumerate(names):
        if record is None and depth:
            return True, None
        if not isinstance(record, dict) or name not in record:
            return False, None
        record = record[name]
    return True, record
