"""JSON cut into pieces that come again and again, each known by its text and looked into once.

Impressions offer the same actions again and again, and finding one by its text takes a tenth of decoding it. An array
of objects is cut between its objects, an object between its members. Nothing here knows JSON: a cut may fall within a
text or further in. But there is one way only to read JSON, so if each piece is an object (a member) by itself, the
whole is just these objects (members). Whoever looks into a new piece finds out whether it is.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from processors.compiled import borrowing, compiled
from processors.features.ragged_rows import grown
from processors.memory_access import WORD, bytes_below, last_word, same, word_at, zeros_in

MOST_BYTES: Final = 32_000_000
"""What the pieces that are known may take, with what finds them and what is known of them."""
_BYTES_EACH: Final = 160
"""What a piece takes beside its text, roughly: half of it here, half of it with whoever looks into it."""
_FEWEST: Final = 1024
_QUOTE, _COMMA, _SPACE, _OPEN, _CLOSE, _BEGIN, _END = b'", {}[]'
_COMMAS = 0x2C2C2C2C2C2C2C2C


class Found(NamedTuple):
    """The pieces of several texts: those of text i are `numbers[start[i]:start[i + 1]]`.

    `cut[i]` is false where the text does not look like what is cut, and has no pieces here.
    """

    start: NDArray[np.int64]
    numbers: NDArray[np.int64]
    cut: NDArray[np.bool_]


class KnownTexts:
    """The pieces that were met, numbered from 0 on in the order in which they came.

    With `members`, texts are objects and pieces their members (`"hour":7`); else texts are arrays of objects, and
    pieces what stands between the braces of each (`"id":"news"`). Texts of more than `most` pieces are not cut. `trim`
    forgets all pieces when they take more than `most_bytes`, with what whoever looks into them keeps `beside`; numbers
    given out before are then void.
    """

    def __init__(self, *, members: bool, most: int, most_bytes: int = MOST_BYTES) -> None:
        self._members = members
        self._most = most
        self._most_bytes = most_bytes
        # Producers choose the texts; they must not be able to choose where these lie.
        self._key = np.frombuffer(secrets.token_bytes(16), dtype=np.uint64)
        self._forget()

    def _forget(self) -> None:
        self._count = 0
        self._texts: NDArray[np.uint8] = np.empty(16 * _FEWEST, dtype=np.uint8)
        self._hashes: NDArray[np.uint64] = np.empty(_FEWEST, dtype=np.uint64)
        self._ends: NDArray[np.int64] = np.zeros(_FEWEST + 1, dtype=np.int64)
        self._slots: NDArray[np.int32] = np.full(4 * _FEWEST, -1, dtype=np.int32)

    def __len__(self) -> int:
        """Return how many pieces are known."""
        return self._count

    def text(self, number: int) -> bytes:
        """Return the text of a piece."""
        begin, end = self._ends[number : number + 2]
        return self._texts[begin:end].tobytes()

    def texts(self, begin: int) -> list[bytes]:
        """Return the texts of the pieces from number `begin` on."""
        together, ends = self.laid_out(begin)
        first = int(ends[0])
        copied = together[first : ends[-1]].tobytes()
        return [copied[start - first : end - first] for start, end in pairwise(ends.tolist())]

    def laid_out(self, begin: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return the texts of all, and where those from number `begin` on lie: between two each of these places."""
        return self._texts, self._ends[begin : self._count + 1]

    def trim(self, beside: int = 0) -> bool:
        """Forget everything if there is too much of it; say whether that was so.

        `beside` are the bytes that are kept elsewhere, other than some numbers of each piece.
        """
        used = self._ends[self._count] + _BYTES_EACH * self._count + beside
        # Room is made for as many pieces as a text may have, and kept.
        room = self._texts.nbytes + self._hashes.nbytes + self._ends.nbytes + self._slots.nbytes
        if used <= self._most_bytes and room <= 4 * self._most_bytes:
            return False
        self._forget()
        return True

    def find(self, texts: Sequence[bytes | Raw]) -> Found:
        """Cut each text, and return the numbers of its pieces; those that were not known get the next ones."""
        whole = b"\0".join([*texts, bytes(WORD)])
        begins = self._begins(whole, texts)
        return self.find_between(np.frombuffer(whole, dtype=np.uint8), begins[:-1], begins[1:] - 1)

    def find_between(self, whole: NDArray[np.uint8], begin: NDArray[np.int64], end: NDArray[np.int64]) -> Found:
        """Do the same with texts that lie between these places; where they begin before the first there is none."""
        parted = count_between(whole, begin, end, _COMMA if self._members else _OPEN)
        most = min(len(begin) + parted, len(begin) * self._most)
        self._make_room(int((end - begin).sum()), most)
        found = Found(
            np.empty(len(begin) + 1, dtype=np.int64), np.empty(most, dtype=np.int64), np.empty(len(begin), np.bool_)
        )
        self._count = find(
            whole, begin, end, self._members, self._most, self._key, self._slots, self._hashes, self._texts,
            self._ends, self._count, *found,
        )  # fmt: skip
        return found

    @staticmethod
    def _begins(whole: bytes, texts: Sequence[bytes | Raw]) -> NDArray[np.int64]:
        """Return where each text begins in the whole, with a zero between them, and where one behind them would."""
        start = np.zeros(len(texts) + 1, dtype=np.int64)
        if whole.count(0) == len(texts) + WORD:  # in JSON there is none: asking each for its length takes longer
            find_begins(np.frombuffer(whole, dtype=np.uint8), start)
        else:
            np.fromiter([len(memoryview(text)) + 1 for text in texts], np.int64, len(texts)).cumsum(out=start[1:])
        return start

    def _make_room(self, size: int, count: int) -> None:
        end, count = int(self._ends[self._count]) + size + WORD, self._count + count
        if end > len(self._texts):
            self._texts = grown(self._texts, 2 * end)
        if count >= len(self._hashes):
            self._hashes = grown(self._hashes, 2 * count)
            self._ends = grown(self._ends, 2 * count + 1)
        if 2 * count > len(self._slots):
            self._slots = np.full(1 << (4 * count - 1).bit_length(), -1, dtype=np.int32)
            place_all(self._slots, self._hashes, self._count)


