"""Numbers and lengths of time in words, and the words of schemas."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

UNITS = (("days", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000))


def counted(number: int, one: str, several: str | None = None) -> str:
    """Return how many of something there are: "1 impression", "2,000 impressions", "0 copies"."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of these names that was probably meant by one that is none, in whatever case it is written."""
    by_letters = {one.lower(): one for one in names}
    close = get_close_matches(name.lower(), by_letters, n=1)
    return by_letters[close[0]] if close else None


def span(ms: float) -> str:
    """Return a length of time for people, in the largest unit of which it is at least two."""
    for unit, length in UNITS:
        if ms >= 2 * length:
            return f"{ms / length:,.0f} {unit}" if ms >= 100 * length else f"{ms / length:.3g} {unit}"
    return f"{ms:.0f} ms"


def tidy(schema: Any) -> Any:
    """Return a JSON Schema without the indentation that docstrings have as descriptions; Python 3.13 makes none."""
    if isinstance(schema, list):
        return [tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: inspect.cleandoc(value) if name == "description" and isinstance(value, str) else tidy(value)
        for name, value in schema.items()
    }
