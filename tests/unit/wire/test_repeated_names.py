"""Records in which a name has two values are found, and no others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.events import Watermark
from processors.admission.event_records import Admission, Refusal
from processors.join.entries import ObservedFeedback, ShownImpression
from processors.wire.repeated_names import DEEPEST, MOST_NAMES, repeated_names
from tests.factories import MODEL, admitted, encode, feedback, impression, models

NOW = 2_000_000
ADMISSION = Admission(models(MODEL), 300_000)


class Twice(str):
    """A name that differs from its text as another key of a dictionary, so that both are written."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


NAMES = st.sampled_from(["a", "b", 'q"', "back\\", "é", "a,{", "[", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | NAMES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(st.tuples(NAMES, inner), max_size=4).map(lambda pairs: {Twice(name): one for name, one in pairs})
    ),
    max_leaves=20,
)


def repeated(values: list[bytes]) -> dict[int, str]:
    """Return what is wrong with those in which a name has two values."""
    return repeated_names(values)


def differ(value: Any) -> bool:
    """Say by definition whether an object in a value has a name with two values."""
    if isinstance(value, dict):
        members = [(str(name), one) for name, one in value.items()]
        return any(
            name == other and json.dumps(one, sort_keys=True) != json.dumps(last, sort_keys=True)
            for place, (name, one) in enumerate(members)
            for other, last in members[place + 1 :]
        ) or any(differ(one) for _, one in members)
    return isinstance(value, list) and any(differ(one) for one in value)


@given(st.lists(VALUES, max_size=4), st.booleans(), st.sampled_from([None, 1]))
def test_names_with_two_values_are_found_wherever_they_stand(some: list[Any], ascii: bool, indent: int | None) -> None:
    written = [json.dumps(value, ensure_ascii=ascii, indent=indent).encode() for value in some]
    assert set(repeated(written)) == {place for place, value in enumerate(some) if differ(value)}


@given(st.lists(st.binary(max_size=30), max_size=5))
def test_of_what_is_no_json_nothing_is_said(values: list[bytes]) -> None:
    assert repeated([b"{" + value for value in values]) == {}


@pytest.mark.parametrize(
    "value",
    [
        b"[" * (DEEPEST + 1) + b'{"a":1,"a":2}' + b"]" * (DEEPEST + 1),
        json.dumps({str(number): 1 for number in range(MOST_NAMES + 1)})[:-1].encode() + b',"7":2}',
    ],
    ids=["deep", "among many"],
)
def test_there_is_no_room_in_which_they_pass(value: bytes) -> None:
    assert list(repeated([b"{}", value, b'{"a":1}'])) == [1]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (b'"propensity":0.25,"propensity":0.5', '"propensity" stands there twice, as 0.25 and as 0.5; write it once'),
        (b'"model":"other"', '"model" stands there twice, as "'),
        (b'"\\u0063hosen":0', '"chosen" stands there twice, as 1 and as 0'),
        (b'"context":{"user":"ann","user":"bob"}', '"user" stands there twice, as "ann" and as "bob"'),
        (b'"actions":[{"id":"a","id":"b"}]', '"id" stands there twice, as "a" and as "b"'),
        (b'"trace":{"span":[1],"span":[1,2]}', '"span" stands there twice, as [1] and as [1, 2]'),
    ],
)
def test_an_impression_that_says_two_things_is_refused_with_both(more: bytes, said: str) -> None:
    value = encode(impression())[:-1] + b"," + more + b"}"
    refusal = admitted(ADMISSION.impressions, b"i1", value, 5, NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "schema"
    assert said in refusal.detail


def test_feedback_that_says_two_things_is_refused_and_its_neighbours_are_let_in() -> None:
    refusal = admitted(ADMISSION.feedback, b"i1", encode(feedback())[:-1] + b',"signal":"hate"}', 5, NOW)
    assert isinstance(refusal, Refusal)
    assert '"signal" stands there twice' in refusal.detail
    assert isinstance(admitted(ADMISSION.feedback, b"i1", encode(feedback()), 6, NOW), ObservedFeedback)


def test_a_watermark_of_two_times_is_refused() -> None:
    once = encode({"schema_version": 1, "watermark": NOW})
    assert admitted(ADMISSION.feedback, None, once, 0, NOW) == Watermark(1, NOW)
    assert isinstance(admitted(ADMISSION.feedback, None, once[:-1] + b',"watermark":7}', 0, NOW), Refusal)


def test_what_stands_twice_with_one_value_is_let_in() -> None:
    value = encode(impression())[:-1] + b',"chosen":1}'
    assert isinstance(admitted(ADMISSION.impressions, b"i1", value, 5, NOW), ShownImpression)
