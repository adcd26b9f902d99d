"""Where the members of many JSON objects stand, of those that are surely as they should be.

A message is an object of a dozen members that are known by name. Compiled code walks once over the bytes of a thousand
of them and writes down where the value of each member lies. It understands what nearly all producers write: no escapes
in names, no name twice, whole numbers written as such. Of everything else it says that it is not sure, and a decoder
has to tell. What it is sure of is JSON in UTF-8 (RFC 8259), but for arrays of objects: of them only the two ends are
found, and whoever cuts one in pieces finds out whether it is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.compiled import borrowing
from processors.memory_access import WORD, bytes_below, word_at, zeros_in
from processors.wire.laid_out import LaidOut, beyond_ascii

TEXT, WHOLE_NUMBER, NUMBER, NUMBERS, TRUTH, FEATURES, OBJECT, OBJECTS = range(8)
"""What a member may be: a text that is not empty and has no escapes, a whole number from 0 on, a number, an array of
numbers, true or false, an object of texts, numbers and truths (whose members are counted or not), an array of
objects."""
ABSENT: Final = -1
"""Stands where a member is not there, or null."""
LONGEST_NAME: Final = 2 * WORD
LONGEST_FEATURE_NAME: Final = 128
"""Bytes of the names of members that are looked for, and of those of features."""
MOST_UNKNOWN: Final = 16
"""Members that no type names, beside which it is still sure that no name comes twice."""
MOST_DIGITS: Final = 18
"""Of whole numbers: so many fit into 64 bits."""
LONGEST_NUMBER: Final = 32
_SPREAD = 0x9E3779B97F4A7C15
_QUOTES, _ESCAPES = 0x2222222222222222, 0x5C5C5C5C5C5C5C5C
_END_BRACKETS, _SPACES, _HIGH_BITS = 0x5D5D5D5D5D5D5D5D, 0x2020202020202020, 0x8080808080808080
_TRUE, _FALSE, _NULL = (int.from_bytes(word, "little") for word in (b"true", b"fals", b"null"))
_FOUR_BYTES = 0xFFFFFFFF
_QUOTE, _COMMA, _COLON, _SPACE, _TAB, _NEW_LINE, _RETURN = np.frombuffer(b'",: \t\n\r', dtype=np.uint8)
_BRACE, _END_BRACE, _BRACKET, _END_BRACKET = np.frombuffer(b"{}[]", dtype=np.uint8)
_ZERO, _NINE, _MINUS, _PLUS, _POINT, _E, _SMALL_E = np.frombuffer(b"09-+.Ee", dtype=np.uint8)
_SMALL_A, _SMALL_F, _SMALL_T, _SMALL_U = np.frombuffer(b"aftu", dtype=np.uint8)
_ESCAPE, _ESCAPED = np.frombuffer(b"\\", dtype=np.uint8)[0], np.frombuffer(b'"\\/bfnrt', dtype=np.uint8)
_SMALL_LETTER: Final = 0x20
"""The bit that capital letters lack."""
_HALF, _HALVES = 0xD800, 0x800
"""The first and the number of what UTF-16 writes characters beyond 16 bits with, two of them each."""


class Member(NamedTuple):
    """A member that an object may have. `most` are the bytes of a text, or the members of an object."""

    name: str
    kind: int
    most: int = 0
    required: bool = True
    may_be_null: bool = False


class Places(NamedTuple):
    """Where values lie in what was laid out, one row a member, one column an object."""

    sure: NDArray[np.bool_]
    """Whether all of the object is understood, and everything that it requires is there."""
    begin: NDArray[np.int64]
    """Texts without their quotes. `ABSENT` where a member is not there, and where an object is not sure."""
    end: NDArray[np.int64]
    counts: NDArray[np.int64]
    """How many features each object has, all of its members of that kind together."""


class ObjectMembers:
    """Finds these members. Raises `ValueError` for a name that is too long to be found."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.rows = {member.name: row for row, member in enumerate(members)}
        """The row of each member in `Places`."""
        names = [member.name.encode() for member in members]
        if too_long := [name for name in names if len(name) > LONGEST_NAME]:
            raise ValueError(f"a member's name has at most {LONGEST_NAME} bytes; {too_long[0].decode()!r} has more")
        self._names = np.frombuffer(b"".join(name.ljust(LONGEST_NAME, b"\0") for name in names), dtype=np.uint64)
        masks = b"".join((b"\xff" * len(name)).ljust(LONGEST_NAME, b"\0") for name in names)
        self._masks = np.frombuffer(masks, dtype=np.uint64)
        self._lengths = np.array([len(name) for name in names])
        self._kinds = np.array([member.kind for member in members])
        self._most = np.array([member.most for member in members])
        self._may_be_null = np.array([member.may_be_null for member in members])
        self._required = sum(1 << row for row, member in enumerate(members) if member.required)
        self._room = np.empty(MOST_UNKNOWN + max(1, int(self._most.max())), dtype=np.uint64)

    def find(self, values: LaidOut) -> Places:
        """Return where the members of each value lie."""
        count = len(values.ends)
        places = Places(
            np.empty(count, dtype=np.bool_),
            np.full((len(self.rows), count), ABSENT),
            np.full((len(self.rows), count), ABSENT),
            np.zeros(count, dtype=np.int64),
        )
        find_members(
            *values, self._names, self._masks, self._lengths, self._kinds, self._most, self._may_be_null,
            self._required, self._room, *places,
        )  # fmt: skip
        for i in np.flatnonzero(places.sure & beyond_ascii(values)).tolist():
            begin, end = values.ends[i - 1] if i else 0, values.ends[i]
            try:
                values.whole[begin:end].tobytes().decode()
            except UnicodeDecodeError:
                places.sure[i] = False
        unsure = ~places.sure
        if unsure.any():
            places.begin[:, unsure] = places.end[:, unsure] = ABSENT
        return places


