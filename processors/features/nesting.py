"""How many brackets values open: no more than that deep can anything in them lie."""

from __future__ import annotations

from typing import Final

NESTING_TO_SPARE: Final = 100
"""How many levels deeper than it came a value must still decode: it is wrapped, and decoded elsewhere."""


def opened_by(value: bytes) -> int:
    """Return how many brackets and braces one value opens, those within texts included."""
    return value.count(b"[") + value.count(b"{")