@borrowing
def find_begins(whole, start):
    """Write where each text begins that ends with a zero, after the first: eight bytes at a time."""
    place = 0
    for i in range(1, len(start)):
        while True:
            word = word_at(whole, place)
            zeros = zeros_in(word)
            if zeros:
                break
            place += WORD
        place += bytes_below(zeros)[0] + 1
        start[i] = place


@borrowing
def count_between(whole, begins, ends, byte):
    """Return how often a byte stands between these places."""
    count = 0
    for i in range(len(begins)):
        for j in range(begins[i], ends[i]):
            count += whole[j] == byte
    return count


@borrowing
def find(whole, begins, ends_at, members, most, key, slots, hashes, texts, ends, count, found_start, numbers, cut):
    """Do what `KnownTexts.find_between` says; return how many pieces are known."""
    filled = 0
    for i in range(len(begins)):
        found_start[i] = filled
        begin, end = begins[i], ends_at[i]
        cut[i] = begin >= 0 and looks_cut(whole, begin, end, members)
        if not cut[i]:
            continue
        margin = 1 if members else 2  # within `{}` or `[{}]`
        begin, end = begin + margin, end - margin
        if members and begin == end:
            continue
        while True:
            piece_end, next_begin = next_cut(whole, begin, end, members)
            number = look_up(whole, begin, piece_end, key, slots, hashes, texts, ends, count)
            count = max(count, number + 1)
            numbers[filled] = number
            filled += 1
            if piece_end == end:
                break
            if filled - found_start[i] == most:
                cut[i], filled = False, found_start[i]
                break
            begin = next_begin
    found_start[len(begins)] = filled
    return count


