"""Members of contexts whose value is a plain text, hashed by compiled code: there is a new one with each new user.

Plain are texts of ASCII without escapes. The others, and numbers, are left to a decoder.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from groundswell.features import fmix32_all
from processors.compiled import borrowing
from processors.memory_access import same

MOST_NAMES: Final = 16
"""Different names that are told apart at a time."""
LONGEST_NAME: Final = 128
NOT_PLAIN: Final = -1
_QUOTE, _COLON, _SPACE, _ESCAPE, _LAST = np.frombuffer(b'": \\\x7f', dtype=np.uint8)
_EQUALS = np.frombuffer(b"=", dtype=np.uint8)
_ONES = 0xFFFFFFFF
_BY_BYTE: Final = np.array([crc32(bytes([byte]), _ONES) ^ _ONES for byte in range(256)], dtype=np.uint32)


class TextMembers(NamedTuple):
    """What was found out of some members."""

    names: list[str]
    which: NDArray[np.int64]
    """Which of the names each member has, `NOT_PLAIN` where it is left to a decoder."""
    hashes: NDArray[np.uint32]
    """Of the feature `name=text` (`groundswell.features`)."""


def text_members(texts: NDArray[np.uint8], ends: NDArray[np.int64]) -> TextMembers:
    """Look into members that lie side by side, each between two of the `ends`; eight bytes follow the last."""
    count = len(ends) - 1
    names = np.empty((MOST_NAMES, 2), dtype=np.int64)
    which, hashes = np.empty(count, dtype=np.int64), np.zeros(count, dtype=np.uint32)
    met = find_text_members(texts, ends, names, which, hashes)
    spelt = [texts[begin:end].tobytes().decode() for begin, end in names[:met].tolist()]
    return TextMembers(spelt, which, fmix32_all(hashes))


@borrowing
def find_text_members(texts, ends, names, which, hashes):
    """Write which name each member has, where the names lie, and CRC-32 of `name=text`; return how many names."""
    met = 0
    for i in range(len(which)):
        begin, end = ends[i] + 1, ends[i + 1]
        which[i] = NOT_PLAIN
        name_end = plain_end(texts, begin, end) if texts[begin - 1] == _QUOTE else end
        at = past_colon(texts, name_end + 1, end)
        if not (0 < name_end - begin <= LONGEST_NAME and at < end and texts[at] == _QUOTE):
            continue
        text_end = plain_end(texts, at + 1, end)
        if text_end != end - 1:
            continue
        j = 0
        while j < met and not same(texts, begin, name_end, texts, names[j, 0], names[j, 1]):
            j += 1
        if j == len(names):
            continue
        if j == met:
            names[j, 0], names[j, 1] = begin, name_end
            met += 1
        which[i] = j
        crc = add_to_crc(np.uint32(_ONES), texts, begin, name_end)
        crc = add_to_crc(crc, _EQUALS, 0, 1)
        hashes[i] = add_to_crc(crc, texts, at + 1, text_end) ^ np.uint32(_ONES)
    return met


@borrowing
def plain_end(texts, at, end):
    """Return the place of the quote that closes a plain text, or the end where it is not plain."""
    while at < end and texts[at] != _QUOTE:
        at = at + 1 if _SPACE <= texts[at] <= _LAST and texts[at] != _ESCAPE else end
    return at


@borrowing
def past_colon(texts, at, end):
    """Return the place after a colon and the space that Python writes behind it, or the end where there is none."""
    if at >= end or texts[at] != _COLON:
        return end
    return at + 2 if texts[at + 1] == _SPACE else at + 1


@borrowing
def add_to_crc(crc, texts, begin, end):
    """Return a CRC-32 of zlib's, not yet turned round, with the bytes [begin, end) added."""
    for j in range(begin, end):
        crc = (crc >> np.uint32(8)) ^ _BY_BYTE[(crc ^ np.uint32(texts[j])) & np.uint32(0xFF)]
    return crc
