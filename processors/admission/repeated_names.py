"""Names that an object of JSON holds twice, with two values: which of them counts is up to whoever reads it (RFC 8259).

Most records have none. Compiled code tells at once of which that is sure; only the others are read whole.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from processors.compiled import borrowing

MOST_NAMES: Final = 256
DEEPEST: Final = 128
"""Of objects that are open at one time, and how deep they may lie, for it to be sure that no name comes twice."""
_SHOWN: Final = 40
_QUOTE, _ESCAPE, _COMMA, _BRACE, _END_BRACE, _BRACKET, _END_BRACKET = np.frombuffer(b'"\\,{}[]', dtype=np.uint8)


class RepeatedNameError(ValueError):
    """An object holds a name twice, with two values; the message says which, and what to do."""


def object_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object that `json.loads` has found these members of.

    Raises `RepeatedNameError` where two of the same name have different values.
    """
    made = dict(pairs)
    if len(made) < len(pairs):
        for name, value in pairs:
            if _text(value) != _text(made[name]):
                raise RepeatedNameError(
                    f"{_cut(json.dumps(name))} stands there twice, as {_cut(_text(value))} and as "
                    f"{_cut(_text(made[name]))}; write it once"
                )
    return made


def repeated_names(values: Sequence[bytes]) -> dict[int, str]:
    """Return, by their places, what is wrong with records in which a name has two values, in words.

    Nothing is said of what is no JSON.
    """
    may = np.zeros(len(values), dtype=np.bool_)
    ends = np.fromiter(map(len, values), np.int64, len(values)).cumsum()
    whole = np.frombuffer(b"".join(values), dtype=np.uint8)
    mark_repeats(whole, ends, np.empty(MOST_NAMES, dtype=np.uint64), np.empty(DEEPEST, dtype=np.int64), may)
    found = {place: _repeated_in(values[place]) for place in np.flatnonzero(may).tolist()}
    return {place: wrong for place, wrong in found.items() if wrong is not None}


@borrowing
def mark_repeats(whole, ends, names, begins, may):
    """Write of each stretch that ends at `ends` whether an object in it may hold a name twice.

    `names` has room for the names of the objects that are open, turned into numbers, and `begins` for where those of
    each object begin; it is -1 for an array.
    """
    begin = np.int64(0)
    for i in range(len(ends)):
        at, end, depth, count, first, named, repeated = begin, ends[i], -1, 0, -1, False, False
        while at < end:
            byte = whole[at]
            at += 1
            if byte == _QUOTE:
                name, at, escaped = read_text(whole, at, end)
                if named:
                    # One name may be written in several ways; and of more than there is room for it is not known.
                    repeated |= escaped or count == len(names) or is_among(names, first, count, name)
                    if repeated:
                        break
                    names[count] = name
                    count += 1
                    named = False
            elif byte == _COMMA:
                named = first >= 0
            elif byte in (_BRACE, _BRACKET):
                depth += 1
                if depth == len(begins):
                    repeated = True
                    break
                named = byte == _BRACE
                first = count if named else -1
                begins[depth] = first
            elif byte in (_END_BRACE, _END_BRACKET):
                if depth < 0:
                    break  # it is no JSON
                if first >= 0:
                    count = first
                depth -= 1
                first = begins[depth] if depth >= 0 else -1
        may[i] = repeated
        begin = end


@borrowing
def read_text(whole, at, end):
    """Return a text as a number, the place after its closing quote, and whether there are escapes in it."""
    number, escaped = np.uint64(0), False
    while at < end:
        byte = whole[at]
        if byte == _QUOTE:
            break
        if byte == _ESCAPE:
            escaped = True
            at += 1
        number = ((number << np.uint64(7)) | (number >> np.uint64(57))) ^ np.uint64(byte)
        at += 1
    return number, at + 1, escaped


@borrowing
def is_among(names, first, count, name):
    """Say whether a name is among those of its object."""
    found = False
    for j in range(first, count):
        found |= names[j] == name
    return found


def _repeated_in(value: bytes) -> str | None:
    try:
        json.loads(value, object_pairs_hook=object_once)
    except RepeatedNameError as error:
        return str(error)
    except (ValueError, RecursionError):
        pass  # whoever decodes it says what it is
    return None


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
