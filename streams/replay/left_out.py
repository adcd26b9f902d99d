"""What of a file becomes no message: counted by reason, the first of each kept to be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from streams.words import counted


class RowError(ValueError):
    """A row that makes no valid message. `field` is the mapping's or the file's, `detail` what is wrong with it."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


class Place(NamedTuple):
    """Where a row stands: its line in a text file, its number from 1 in any other."""

    path: Path
    unit: str
    number: int

    def __str__(self) -> str:
        return f"{self.path.name}, {self.unit} {self.number}"


class LeftOut:
    """Counts rows that were left out, by field, and keeps the first of each.

    Rows that are wrong can be a reason to stop. Those `set_aside` cannot: they are right, and no decisions.
    """

    def __init__(self) -> None:
        self.wrong: Counter[str] = Counter()
        self.aside: Counter[str] = Counter()
        self._first: dict[str, tuple[Place, str]] = {}

    def add(self, place: Place, error: RowError) -> None:
        """Count a row that is wrong."""
        self.wrong[error.field] += 1
        self._first.setdefault(error.field, (place, str(error)))

    def set_aside(self, place: Place, reason: str) -> None:
        """Count a row that is right and still makes no message."""
        self.aside[reason] += 1
        self._first.setdefault(reason, (place, reason))

    @property
    def counts(self) -> dict[str, int]:
        """How many were left out, by field or reason."""
        return dict(self.wrong + self.aside)

    def total(self) -> int:
        """Return how many were left out."""
        return self.wrong.total() + self.aside.total()

    def in_words(self) -> Iterator[str]:
        """Yield a line for each reason."""
        for reason, count in (*self.wrong.most_common(), *self.aside.most_common()):
            place, told = self._first[reason]
            rows = counted(count, "row", "rows, the first")
            yield f"{rows}: {place}: {told}"

    def first_wrong(self) -> str | None:
        """Return the earliest of what is kept of wrong rows, None if there is none."""
        found = [self._first[field] for field in self.wrong]
        if not found:
            return None
        place, told = min(found, key=lambda one: one[0].number)
        return f"{place}: {told}"