@borrowing
def find_members(
    whole, ends, names, masks, lengths, kinds, most, may_be_null, required, room, sure, begins, ends_of, counts
):
    """Write where the members of each object lie that ends at `ends` (`ObjectMembers.find`)."""
    begin = np.int64(0)
    for i in range(len(ends)):
        sure[i] = find_in_one(
            whole, begin, ends[i], names, masks, lengths, kinds, most, may_be_null, required, room, i, begins, ends_of,
            counts,
        )  # fmt: skip
        begin = ends[i]


@borrowing
def find_in_one(
    whole, at, end, names, masks, lengths, kinds, most, may_be_null, required, room, i, begins, ends_of, counts
):
    """Write where the members of one object lie; return whether all of it is understood.

    What is read here may lie beyond the end, in the next object: the end is looked at after each member.
    """
    at = past_spaces(whole, at, end)
    going_on, met, unknown, member = at < end and whole[at] == _BRACE, 0, 0, -1
    while going_on:
        at = past_spaces(whole, at + 1, end)
        member = member_at(whole, at, member + 1, names, masks, lengths)
        if member < 0:
            name, at = plain_end(whole, at, end)
            if at < 0 or unknown == MOST_UNKNOWN or is_among(room, 0, unknown, name):
                return False
            room[unknown] = name
            unknown += 1
        elif met >> member & 1:
            return False
        else:
            met |= 1 << member
            at += 2 + lengths[member]
        begin = value_begin(whole, at, end)
        if begin < 0:
            return False
        if member < 0:
            at = any_end(whole, begin, end, room, unknown)
        elif may_be_null[member] and is_null(whole, begin):
            at = begin + 4
        else:
            count, at = value_end(whole, begin, end, kinds[member], most[member], room, unknown)
            quote = kinds[member] == TEXT
            begins[member, i], ends_of[member, i] = begin + quote, at - quote
            counts[i] += count
        at = past_spaces(whole, at, end) if at >= 0 else end
        going_on = at < end and whole[at] == _COMMA
    return (
        at < end and whole[at] == _END_BRACE and past_spaces(whole, at + 1, end) == end and met & required == required
    )


@borrowing
def value_end(whole, at, end, kind, most, room, first):
    """Return how many features there are in a value of a kind, and the place after it, which is -1 if not sure."""
    count, begin = 0, at
    if kind == TEXT:
        at = plain_end(whole, at, end)[1]
        if at - begin - 2 > most:
            at = -1
    elif kind == WHOLE_NUMBER:
        at = whole_number_end(whole, at)
    elif kind == NUMBER:
        at = number_end(whole, at)
    elif kind == TRUTH:
        at = truth_end(whole, at)
    elif kind in (FEATURES, OBJECT):
        count, at = features_end(whole, at, end, room, first, most)
        count *= kind == FEATURES
    elif kind == NUMBERS:
        at = numbers_end(whole, at, end)
    else:
        at = objects_end(whole, at, end)
    return count, at


@borrowing
def past_spaces(whole, at, end):
    """Return the place of the first byte that is no space."""
    while at < end and (whole[at] == _SPACE or whole[at] == _NEW_LINE or whole[at] == _RETURN or whole[at] == _TAB):
        at += 1
    return at


