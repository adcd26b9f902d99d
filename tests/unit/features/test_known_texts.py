"""Pieces of JSON, found by their text."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.features.known_texts import KnownTexts, hash_of


def cut(pieces: KnownTexts, *texts: bytes) -> Sequence[list[bytes] | None]:
    """Return the pieces of each text, or None where it was not cut."""
    found = pieces.find(texts)
    return [
        [pieces.text(number) for number in found.numbers[begin:end]] if was_cut else None
        for begin, end, was_cut in zip(found.start[:-1], found.start[1:], found.cut, strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b'[{"id":"a"},{"id":"b"}]', [b'"id":"a"', b'"id":"b"']),
        (b'[{"id": "a"}, {"id": "b"}]', [b'"id": "a"', b'"id": "b"']),
        (b'[{"id":"a"},  {"id":"b"}]', [b'"id":"a"},  {"id":"b"']),
        (b'[{"id":"a","features":{"x":1}},{"id":"b"}]', [b'"id":"a","features":{"x":1}', b'"id":"b"']),
        (b'[{"id":"},{"}]', [b'"id":"', b'"']),
        (b"[{}]", [b""]),
        (b"[]", None),
        (b"[ {}]", None),
        (b"", None),
        (b"{}", None),
    ],
)
def test_an_array_is_cut_between_its_objects(text: bytes, parts: list[bytes] | None) -> None:
    assert cut(KnownTexts(members=False, most=1_000), text) == [parts]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b'{"user":"u1","hour":7}', [b'"user":"u1"', b'"hour":7']),
        (b'{"user": "u1", "hour": 7}', [b'"user": "u1"', b'"hour": 7']),
        (b'{"user":"a,","hour":7}', [b'"user":"a', b'"', b'"hour":7']),
        (b"{}", []),
        (b"{", None),
        (b"[1]", None),
        (b"", None),
    ],
)
def test_an_object_is_cut_between_its_members(text: bytes, parts: list[bytes] | None) -> None:
    assert cut(KnownTexts(members=True, most=1_000), text) == [parts]


def test_a_piece_keeps_its_number_and_new_ones_get_the_next() -> None:
    pieces = KnownTexts(members=True, most=1_000)
    first = pieces.find([b'{"a":1,"b":2}', b'{"b":2}'])
    second = pieces.find([b'{"c":3,"a":1}'])
    assert first.numbers[: first.start[-1]].tolist() == [0, 1, 1]
    assert second.numbers[: second.start[-1]].tolist() == [2, 0]
    assert len(pieces) == 3


def test_many_pieces_are_told_apart_by_all_their_bytes() -> None:
    pieces = KnownTexts(members=True, most=1_000)
    texts = [b'{"n":%d}' % number for number in range(5_000)]
    pieces.find(texts)
    assert len(pieces) == 5_000
    assert cut(pieces, *texts) == [[text[1:-1]] for text in texts]
    assert len(pieces) == 5_000


@pytest.mark.parametrize("members", [False, True])
def test_a_text_of_too_many_pieces_is_not_cut(members: bool) -> None:
    texts = [
        b"{%b}" % b",".join(b'"%d":1' % number for number in range(count))
        if members
        else b"[%b]" % b",".join([b"{}"] * count)
        for count in (9, 10, 11, 1_000, 2)
    ]
    assert KnownTexts(members=members, most=10).find(texts).cut.tolist() == [True, True, False, False, True]


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"a", 4644417185603328019), (b'"id":"a"', 8079005048725651333), (b'"user":"u099346"', 10988267886395485858)],
)
def test_the_hash_is_that_of_python_with_a_key_of_zeros(text: bytes, expected: int) -> None:
    padded = np.frombuffer(text + bytes(8), dtype=np.uint8)
    assert hash_of(padded, 0, len(text), np.zeros(2, dtype=np.uint64)) == expected


def test_what_takes_too_much_is_forgotten() -> None:
    pieces = KnownTexts(members=True, most=1_000, most_bytes=20_000)
    pieces.find([b'{"n":%d}' % number for number in range(50)])
    assert not pieces.trim()
    pieces.find([b'{"n":%d}' % number for number in range(1_000)])
    assert pieces.trim()
    assert len(pieces) == 0
    assert cut(pieces, b'{"a":1}') == [[b'"a":1']]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=4)
    | st.sampled_from(['},{"', ',"', '", "', "}, {", "\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(max_size=3), json_values, max_size=3), max_size=4))
def test_an_array_whose_pieces_are_objects_is_an_array_of_these(value: list[dict[str, object]]) -> None:
    text = msgspec.json.encode(value)
    for pieces in cut(KnownTexts(members=False, most=1_000), text):
        try:
            apart = [msgspec.json.decode(b"{%b}" % piece) for piece in pieces or ()]
        except msgspec.DecodeError:
            continue
        assert pieces is None or apart == value


@given(st.dictionaries(st.text(max_size=3), json_values, max_size=5))
def test_an_object_whose_pieces_are_members_is_the_object_of_these(value: dict[str, object]) -> None:
    text = msgspec.json.encode(value)
    for pieces in cut(KnownTexts(members=True, most=1_000), text):
        try:
            apart = [msgspec.json.decode(b"{%b}" % piece) for piece in pieces or ()]
        except msgspec.DecodeError:
            continue
        if pieces is not None and all(len(one) == 1 for one in apart):
            assert {name: part for one in apart for name, part in one.items()} == value


@given(st.lists(st.binary(max_size=20).map(lambda inside: b"{%b}" % inside.replace(b",", b";")), max_size=40))
def test_many_texts_are_told_apart_also_where_a_zero_is_in_one(texts: list[bytes]) -> None:
    together = cut(KnownTexts(members=True, most=1_000), *texts)
    assert together == [part for text in texts for part in cut(KnownTexts(members=True, most=1_000), text)]
    assert together == [[] if text == b"{}" else [text[1:-1]] for text in texts]
