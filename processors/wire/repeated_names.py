"""Names that an object of JSON holds twice, with two values: which of them counts is up to whoever reads it (RFC 8259).

Most records have none. Compiled code tells at once of which that is sure; only the others are read whole.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from processors.compiled import borrowing
from processors.memory_access import WORD, bytes_below, word_at, zeros_in
from processors.wire.laid_out import LaidOut, laid_out
from processors.wire.object_members import is_among

MOST_NAMES: Final = 256
DEEPEST: Final = 128
"""Of objects that are open at one time, and how deep they may lie, for it to be sure that no name comes twice."""
_SHOWN: Final = 40
_SPREAD = 0x9E3779B97F4A7C15
_QUOTES, _ESCAPES = 0x2222222222222222, 0x5C5C5C5C5C5C5C5C
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
    may = np.flatnonzero(may_repeat(laid_out(values))).tolist() if values else []
    found = {place: _repeated_in(values[place]) for place in may}
    return {place: wrong for place, wrong in found.items() if wrong is not None}


def may_repeat(values: LaidOut) -> NDArray[np.bool_]:
    """Return of each record whether an object in it may hold a name twice. It is false only where that is sure."""
    may = np.empty(len(values.ends), dtype=np.bool_)
    mark_repeats(*values, np.empty(MOST_NAMES, dtype=np.uint64), np.empty(DEEPEST, dtype=np.int64), may)
    return may


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
                if not named:
                    at = text_end(whole, at, end)
                    continue
                name, at, escaped = read_name(whole, at, end)
                # One name may be written in several ways; and of more than there is room for it is not known.
                repeated = escaped or count == len(names) or is_among(names, first, count, name)
                if repeated:
                    break
                names[count] = name
                count += 1
                named = False
            elif byte == _COMMA:
                named = first >= 0
            elif byte < _BRACKET:
                continue  # of a number: all brackets and braces come after these
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
def text_end(whole, at, end):
    """Return the place after the closing quote of a text that begins here."""
    while at < end and whole[at] != _QUOTE:
        at += 2 if whole[at] == _ESCAPE else 1
    return at + 1


@borrowing
def read_name(whole, at, end):
    """Return a name as a number, the place after its closing quote, and whether there are escapes in it.

    It is read eight bytes at a time.
    """
    number, begin = np.uint64(0), at
    while at < end:
        word = word_at(whole, at)
        quotes, escapes = zeros_in(word ^ np.uint64(_QUOTES)), zeros_in(word ^ np.uint64(_ESCAPES))
        if not quotes:
            if escapes:
                return number, at, True
            number = (number ^ word) * np.uint64(_SPREAD)
            at += WORD
            continue
        count, before = bytes_below(quotes)
        at += count
        number = (number ^ (word & before)) * np.uint64(_SPREAD) ^ np.uint64(at - begin)
        return number, at + 1, (escapes & before) != 0
    return number, end, False


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
