"""How many brackets values open: no more than that deep can anything in them lie."""

from __future__ import annotations

from typing import Final

import numpy as np

from processors.compiled import borrowing
from processors.wire.laid_out import LaidOut

NESTING_TO_SPARE: Final = 100
"""How many levels deeper than it came a value must still decode: it is wrapped, and decoded elsewhere."""
_BRACKET, _BRACE = np.frombuffer(b"[{", dtype=np.uint8)
_BEYOND_ASCII: Final = 128


def opened_by(value: bytes) -> int:
    """Return how many brackets and braces one value opens, those within texts included."""
    return value.count(b"[") + value.count(b"{")


def odd_ones(values: LaidOut) -> list[bool]:
    """Return of each value whether it is not ASCII, or opens more than `NESTING_TO_SPARE` brackets and braces."""
    odd = np.empty(len(values.ends), dtype=np.bool_)
    mark_odd(*values, odd)
    return list(odd.tolist())


@borrowing
def mark_odd(whole, ends, odd):
    """Write of each stretch that ends at `ends` what `odd_ones` says."""
    begin = np.uint64(0)  # without signs it counts many bytes at a time
    for i in range(len(ends)):
        opened, high, end = 0, np.uint8(0), np.uint64(ends[i])
        for j in range(begin, end):
            opened += (whole[j] == _BRACKET) | (whole[j] == _BRACE)
            high |= whole[j]
        odd[i] = opened > NESTING_TO_SPARE or high >= _BEYOND_ASCII
        begin = end
