"""How many values are in a document of msgpack, counted before any of them is made: each takes memory of its own.

An empty list takes a byte there and 64 in memory, so that to bound a document's bytes bounds little.
Format: https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

from typing import Final

import numpy as np

from processors.compiled import compiled
from processors.wire.bounded_unpacking import UnpackError

FEW: Final = 1 << 16
"""Bytes of a document whose values need not be counted."""


def bounded(content: bytes, most: int) -> bytes:
    """Return a document of msgpack as it is if it has `most` values at most. Raises `UnpackError`."""
    if len(content) > FEW and _count(np.frombuffer(content, dtype=np.uint8), most) > most:
        raise UnpackError(f"there are more than the {most:,} values in it that there may be")
    return content


@compiled(nogil=True)
def _count(content, most):
    """Return how many values begin in these bytes, or more than `most` where there are as many."""
    count, at, size = 0, 0, len(content)
    while at < size and count <= most:
        first = content[at]
        at += 1
        count += 1
        length = 0
        if 0xA0 <= first <= 0xBF:
            length = first & 0x1F
        elif 0xC4 <= first <= 0xC9 or 0xD9 <= first <= 0xDB:
            # The length is in the next 1, 2 or 4 bytes; an extension has a byte for its type, too.
            power = first - (0xC4 if first <= 0xC6 else 0xC7 if first <= 0xC9 else 0xD9)
            width = 1 << power
            for one in content[at : at + width]:
                length = (length << 8) | int(one)
            length += width + (1 if 0xC7 <= first <= 0xC9 else 0)
        elif 0xCA <= first <= 0xCB:
            length = 4 << (first - 0xCA)
        elif 0xCC <= first <= 0xD3:
            length = 1 << (first & 3)
        elif 0xD4 <= first <= 0xD8:
            length = 1 + (1 << (first - 0xD4))
        elif 0xDC <= first <= 0xDF:
            length = 2 << (first & 1)
        at += length
    return count
