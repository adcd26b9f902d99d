"""Where members lie is told only of objects that are surely as they should be, and told right."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.wire import member_columns
from processors.wire.laid_out import laid_out
from processors.wire.object_members import (
    FEATURES,
    LONGEST_FEATURE_NAME,
    MOST_UNKNOWN,
    NUMBER,
    NUMBERS,
    OBJECTS,
    TEXT,
    TRUTH,
    WHOLE_NUMBER,
    Member,
    ObjectMembers,
)

MEMBERS = ObjectMembers([
    Member("id", TEXT, 8),
    Member("at", WHOLE_NUMBER, required=False),
    Member("rate", NUMBER, required=False, may_be_null=True),
    Member("rates", NUMBERS, required=False),
    Member("sure", TRUTH, required=False),
    Member("context", FEATURES, 3, required=False),
    Member("actions", OBJECTS, required=False),
])  # fmt: skip


class Message(msgspec.Struct):
    """The same members, as a decoder has them."""

    id: str
    at: int = 0
    rate: float | None = None
    rates: list[float] | None = None
    sure: bool = False
    context: dict[str, str | bool | int | float] | None = None
    actions: msgspec.Raw = msgspec.Raw()


def sure(*values: bytes) -> list[bool]:
    """Return of which objects it is sure."""
    found: list[bool] = MEMBERS.find(laid_out(values)).sure.tolist()
    return found


def read(value: bytes) -> dict[str, Any]:
    """Return what the places of an object's members say, those that are there."""
    laid = laid_out([b'{"id":"before"}', value, b'{"id":"behind"}'])
    places = MEMBERS.find(laid)
    assert places.sure.tolist() == [True, True, True]
    return {
        name: json.loads(bytes(laid.whole[begin - (name == "id") : end + (name == "id")]))
        for name, row in MEMBERS.rows.items()
        for begin, end in [(int(places.begin[row, 1]), int(places.end[row, 1]))]
        if begin >= 0
    }


@pytest.mark.parametrize(
    "value",
    [
        b'{"id":"a"}',
        b' {"id" : "a", "at": 7 ,\t"rate":\n-0.5e-03 }\r\n',
        b'{"rate":null,"id":"a"}',
        b'{"id":"\xc3\xa9","sure":false,"rates":[0.25, 1, 1E2]}',
        b'{"context":{},"id":"a"}',
        b'{"context":{"user":"ann","age":31,"new":true},"id":"a","actions":[{"id":"]"},{"id":"}"}]}',
        b'{"id":"a","trace":{"span":"x","parent":1},"tags":[1,"two",null],"of":null,"twice":[],"thrice":{}}',
        b'{"id":"a","context":{"name":"\\"\\\\\\/\\n Jos\\u00e9 \\ud7FF\\uE000"},"x":"\\t"}',
    ],
)
def test_members_are_found_in_any_order_with_spaces_and_beside_unknown_ones(value: bytes) -> None:
    expected = {name: one for name, one in json.loads(value).items() if name in MEMBERS.rows and one is not None}
    assert read(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        b"[]",
        b'"id"',
        b'{"id":"a"',
        b'{"id":"a"}}',
        b'{"id":"a",}',
        b'{"id":"a" "at":1}',
        b'{"id":"a","id":"a"}',
        b'{"id":""}',
        b'{"id":"too long a"}',
        b'{"id":"a\\n"}',
        b'{"id":"a\\"}',
        b'{"id":"a","x":"\\x"}',
        b'{"id":"a","x":"\\u12"}',
        b'{"id":"a","x":"\\u12g4"}',
        b'{"id":"a","x":"\\ud83d\\ude00"}',
        b'{"id":"a","x":"\\udfff"}',
        b'{"id":"a","x":"\\"}',
        b'{"id":"a","context":{"%b":1}}' % (b"x" * (LONGEST_FEATURE_NAME + 1)),
        b'{"i\\u0064":"a"}',
        b'{"id":"a\n"}',
        b'{"id":"\xff"}',
        b'{"id":1}',
        b'{"id":null}',
        b'{"at":1}',
        b'{"id":"a","at":01}',
        b'{"id":"a","at":-1}',
        b'{"id":"a","at":1.0}',
        b'{"id":"a","at":1234567890123456789}',
        b'{"id":"a","rate":.5}',
        b'{"id":"a","rate":5.}',
        b'{"id":"a","rate":+5}',
        b'{"id":"a","rate":1e}',
        b'{"id":"a","rate":1e999}',
        b'{"id":"a","rate":NaN}',
        b'{"id":"a","rate":"1"}',
        b'{"id":"a","rates":[]}',
        b'{"id":"a","rates":[1,]}',
        b'{"id":"a","rates":[null]}',
        b'{"id":"a","sure":True}',
        b'{"id":"a","sure":falsy}',
        b'{"id":"a","context":{"a":1,"b":1,"c":1,"d":1}}',
        b'{"id":"a","context":{"a":1,"a":1}}',
        b'{"id":"a","context":{"":1}}',
        b'{"id":"a","context":{"a":null}}',
        b'{"id":"a","context":{"a":{}}}',
        b'{"id":"a","context":{"a":1,}}',
        b'{"id":"a","context":[]}',
        b'{"id":"a","actions":{}}',
        b'{"id":"a","actions":[]}',
        b'{"id":"a","x":1,"x":1}',
        b'{"id":"a","x":{"y":{}}}',
        b'{"id":"a","x":nul}',
        b'{"id":"a",' + b",".join(b'"x%d":1' % n for n in range(MOST_UNKNOWN + 1)) + b"}",
    ],
)
def test_what_is_not_as_it_should_be_is_not_sure_and_lies_nowhere(value: bytes) -> None:
    places = MEMBERS.find(laid_out([b'{"id":"a"}', value, b'{"id":"b","at":7}']))
    assert places.sure.tolist() == [True, False, True]
    assert (places.begin[:, 1] == -1).all()
    assert (places.end[:, 1] == -1).all()


