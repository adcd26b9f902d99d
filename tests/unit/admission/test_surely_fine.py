"""What is surely fine is what a decoder lets in; and what producers write is surely fine."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from experiments.fuzz.admission import DecodingAdmission
from groundswell.events import Feedback, Impression
from processors.admission.event_records import Admission, Refusal
from processors.admission.surely_fine import FEEDBACK, IMPRESSION, FineFeedback, FineImpressions
from processors.models.config import ModelConfig
from tests.factories import MODEL, Record, encode, feedback, impression, models

NOW, MAX_AHEAD = 2_000_000, 300_000
CROSSED = ModelConfig(name="crossed", definitely_negative=frozenset({"dislike"}), context_crosses=True)
MODELS = models(MODEL, "news") | {"crossed": CROSSED}
ADMISSION = Admission(MODELS, MAX_AHEAD)
IMPRESSIONS, PIECES = FineImpressions(MODELS, MAX_AHEAD), FineFeedback(MAX_AHEAD)


DECODER = DecodingAdmission(MODELS, MAX_AHEAD)


def test_members_are_those_of_the_contract() -> None:
    assert set(IMPRESSION.rows) == set(Impression.__struct_fields__)
    assert set(FEEDBACK.rows) == set(Feedback.__struct_fields__)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"probabilities": None, "propensity": 0.5},
        {"propensity": 0.5},
        {"propensity": 0.5004},
        {"probabilities": [0, 1, 0]},
        {"probabilities": [1e-05, 0.99998, 1e-05]},
        {"weight": 12.5, "deferred": True, "policy_version": 7},
        {"policy_version": None},
        {"context": {}},
        {"context": {"user": "José", "age": 31.5, "new": True, "said": 'so "to" say\n', "far": -1e-7}},
        {"actions": [{"id": "a", "features": {"price": 1.5, "kind": "x"}}, {"id": "é"}, {"id": "c\\"}]},
        {"model": "crossed"},
        {"mode": "canary", "side": "rest"},
        {"decision": {"id": "d", "slot": 0, "slots": 2}},
        {"trace": {"id": "x", "depth": 2}, "tags": ["a", "b"], "note": None},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "write", [encode, lambda one: json.dumps(one).encode()], ids=["compact", "as Python writes it"]
)
def test_what_producers_write_is_surely_fine(write: Callable[[Any], bytes], changes: dict[str, Any]) -> None:
    value = write(impression(**changes))
    found = IMPRESSIONS.find([Record(b"i1", value, 3, NOW)] * 2)
    assert found.fine.tolist() == [True, True]
    assert DECODER.impressions([Record(b"i1", value, 3, NOW)] * 2) == found.made


@pytest.mark.parametrize(
    "changes", [{}, {"value": 2.5}, {"value": None}, {"signal": "très bien"}, {"by": "app"}], ids=str
)
def test_feedback_that_producers_write_is_surely_fine(changes: dict[str, Any]) -> None:
    value = encode(feedback(**changes))
    found = PIECES.find([Record(b"i1", value, 3, NOW)])
    assert found.fine.tolist() == [True]
    assert DECODER.feedback([Record(b"i1", value, 3, NOW)]) == found.made


odd: st.SearchStrategy[Any] = st.sampled_from([
    None, True, 0, 1, 2, 3, -1, 0.5, 1.0, 1e-10, 2.5e9, 1e300, 10**20, 1_000_000_000, 10**14, "", "a", "i1", MODEL, "é",
    "none", "x" * 128, "x" * 129, "é" * 128, "x" * 300, "\ud800", [], {}, [0.25, 0.75], [0.5, 0.5, 0.1],
    [0.5, None, 0.5], [{"id": "a"}], [{"id": "a"}, {"id": "a"}], [{"id": ""}], [{}], [[{}]], {"user": None},
    {"id": "d", "slot": 1, "slots": 2}, {"id": "d", "slot": 1}, {"id": "d", "slot": -1, "slots": 2}, {"user": {}},
    {"": 1}, {"x" * 128: 1}, {"x" * 129: 1}, {"é" * 65: 1},
    {"a": 1e400}, {str(n): n for n in range(70)}, [{"id": str(n)} for n in range(200)],
])  # fmt: skip


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Draw an impression or feedback with odd members, and now and then a broken text."""
    message = draw(st.sampled_from([impression(), impression(model="crossed", propensity=0.5), feedback()]))
    names = st.sampled_from(sorted({*IMPRESSION.rows, *FEEDBACK.rows, "unknown"}))
    message |= draw(st.dictionaries(names, odd, max_size=2))
    for name in draw(st.lists(st.sampled_from(sorted(message)), max_size=1)):
        del message[name]
    order = draw(st.permutations(sorted(message)))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")]))
    text = json.dumps({name: message[name] for name in order}, separators=separators, ensure_ascii=draw(st.booleans()))
    value = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(value) - 1))
        value = value[:at] + draw(st.sampled_from([b"", b'"', b",", b"}", b"0", b"\\", b"\xff"])) + value[at + 1 :]
    key = draw(st.sampled_from([b"i1", str(message.get("impression_id")).encode("utf-8", "surrogatepass"), None]))
    return Record(key, value, 7, draw(st.sampled_from([NOW, 0, 900_000, -1, -(2**63), 2**63 - 1])))


@given(st.lists(records(), max_size=4))
def test_both_ways_lead_to_the_same_and_to_the_same_refusals(some: list[Record]) -> None:
    ADMISSION._fine_impressions._offered._rests = 0
    assert ADMISSION.impressions(some) == DECODER.impressions(some)
    assert ADMISSION.feedback(some) == DECODER.feedback(some)


@given(records())
def test_what_a_decoder_refuses_is_never_surely_fine(one: Record) -> None:
    (told,) = DECODER.impressions([one])
    assume(isinstance(told, Refusal))
    IMPRESSIONS._offered._rests = 0
    assert IMPRESSIONS.find([one]).fine.tolist() == [False]


@pytest.mark.parametrize(
    ("key", "value", "timestamp"),
    [
        (b"i1", encode(impression(context={"x" * 129: 1})), NOW),
        (b"i\\u0031", encode(impression()).replace(b'"i1"', b'"i\\u0031"'), NOW),
        (b"i1", encode(impression()).replace(b'"feed"', b'"a\\nb"'), NOW),
        (b"i1", encode(impression()), -(2**63)),
        (b"i1", encode(impression()), -1),
    ],
    ids=["long name", "escaped id as key", "escaped name of a model", "stamped before all time", "not stamped"],
)
def test_what_only_looks_fine_is_not(key: bytes, value: bytes, timestamp: int) -> None:
    named = {"a\\nb": CROSSED} | MODELS
    admission = Admission(named, MAX_AHEAD)
    record = Record(key, value, 0, timestamp)
    assert FineImpressions(named, MAX_AHEAD).find([record]).fine.tolist() == [False]
    (told,) = admission.impressions([record])
    assert isinstance(told, Refusal)


def test_feedback_whose_key_is_its_id_with_escapes_is_refused() -> None:
    value = encode(feedback()).replace(b'"i1"', b'"i\\n"')
    (told,) = ADMISSION.feedback([Record(b"i\\n", value, 0, NOW)])
    assert isinstance(told, Refusal)
