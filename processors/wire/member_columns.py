"""Values of one member of many objects, each between two places of what was laid out, as columns.

What is no text between quotes has passed `object_members.py`, so a number here is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from processors.compiled import borrowing
from processors.memory_access import same
from processors.wire.laid_out import LaidOut, laid_out

_texts: Final = msgspec.json.Decoder(list[str])
_numbers: Final = msgspec.json.Decoder(list[float])
_lists: Final = msgspec.json.Decoder(list[list[float]])
_QUOTE, _COMMA, _ZERO, _SMALL_T, _BRACKET, _END_BRACKET = np.frombuffer(b'",0t[]', dtype=np.uint8)

Places = NDArray[np.int64]


def texts(whole: NDArray[np.uint8], begin: Places, end: Places) -> list[str]:
    """Return plain texts. Raises `msgspec.DecodeError` or `UnicodeDecodeError` where one is no UTF-8."""
    return _texts.decode(_listed(whole, begin, end, quoted=True))


def numbers(whole: NDArray[np.uint8], begin: Places, end: Places) -> NDArray[np.float64]:
    """Return numbers, 0 where there is none."""
    return np.array(_numbers.decode(_listed(whole, begin, end, quoted=False)), dtype=np.float64)


def lists_of_numbers(whole: NDArray[np.uint8], begin: Places, end: Places) -> list[list[float]]:
    """Return arrays of numbers."""
    return _lists.decode(_listed(whole, begin, end, quoted=False))


def whole_numbers(whole: NDArray[np.uint8], begin: Places, end: Places) -> NDArray[np.int64]:
    """Return whole numbers, 0 where there is none."""
    found = np.empty(len(begin), dtype=np.int64)
    read_whole_numbers(whole, begin, end, found)
    return found


def truths(whole: NDArray[np.uint8], begin: Places) -> NDArray[np.bool_]:
    """Return where true stands; where nothing stands that is false."""
    found: NDArray[np.bool_] = (whole[begin] == _SMALL_T) & (begin >= 0)
    return found


def which_of(names: LaidOut, whole: NDArray[np.uint8], begin: Places, end: Places) -> NDArray[np.int64]:
    """Return which of the names each text is, -1 where it is none."""
    found = np.empty(len(begin), dtype=np.int64)
    find_names(*names, whole, begin, end, found)
    return found


def same_as(others: Sequence[bytes], whole: NDArray[np.uint8], begin: Places, end: Places) -> NDArray[np.bool_]:
    """Return of each text whether it is the one that stands in its place among others."""
    found = np.empty(len(begin), dtype=np.bool_)
    compare(*laid_out(others), whole, begin, end, found)
    return found


def _listed(whole: NDArray[np.uint8], begin: Places, end: Places, *, quoted: bool) -> memoryview:
    """Return the values as an array of JSON."""
    listed = np.empty(int((end - begin).sum()) + 3 * len(begin) + 2, dtype=np.uint8)
    length = list_values(whole, begin, end, quoted, listed)
    return memoryview(listed[:length])  # type: ignore[arg-type]  # numpy does not say that arrays are buffers


@borrowing
def list_values(whole, begins, ends, quoted, listed):
    """Write values as an array of JSON, a zero or an empty text for each that is not there; return its length."""
    listed[0], at = _BRACKET, 1
    for i in range(len(begins)):
        if i:
            listed[at] = _COMMA
            at += 1
        if quoted:
            listed[at] = _QUOTE
            at += 1
        elif begins[i] < 0:
            listed[at] = _ZERO
            at += 1
        for j in range(begins[i], ends[i]):
            listed[at] = whole[j]
            at += 1
        if quoted:
            listed[at] = _QUOTE
            at += 1
    listed[at] = _END_BRACKET
    return at + 1


@borrowing
def read_whole_numbers(whole, begins, ends, found):
    """Write what the digits of each number come to."""
    for i in range(len(begins)):
        number = np.int64(0)
        for j in range(begins[i], ends[i]):
            number = 10 * number + np.int64(whole[j] - _ZERO)
        found[i] = number


@borrowing
def find_names(names, name_ends, whole, begins, ends, found):
    """Write which of the names each text is, -1 where it is none."""
    for i in range(len(begins)):
        found[i] = -1
        name_begin = np.int64(0)
        for name in range(len(name_ends)):
            if begins[i] >= 0 and same(whole, begins[i], ends[i], names, name_begin, name_ends[name]):
                found[i] = name
                break
            name_begin = name_ends[name]


@borrowing
def compare(others, other_ends, whole, begins, ends, found):
    """Write of each text whether it is the other one in its place."""
    other_begin = np.int64(0)
    for i in range(len(begins)):
        found[i] = begins[i] >= 0 and same(whole, begins[i], ends[i], others, other_begin, other_ends[i])
        other_begin = other_ends[i]