@pytest.mark.parametrize("at", range(1, 24))
def test_two_halves_of_an_object_are_no_objects(at: int) -> None:
    whole = b'{"id":"a","context":{"b":"c"},"at":7}'
    assert sure(whole[:at], whole[at:], whole) == [False, False, True]


def array_of_objects(value: bytes) -> bool:
    """Say whether that is what lies where the actions are said to, if there are any."""
    laid = laid_out([value])
    places = MEMBERS.find(laid)
    begin, end = (int(one[MEMBERS.rows["actions"], 0]) for one in (places.begin, places.end))
    try:
        return begin < 0 or bool(msgspec.json.decode(bytes(laid.whole[begin:end]), type=list[dict[str, Any]]))
    except msgspec.DecodeError:
        return False


written = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(["", "a", "é", 'q"', "\\", "]"]),
)
names = st.sampled_from([*MEMBERS.rows, "other", "é", 'q"'])
messages = st.dictionaries(
    names,
    st.one_of(
        written,
        st.text(max_size=9),
        st.integers(0, 2**60),
        st.floats(allow_nan=False),
        st.lists(written, max_size=3),
        st.lists(st.floats(0, 1), max_size=3),
        st.dictionaries(names, written, max_size=4),
        st.lists(st.dictionaries(names, written, max_size=2), max_size=3),
    ),
    max_size=5,
).map(lambda one: {"id": "a", **one})


@given(messages, st.booleans(), st.sampled_from([None, (",", ":"), (" , ", " : ")]), st.data())
def test_what_is_sure_decodes_to_just_that(
    message: dict[str, Any], ascii: bool, separators: tuple[str, str] | None, data: st.DataObject
) -> None:
    value = json.dumps(message, ensure_ascii=ascii, separators=separators).encode()
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(value) - 1))
        value = value[:at] + data.draw(st.binary(max_size=2)) + value[at + data.draw(st.integers(0, 1)) :]
    if not sure(value)[0] or not array_of_objects(value):
        return
    decoded = msgspec.json.decode(value, type=Message)
    for name, found in read(value).items():
        expected = json.loads(bytes(decoded.actions)) if name == "actions" else getattr(decoded, name)
        assert (float(found) if name == "rate" else found) == expected


@given(st.lists(messages, max_size=5))
def test_columns_hold_what_a_decoder_reads(some: list[dict[str, Any]]) -> None:
    values = [value for value in map(msgspec.json.encode, some) if array_of_objects(value)]
    laid = laid_out(values)
    places = MEMBERS.find(laid)

    def at(name: str) -> tuple[Any, Any, Any]:
        row = MEMBERS.rows[name]
        return laid.whole, places.begin[row], places.end[row]

    expected = [
        msgspec.json.decode(value, type=Message) if one else Message("", 0, 0.0)
        for value, one in zip(values, places.sure.tolist(), strict=True)
    ]
    assert member_columns.texts(*at("id")) == [one.id for one in expected]
    assert member_columns.whole_numbers(*at("at")).tolist() == [one.at for one in expected]
    assert member_columns.numbers(*at("rate")).tolist() == [one.rate or 0.0 for one in expected]
    assert member_columns.truths(*at("sure")[:2]).tolist() == [one.sure for one in expected]
    there = np.flatnonzero(at("rates")[1] >= 0)
    listed = member_columns.lists_of_numbers(laid.whole, at("rates")[1][there], at("rates")[2][there])
    assert listed == [expected[row].rates for row in there.tolist()]


def test_texts_are_found_among_names_and_beside_others() -> None:
    laid = laid_out([b'{"id":"news"}', b'{"id":"new"}', b"{}"])
    places = MEMBERS.find(laid)
    at = laid.whole, places.begin[0], places.end[0]
    assert member_columns.which_of(laid_out([b"feed", b"news", b"n"]), *at).tolist() == [1, -1, -1]
    assert member_columns.same_as([b"news", b"news", b""], *at).tolist() == [True, False, False]


def test_a_member_whose_name_is_too_long_to_be_found_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 16 bytes; 'a_name_of_17_byte' has more"):
        ObjectMembers([Member("a_name_of_17_byte", TEXT, 1)])
