"""Plain texts of contexts are hashed as any other way hashes them, and nothing else is taken for one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.features import hashed
from processors.features.text_members import LONGEST_NAME, MOST_NAMES, NOT_PLAIN, TextMembers, text_members

PLAIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7F, exclude_characters='"\\'), max_size=20)


def looked_into(*pieces: bytes) -> TextMembers:
    """Return what is found out of pieces."""
    texts = np.frombuffer(b"".join(pieces) + bytes(8), dtype=np.uint8)
    return text_members(texts, np.array([0, *np.cumsum([len(piece) for piece in pieces])], dtype=np.int64))


@given(st.lists(st.tuples(PLAIN.filter(bool), PLAIN), max_size=MOST_NAMES), st.sampled_from([":", ": "]))
def test_a_plain_text_goes_by_the_hash_of_its_name_and_itself(members: list[tuple[str, str]], colon: str) -> None:
    found = looked_into(*(f'"{name}"{colon}"{text}"'.encode() for name, text in members))
    assert [found.names[number] for number in found.which.tolist()] == [name for name, _ in members]
    assert found.hashes.tolist() == [hashed(f"{name}={text}") for name, text in members]


@pytest.mark.parametrize(
    "piece",
    [
        b"",
        b'"a"',
        b'"a":',
        b'"a":1',
        b'"a":true',
        b'"a":"b',
        b'"a":"b"c',
        b'"a":"b"c"',
        b'"a":"b\\n"',
        b'"a":"b\n"',
        b'"a\\n":"b"',
        b'"":"b"',
        b'"a" :"b"',
        b'"a":  "b"',
        b'a:"b"',
        b"\"a\":'b'",
        '"é":"b"'.encode(),
        '"a":"é"'.encode(),
        b'"%b":"b"' % (b"a" * (LONGEST_NAME + 1)),
    ],
)
def test_what_is_no_plain_text_is_left_to_a_decoder_and_its_neighbours_are_not(piece: bytes) -> None:
    found = looked_into(b'"a":"x"', piece, b'"b":"y"')
    assert found.which.tolist() == [0, NOT_PLAIN, 1]
    assert found.names == ["a", "b"]


def test_more_names_than_are_told_apart_are_left_to_a_decoder() -> None:
    pieces = [json.dumps({f"name{n}": "x"})[1:-1].encode() for n in range(MOST_NAMES + 2)]
    found = looked_into(*pieces, pieces[3])
    assert found.which.tolist() == [*range(MOST_NAMES), NOT_PLAIN, NOT_PLAIN, 3]