@borrowing
def member_at(whole, at, likely, names, masks, lengths):
    """Return which member's name stands here between quotes, or -1; `likely` is tried first.

    Producers write the members of all their messages in one order.
    """
    first, second = word_at(whole, at + 1), word_at(whole, at + 1 + WORD)
    for turn in range(len(lengths)):
        member = likely + turn
        if member >= len(lengths):
            member -= len(lengths)
        if (
            (first & masks[2 * member]) == names[2 * member]
            and (second & masks[2 * member + 1]) == names[2 * member + 1]
            and whole[at] == _QUOTE
            and whole[at + 1 + lengths[member]] == _QUOTE
        ):
            return member
    return -1


@borrowing
def plain_end(whole, at, end):
    """Return a text between quotes as a number, and the place after it, which is -1 where it is empty or not plain.

    What is compared by its bytes must be plain: an escape says the same in other bytes.
    """
    number = np.uint64(0)
    begin = at = at + 1
    going_on = begin < end and whole[begin - 1] == _QUOTE
    while going_on:
        word = word_at(whole, at)
        quotes, others = zeros_in(word ^ np.uint64(_QUOTES)), not_plain(word)
        if quotes:
            count, before = bytes_below(quotes)
            at += count
            number = (number ^ (word & before)) * np.uint64(_SPREAD) ^ np.uint64(at - begin)
            return number, (-1 if others & before or at == begin else at + 1)
        number = (number ^ word) * np.uint64(_SPREAD)
        at += WORD
        going_on = at < end and not others
    return number, -1


@borrowing
def value_begin(whole, at, end):
    """Return the place of a value, given the one after its name, or -1."""
    at = past_spaces(whole, at, end)
    if at >= end or whole[at] != _COLON:
        return -1
    at = past_spaces(whole, at + 1, end)
    return at if at < end else -1


@borrowing
def not_plain(word):
    """Return a word whose highest bits say that there is an escape or a control character, up to the first."""
    return zeros_in(word ^ np.uint64(_ESCAPES)) | ((word - np.uint64(_SPACES)) & ~word & np.uint64(_HIGH_BITS))


@borrowing
def is_among(names, first, last, name):
    """Say whether a name is among [first, last)."""
    found = False
    for j in range(first, last):
        found |= names[j] == name
    return found


@borrowing
def text_end(whole, at, end):
    """Return the place after a text between quotes, or -1."""
    going_on = whole[at] == _QUOTE
    at += 1
    while going_on and at < end:
        word = word_at(whole, at)
        stops = zeros_in(word ^ np.uint64(_QUOTES)) | not_plain(word)
        if not stops:
            at += WORD
            continue
        at += bytes_below(stops)[0]
        if whole[at] == _QUOTE:
            return at + 1
        at = escape_end(whole, at)
        going_on = at >= 0
    return -1


@borrowing
def escape_end(whole, at):
    """Return the place after the escape of a character that is no half of a pair, or -1."""
    kind = whole[at + 1]
    if whole[at] != _ESCAPE:
        return -1
    if kind != _SMALL_U:
        return at + 2 if is_among(_ESCAPED, 0, len(_ESCAPED), kind) else -1
    number = np.int64(0)
    for j in range(at + 2, at + 6):
        letter = np.int64(whole[j]) | _SMALL_LETTER
        if _ZERO <= whole[j] <= _NINE:
            number = 16 * number + np.int64(whole[j] - _ZERO)
        elif _SMALL_A <= letter <= _SMALL_F:
            number = 16 * number + letter - _SMALL_A + 10
        else:
            return -1
    return -1 if _HALF <= number < _HALF + _HALVES else at + 6


@borrowing
def is_null(whole, at):
    """Say whether null stands here."""
    return word_at(whole, at) & np.uint64(_FOUR_BYTES) == np.uint64(_NULL)


@borrowing
def truth_end(whole, at):
    """Return the place after true or false, or -1."""
    word = word_at(whole, at) & np.uint64(_FOUR_BYTES)
    if word == np.uint64(_TRUE):
        return at + 4
    return at + 5 if word == np.uint64(_FALSE) and whole[at + 4] == _SMALL_E else -1


@borrowing
def digits_end(whole, at):
    """Return the place of the first byte that is no digit."""
    while _ZERO <= whole[at] <= _NINE:
        at += 1
    return at