@borrowing
def looks_cut(whole, begin, end, members):
    """Return whether a text begins and ends as an object, or as an array of objects without a space between."""
    if members:
        return end - begin >= 2 and whole[begin] == _OPEN and whole[end - 1] == _CLOSE
    return (
        end - begin >= 4
        and whole[begin] == _BEGIN
        and whole[begin + 1] == _OPEN
        and whole[end - 2] == _CLOSE
        and whole[end - 1] == _END
    )


@borrowing
def next_cut(whole, begin, end, members):
    """Return where the piece that begins here ends, and where the next one begins.

    Members end at `,"`, objects at `},{`; a space may stand behind the comma, as Python writes it.
    """
    last, j = end - 1, begin
    while j < last:
        commas = zeros_in(word_at(whole, j) ^ np.uint64(_COMMAS))
        if not commas:
            j += WORD
            continue
        j += bytes_below(commas)[0]
        if j >= last:
            break
        k = j + 1
        if whole[k] == _SPACE and k < last:
            k += 1
        if members:
            if whole[k] == _QUOTE:
                return j, k
        elif whole[k] == _OPEN and j > begin and whole[j - 1] == _CLOSE:
            return j - 1, k + 1
        j += 1
    return end, end


@compiled(inline="always")
def look_up(whole, begin, end, key, slots, hashes, texts, ends, count):
    """Return the number of a piece, `count` if it is new; it is known from then on."""
    h = hash_of(whole, begin, end, key)
    mask = np.uint64(len(slots) - 1)
    place = h & mask
    while slots[place] >= 0:
        number = slots[place]
        if hashes[number] == h and same(whole, begin, end, texts, ends[number], ends[number + 1]):
            return np.int64(number)
        place = (place + np.uint64(1)) & mask
    slots[place] = count
    hashes[count] = h
    to = ends[count]
    for j in range(begin, end):
        texts[to] = whole[j]
        to += 1
    ends[count + 1] = to
    return count


@borrowing
def hash_of(whole, begin, end, key):
    """Return SipHash-1-3 of a text (Aumasson & Bernstein 2012): who does not know the key can choose no collisions."""
    v0, v1 = key[0] ^ np.uint64(0x736F6D6570736575), key[1] ^ np.uint64(0x646F72616E646F6D)
    v2, v3 = key[0] ^ np.uint64(0x6C7967656E657261), key[1] ^ np.uint64(0x7465646279746573)
    length = np.uint64(end - begin) << np.uint64(56)
    while end - begin >= WORD:
        word = word_at(whole, begin)
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3 ^ word)
        v0 ^= word
        begin += WORD
    word = length | last_word(whole, begin, end)
    v0, v1, v2, v3 = sip_round(v0, v1, v2, v3 ^ word)
    v0, v2 = v0 ^ word, v2 ^ np.uint64(0xFF)
    for _ in range(3):
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@compiled(inline="always")
def sip_round(v0, v1, v2, v3):
    """Mix the state of SipHash once."""
    v0, v2 = v0 + v1, v2 + v3
    v1, v3 = turned(v1, 13) ^ v0, turned(v3, 16) ^ v2
    v0 = turned(v0, 32)
    v2, v0 = v2 + v1, v0 + v3
    v1, v3 = turned(v1, 17) ^ v2, turned(v3, 21) ^ v0
    return v0, v1, turned(v2, 32), v3


@compiled(inline="always")
def turned(word, bits):
    """Return a word of 64 bits with its bits turned to the left."""
    return (word << np.uint64(bits)) | (word >> np.uint64(64 - bits))


@borrowing
def place_all(slots, hashes, count):
    """Put pieces into an empty table."""
    mask = np.uint64(len(slots) - 1)
    for number in range(count):
        place = hashes[number] & mask
        while slots[place] >= 0:
            place = (place + np.uint64(1)) & mask
        slots[place] = number
