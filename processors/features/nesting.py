"""How many brackets values open: no more than that deep can anything in them lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from processors.compiled import borrowing

NESTING_TO_SPARE: Final = 100
"""How many levels deeper than it came a value must still decode: it is wrapped, and decoded elsewhere."""
_BRACKET, _BRACE = np.frombuffer(b"[{", dtype=np.uint8)


def opened_by(value: bytes) -> int:
    """Return how many brackets and braces one value opens, those within texts included."""
    return value.count(b"[") + value.count(b"{")


def openings(values: Sequence[bytes]) -> list[int]:
    """Return how many brackets and braces each value opens, those within texts included."""
    counts = np.zeros(len(values), dtype=np.int64)
    ends = np.fromiter(map(len, values), np.int64, len(values)).cumsum()
    count_openings(np.frombuffer(b"".join(values), dtype=np.uint8), ends, counts)
    return list(counts.tolist())


@borrowing
def count_openings(whole, ends, counts):
    """Write how many brackets each stretch that ends at `ends` opens."""
    begin = np.uint64(0)  # without signs it counts many bytes at a time
    for i in range(len(ends)):
        opened, end = 0, np.uint64(ends[i])
        for j in range(begin, end):
            opened += (whole[j] == _BRACKET) | (whole[j] == _BRACE)
        counts[i] = opened
        begin = end