@borrowing
def whole_number_end(whole, at):
    """Return the place after a whole number from 0 on, or -1."""
    begin, at = at, digits_end(whole, at)
    if at == begin or at - begin > MOST_DIGITS or (whole[begin] == _ZERO and at - begin > 1):
        return -1
    return at


@borrowing
def number_end(whole, at):
    """Return the place after a number that a float surely holds, or -1."""
    begin = at
    if whole[at] == _MINUS:
        at += 1
    first, at = at, digits_end(whole, at)
    if at == first or (whole[first] == _ZERO and at - first > 1):
        return -1
    if whole[at] == _POINT:
        first, at = at + 1, digits_end(whole, at + 1)
        if at == first:
            return -1
    if whole[at] == _SMALL_E or whole[at] == _E:
        at += 1
        if whole[at] == _MINUS or whole[at] == _PLUS:
            at += 1
        first, at = at, digits_end(whole, at)
        if at == first or at - first > 2:
            return -1
    return at if at - begin <= LONGEST_NUMBER else -1


@borrowing
def numbers_end(whole, at, end):
    """Return the place after an array of numbers that is not empty, or -1."""
    going_on = whole[at] == _BRACKET
    while going_on:
        at = number_end(whole, past_spaces(whole, at + 1, end))
        at = past_spaces(whole, at, end) if at >= 0 else end
        going_on = at < end and whole[at] == _COMMA
    return at + 1 if at < end and whole[at] == _END_BRACKET else -1


@borrowing
def objects_end(whole, at, end):
    """Return the place after the first bracket that closes behind a brace, or -1."""
    if whole[at] != _BRACKET:
        return -1
    while at < end:
        brackets = zeros_in(word_at(whole, at) ^ np.uint64(_END_BRACKETS))
        if not brackets:
            at += WORD
            continue
        at += bytes_below(brackets)[0] + 1
        if whole[at - 2] == _END_BRACE:
            return at
    return -1


@borrowing
def scalar_end(whole, at, end):
    """Return the place after a text, a number or a truth, or -1."""
    if whole[at] == _QUOTE:
        return text_end(whole, at, end)
    if whole[at] == _SMALL_T or whole[at] == _SMALL_F:
        return truth_end(whole, at)
    return number_end(whole, at)


@borrowing
def features_end(whole, at, end, room, first, most):
    """Return how many features an object has, none with a name twice, and the place after it, which is -1 if not sure.

    In `room` there is place for the names behind the `first`.
    """
    if whole[at] != _BRACE:
        return 0, -1
    count, behind = 0, past_spaces(whole, at + 1, end)
    if behind < end and whole[behind] == _END_BRACE:
        return 0, behind + 1
    going_on = True
    while going_on:
        begin = past_spaces(whole, at + 1, end)
        name, at = plain_end(whole, begin, end)
        if (
            not 0 <= at - begin <= LONGEST_FEATURE_NAME + 2
            or count == most
            or is_among(room, first, first + count, name)
        ):
            return 0, -1
        room[first + count] = name
        count += 1
        at = value_begin(whole, at, end)
        if at >= 0:
            at = scalar_end(whole, at, end)
        at = past_spaces(whole, at, end) if at >= 0 else end
        going_on = at < end and whole[at] == _COMMA
    return (count, at + 1) if at < end and whole[at] == _END_BRACE else (0, -1)


@borrowing
def scalars_end(whole, at, end):
    """Return the place after an array of texts, numbers, truths and nulls, or -1."""
    if whole[at] != _BRACKET:
        return -1
    behind = past_spaces(whole, at + 1, end)
    if behind < end and whole[behind] == _END_BRACKET:
        return behind + 1
    going_on = True
    while going_on:
        at = scalar_or_null_end(whole, past_spaces(whole, at + 1, end), end)
        at = past_spaces(whole, at, end) if at >= 0 else end
        going_on = at < end and whole[at] == _COMMA
    return at + 1 if at < end and whole[at] == _END_BRACKET else -1


@borrowing
def scalar_or_null_end(whole, at, end):
    """Return the place after a text, a number, a truth or null, or -1."""
    return at + 4 if is_null(whole, at) else scalar_end(whole, at, end)


@borrowing
def any_end(whole, at, end, room, first):
    """Return the place after a value that no type names, and that is not nested deeper than features, or -1."""
    if whole[at] == _BRACE:
        return features_end(whole, at, end, room, first, len(room) - first)[1]
    if whole[at] == _BRACKET:
        return scalars_end(whole, at, end)
    return scalar_or_null_end(whole, at, end)
