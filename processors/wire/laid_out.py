"""Values of records laid out side by side, so that compiled code can look through many of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.compiled import borrowing
from processors.memory_access import WORD

PADDING: Final = 3 * WORD
"""Zeros behind the last value: where two words are looked at, they may begin behind its last byte."""

_BEYOND_ASCII: Final = 128


class LaidOut(NamedTuple):
    """The bytes of all values, each of which ends where the next one begins, and where they end."""

    whole: NDArray[np.uint8]
    ends: NDArray[np.int64]


def laid_out(values: Sequence[bytes]) -> LaidOut:
    """Lay values out side by side."""
    ends = np.fromiter(map(len, values), np.int64, len(values)).cumsum()
    return LaidOut(np.frombuffer(b"".join([*values, bytes(PADDING)]), dtype=np.uint8), ends)


def beyond_ascii(values: LaidOut) -> NDArray[np.bool_]:
    """Return of each value whether it has bytes that are not ASCII."""
    found = np.empty(len(values.ends), dtype=np.bool_)
    mark_beyond_ascii(*values, found)
    return found


@borrowing
def mark_beyond_ascii(whole, ends, found):
    """Write of each stretch that ends at `ends` whether it has bytes that are not ASCII."""
    begin = np.uint64(0)  # without signs it looks at many bytes at a time
    for i in range(len(ends)):
        high, end = np.uint8(0), np.uint64(ends[i])
        for j in range(begin, end):
            high |= whole[j]
        found[i] = high >= _BEYOND_ASCII
        begin = end
