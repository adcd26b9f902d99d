"""What is let in, what is refused and why: one bad record must neither pass nor stop the good ones beside it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.events import (
    CONTRADICTIONS,
    LARGEST_WEIGHT,
    LEAST_PROPENSITY,
    MAX_FEATURES,
    Action,
    Features,
    Impression,
    Watermark,
)
from processors.admission.bounds import FEW, MAX_CONTEXT_FEATURES, MAX_CROSSES, MAX_IMPRESSION_BYTES
from processors.admission.event_records import (
    Admission,
    Reason,
    Refusal,
    readmit_feedback,
    readmit_impression,
)
from processors.features.action_set_texts import RESTS
from processors.features.cross_counts import count_crosses
from processors.join.entries import ObservedFeedback, Pending, ShownImpression
from processors.join.written_interactions import encode_interaction
from processors.learners.learner_choice import learner_for
from processors.models.config import ModelConfig
from processors.wire.envelopes import decode_interaction
from tests.factories import MODEL, Record, admitted, encode, feedback, impression, models

NOW = 2_000_000
MAX_AHEAD = 300_000
ADMISSION = Admission(models(MODEL), MAX_AHEAD)
GOOD = encode(impression())
GOOD_FEEDBACK = encode(feedback())


class Hostile(NamedTuple):
    """A value, the reason for which it must be refused, and its key where it is not `i1`."""

    name: str
    value: bytes | None
    reason: str
    key: bytes | None = b"i1"


def spoilt(reason: str, **changes: Any) -> Hostile:
    return Hostile(", ".join(f"{name} {str(value)[:40]}" for name, value in changes.items()),
                   encode(impression(**changes)), reason)  # fmt: skip


def without(field: str, reason: str = "schema") -> Hostile:
    message = impression()
    del message[field]
    return Hostile(f"no {field}", encode(message), reason)


def beside(raw: bytes, value: bytes = GOOD) -> bytes:
    """Return the message with one more member that no type names."""
    return value[:-1] + b"," + raw + b"}"


def replaced(old: bytes, new: bytes) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new)


SCHEMA = [
    *(without(field) for field in ("schema_version", "impression_id", "occurred_at", "model", "context", "actions")),
    without("chosen"),
    without("probabilities", "no_propensity"),
    Hostile("an array", b"[1,2,3]", "schema"),
    Hostile("a number", b"17", "schema"),
    Hostile("null", b"null", "schema"),
    Hostile("a string", b'"impression"', "schema"),
    Hostile("feedback on the impressions topic", GOOD_FEEDBACK, "schema"),
    spoilt("schema", schema_version=2),
    spoilt("schema", schema_version="1"),
    spoilt("schema", impression_id=17),
    spoilt("schema", impression_id="x" * 10_000),
    spoilt("schema", impression_id=""),
    spoilt("schema", occurred_at="yesterday"),
    spoilt("schema", occurred_at=-1),
    spoilt("schema", occurred_at=1.5),
    spoilt("schema", occurred_at=10**18),
    spoilt("schema", model=None),
    spoilt("schema", model="m" * 129),
    spoilt("schema", context=[]),
    spoilt("schema", context={"user": ["u1"]}),
    spoilt("schema", context={"user": None}),
    spoilt("schema", context={"": "u1"}),
    spoilt("schema", context={str(number): 1 for number in range(1025)}),
    spoilt("schema", actions=[]),
    spoilt("schema", actions=["a", "b", "c"]),
    spoilt("schema", actions=[{"id": ""}] * 3),
    spoilt("schema", actions=[{"id": str(number)} for number in range(10_001)]),
    spoilt("schema", chosen=-1),
    spoilt("schema", chosen=True),
    spoilt("schema", chosen=1.0),
    spoilt("schema", probabilities={"a": 1}),
    spoilt("schema", probabilities=["0.25", "0.5", "0.25"]),
    spoilt("schema", propensity="half"),
    spoilt("schema", weight=[1]),
    spoilt("schema", policy_version=-1),
    *(
        Hostile(
            f"actions twice, first {first.decode()} as {name.decode()}",
            beside(
                b'"actions":[{"id":"a"},{"id":"b"},{"id":"c"}]', replaced(b'"actions":', b'%b:%b,"x":' % (name, first))
            ),
            "schema",
        )
        for first in (b"[1]", b"7", b"null", b'[{"id":""}]')
        for name in (b'"actions"', b'"\\u0061ctions"', b'"action\\u0073"')
    ),
    Hostile("a probability beyond floating point", replaced(b"[0.25,", b"[1e999,"), "schema"),
    Hostile("a feature of 5,000 digits", replaced(b'"u1"', b"9" * 5_000), "schema"),
]
CONTRADICTORY = [
    spoilt("chosen_out_of_range", chosen=3),
    spoilt("chosen_out_of_range", chosen=10**30),
    spoilt("duplicate_actions", actions=[{"id": "a"}, {"id": "b"}, {"id": "a"}]),
    spoilt("bad_weight", weight=0),
    spoilt("bad_weight", weight=-1.0),
    spoilt("bad_weight", weight=1e308),
    spoilt("probabilities_length", probabilities=[0.5, 0.5]),
    spoilt("probabilities_length", probabilities=[]),
    spoilt("bad_probabilities", probabilities=[0.5, 0.5, 0.5]),
    spoilt("bad_probabilities", probabilities=[0.2, 0.5, 0.2]),
    spoilt("bad_probabilities", probabilities=[-0.5, 1.0, 0.5]),
    spoilt("bad_probabilities", probabilities=[1e308, 1e308, 1e308]),
    spoilt("bad_propensity", probabilities=[0.5, 0.0, 0.5]),
    spoilt("bad_propensity", probabilities=[0.25, 0.5, 0.25], propensity=0.6),
    spoilt("bad_propensity", probabilities=[0.5, 0.0, 0.5], propensity=0.0005),
    spoilt("bad_propensity", probabilities=None, propensity=0),
    spoilt("bad_propensity", probabilities=None, propensity=-0.5),
    spoilt("bad_propensity", probabilities=None, propensity=1.01),
    spoilt("bad_propensity", probabilities=None, propensity=5e-324),
    spoilt("no_propensity", probabilities=None),
    spoilt("unknown_model", model="nobody"),
    spoilt("from_the_future", occurred_at=NOW + MAX_AHEAD + 1),
    Hostile("a key that is another id", GOOD, "key_is_not_impression_id", b"i2"),
    Hostile("an empty key", GOOD, "key_is_not_impression_id", b""),
    Hostile("a key that is no text", GOOD, "key_is_not_impression_id", b"\xff\xfe"),
    Hostile("no key", GOOD, "key_is_not_impression_id", None),
    Hostile("neither key nor value", None, "key_is_not_impression_id", None),
    Hostile("a watermark with more", b'{"schema_version":1,"watermark":5,"x":1}', "key_is_not_impression_id", None),
    Hostile("a watermark from the future", b'{"schema_version":1,"watermark":%d}' % (NOW + MAX_AHEAD + 1),
            "from_the_future", None),
]  # fmt: skip
BYTES = [
    Hostile("no value", None, "empty"),
    Hostile("an empty value", b"", "empty"),
    Hostile("blanks", b"  \n", "not_json"),
    Hostile("random bytes", bytes(range(256)), "not_json"),
    *(Hostile(f"cut off after {size}", GOOD[:size], "not_json") for size in (1, 40, len(GOOD) // 2, len(GOOD) - 1)),
    Hostile("something after the end", GOOD + b"x", "not_json"),
    Hostile("two messages", GOOD + GOOD, "not_json"),
    Hostile("a byte order mark", b"\xef\xbb\xbf" + GOOD, "not_json"),
    Hostile("UTF-16", GOOD.decode().encode("utf-16"), "not_json"),
    Hostile("NaN", replaced(b"0.5", b"NaN"), "not_json"),
    Hostile("Infinity", replaced(b"0.5", b"Infinity"), "not_json"),
    Hostile("minus Infinity", replaced(b"0.5", b"-Infinity"), "not_json"),
    Hostile("invalid UTF-8 in an id", replaced(b'"i1"', b'"\xff"'), "not_json"),
    Hostile("invalid UTF-8 in a feature", replaced(b'"u1"', b'"\xff"'), "not_json"),
    Hostile("half a surrogate pair", replaced(b'"u1"', b'"\\ud800"'), "not_json"),
    Hostile("invalid UTF-8 in an unknown field", beside(b'"x":"\xff"'), "not_json"),
    Hostile("invalid UTF-8 in an unknown field's name", beside(b'"\xff":1'), "not_json"),
    Hostile("NaN in an unknown field", beside(b'"x":NaN'), "not_json"),
    Hostile("an unknown escape in an unknown field", beside(b'"x":"\\q"'), "not_json"),
    Hostile("a bare line break in an unknown field", beside(b'"x":"a\nb"'), "not_json"),
    Hostile("100,000 levels", b"[" * 100_000, "schema"),
    Hostile("100,000 levels in an unknown field", beside(b'"x":' + b"[" * 100_000 + b"]" * 100_000), "not_json"),
    Hostile("100,000 objects", b'{"x":' * 100_000, "not_json"),
    Hostile("beyond the largest size", beside(b'"x":"%b"' % (b"x" * MAX_IMPRESSION_BYTES)), "too_large"),
]


@pytest.mark.parametrize("case", SCHEMA + CONTRADICTORY + BYTES, ids=lambda case: case.name)
def test_a_hostile_impression_is_refused_with_its_reason(case: Hostile) -> None:
    refusal = admitted(Admission(models(MODEL), MAX_AHEAD).impressions, case.key, case.value, 0, NOW)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, bool(refusal.detail)) == (case.reason, True)


@pytest.mark.parametrize(
    "case",
    [
        Hostile("an impression on the feedback topic", GOOD, "schema"),
        Hostile("a signal of 10 kB", encode(feedback(signal="s" * 10_000)), "too_large"),
        Hostile("an empty signal", encode(feedback(signal="")), "schema"),
        Hostile("the signal of no feedback", encode(feedback(signal="none")), "schema"),
        Hostile("a value that is text", encode(feedback(value="much")), "schema"),
        Hostile("a value of NaN", beside(b'"value":NaN', GOOD_FEEDBACK), "not_json"),
        Hostile("invalid UTF-8 in an unknown field", beside(b'"x":"\xff"', GOOD_FEEDBACK), "not_json"),
        Hostile("another key", GOOD_FEEDBACK, "key_is_not_impression_id", b"i2"),
        Hostile("from the future", encode(feedback(occurred_at=NOW + MAX_AHEAD + 1)), "from_the_future"),
        Hostile("no value", None, "empty"),
    ],
    ids=lambda case: case.name,
)
def test_hostile_feedback_is_refused_with_its_reason(case: Hostile) -> None:
    refusal = admitted(ADMISSION.feedback, case.key, case.value, 0, NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == case.reason


def interaction_of(shown: ShownImpression, *observed: ObservedFeedback) -> bytes:
    return encode_interaction(Pending(shown, shown.occurred_at, tuple(observed)), partition=3, floor=7)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("as it should be", GOOD),
        ("just not too far ahead", encode(impression(occurred_at=NOW + MAX_AHEAD))),
        ("probabilities as rounded by a producer", encode(impression(probabilities=[0.333, 0.333, 0.333]))),
        ("only the propensity", encode(impression(probabilities=None, propensity=0.5))),
        ("the least propensity", encode(impression(probabilities=None, propensity=LEAST_PROPENSITY))),
        ("the largest weight", encode(impression(weight=LARGEST_WEIGHT))),
        ("numbers as large as they come", replaced(b'"u1"', b"9" * 400)),
        ("blanks around it", b" " + GOOD + b"\r\n"),
        ("text of every plane", encode(impression(context={"\u00e9": "\u6f22\U0001f600"}))),
        ("text in escapes", replaced(b'"u1"', b'"\\ud83d\\ude00\\u0000\\n"')),
        ("fields that no type names", beside(b'"trace":{"span":[1,2,{"deep":null}]},"more":1e999')),
        ("a field named twice, with one value", beside(b'"chosen":1')),
        ("the same in other words", beside(b'"w\\u0065ight":1.0,"weight":1.0,"x":{"a":[1,{}]},"x":{"a":[1,{}]}')),
        ("an unknown field at a depth that may be spliced", beside(b'"x":' + b"[" * 500 + b"]" * 500)),
        ("10,000 actions", encode(impression(
            actions=[{"id": str(number)} for number in range(10_000)], probabilities=None, propensity=1e-4))),
    ],
)  # fmt: skip
def test_what_is_odd_but_true_is_let_in_and_can_be_learned(name: str, value: bytes) -> None:
    shown = admitted(ADMISSION.impressions, b"i1", value, 5, NOW)
    assert isinstance(shown, ShownImpression), name
    interaction = decode_interaction(interaction_of(shown))
    (reward,) = learner_for(ModelConfig(name=MODEL, definitely_negative=frozenset({"dislike"}), hash_bits=10)).learn(
        [interaction]
    )
    assert reward is not None
    assert abs(reward.weight) < float("inf")


@pytest.mark.parametrize(
    ("changes", "meant"),
    [
        ({"weight": None}, {}),
        ({"deferred": None}, {}),
        ({"policy_version": None}, {}),
        ({"propensity": None}, {}),
        ({"probabilities": None, "propensity": 0.5, "weight": None}, {"probabilities": None, "propensity": 0.5}),
        ({"actions": [{"id": "a", "features": None}, {"id": "b"}, {"id": "c", "features": {"x": 1}}]}, {}),
        ({"probabilities": [1.0000001192092896, 0.0, 0.0], "chosen": 0}, {"probabilities": [1.0, 0.0, 0.0]}),
        ({"probabilities": [-5.9604645e-08, 1.0, 0.0]}, {"probabilities": [0.0, 1.0, 0.0]}),
        ({"probabilities": [0.25, 0.5, 0.249]}, {"probabilities": [0.25, 0.5, 0.249]}),
        ({"probabilities": None, "propensity": 1.0000001192092896}, {"probabilities": None, "propensity": 1.0}),
        ({"probabilities": [1.0, 0.0, -6e-08], "chosen": 0, "weight": None}, {"probabilities": [1.0, 0.0, 0.0]}),
    ],
)
def test_what_libraries_write_a_little_differently_is_let_in_as_it_was_meant(
    changes: dict[str, Any], meant: dict[str, Any]
) -> None:
    value = encode(impression(**changes) | {"trace": {"span": None}})
    shown = admitted(ADMISSION.impressions, b"i1", value, 5, NOW)
    assert isinstance(shown, ShownImpression)
    written = msgspec.json.decode(bytes(shown.value))
    expected = {name: one for name, one in {**impression(), **changes, **meant}.items() if one is not None}
    expected["actions"] = [
        {name: one for name, one in action.items() if one is not None} for action in expected["actions"]
    ]
    assert {name: one for name, one in written.items() if one is not None} == expected | {"trace": {"span": None}}
    interaction = decode_interaction(interaction_of(shown))
    assert interaction.impression.weight == 1.0
    assert 0 < interaction.impression.chosen_propensity <= 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"context": None}, '`null` - at `$.context`; for example "context": {"user":"ann","age":31}'),
        ({"occurred_at": "2026-11-22"}, 'got `str` - at `$.occurred_at`; for example "occurred_at": 1795310400000'),
        ({"occurred_at": 1_795_310_400}, "1795310400, looks like seconds; write milliseconds, as 1795310400000"),
        (
            {"occurred_at": 1_795_310_400_000_000},
            "looks like microseconds or nanoseconds: write milliseconds, as 17953104",
        ),
        ({"occurred_at": 2 * 10**12 + 7_199_000}, "about 2 h ahead, as local time is that was written for UTC"),
        ({"occurred_at": 2 * 10**12 + 5_000_000}, "and set the clock"),
        ({"actions": ["a", "b"]}, 'for example "actions": [{"id":"a"},{"id":"b","features":{"price":1.5}}]'),
        ({"actions": [{"id": "a"}] * 3}, "two actions have the same id, 'a'"),
        ({"model": "other"}, f"model 'other' is not configured; there is: {MODEL}"),
        ({"probabilities": [0.25, 1.2, -0.45]}, "as [0.75, 0.25] do; number 1 is 1.2"),
        ({"probabilities": [0.5, 0.5, 0.5]}, "probabilities must sum to 1, as [0.75, 0.25] do; they sum to 1.5"),
        ({"probabilities": None, "propensity": 1.01}, "propensity of the chosen action is 1.01"),
    ],
)
def test_a_refusal_says_why_with_an_example(changes: dict[str, Any], said: str) -> None:
    refusal = admitted(ADMISSION.impressions, b"i1", encode(impression(**changes)), 5, 2 * 10**12)
    assert isinstance(refusal, Refusal)
    assert said in refusal.detail


def test_feedback_in_seconds_is_refused_in_words() -> None:
    refusal = admitted(ADMISSION.feedback, b"i1", encode(feedback(occurred_at=1_795_310_400)), 5, 2 * 10**12)
    assert isinstance(refusal, Refusal)
    assert "looks like seconds" in refusal.detail


def test_what_is_no_json_is_told_by_its_beginning() -> None:
    refusal = admitted(ADMISSION.impressions, b"i1", b"impression_id=i1&model=feed", 5, NOW)
    assert isinstance(refusal, Refusal)
    assert "it begins with b'impression_id=i1&model=feed'" in refusal.detail


def test_an_impression_with_few_features_and_actions_is_never_too_much_to_learn() -> None:
    features: Features = {str(number): number for number in range(MAX_FEATURES)}
    context = {str(number): number for number in range(FEW)}
    contexts, crosses = count_crosses(context, [Action(str(number), features) for number in range(FEW)], crosses=True)
    assert contexts <= MAX_CONTEXT_FEATURES
    assert crosses <= MAX_CROSSES


def test_a_watermark_is_a_record_without_a_key() -> None:
    value = encode({"schema_version": 1, "watermark": NOW})
    assert admitted(ADMISSION.impressions, None, value, 0, NOW) == Watermark(1, NOW)
    assert admitted(ADMISSION.feedback, None, value, 0, NOW) == Watermark(1, NOW)


def test_what_was_deepest_when_let_in_decodes_where_the_stack_is_deeper() -> None:
    def let_in(levels: int) -> bool:
        value = beside(b'"x":' + b"[" * levels + b"]" * levels)
        return isinstance(admitted(ADMISSION.impressions, b"i1", value, 0, NOW), ShownImpression)

    deepest = max(levels for levels in range(100, 1_000, 5) if let_in(levels))
    shown = admitted(ADMISSION.impressions, b"i1", beside(b'"x":' + b"[" * deepest + b"]" * deepest), 0, NOW)
    assert isinstance(shown, ShownImpression)

    def with_deeper_stack(frames: int) -> None:
        if frames:
            with_deeper_stack(frames - 1)
        else:
            decode_interaction(interaction_of(shown))
            readmit_impression(bytes(shown.value), 0)

    with_deeper_stack(50)


# -- properties -----------------------------------------------------------------------------------------------

literals = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
trees = st.recursive(
    literals,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def spoilt_messages(draw: st.DrawFn) -> bytes:
    """Draw a valid message with some members replaced or added, some bytes changed, or its end cut off."""
    message = draw(st.sampled_from([impression(), feedback()]))
    names = st.sampled_from(sorted({*impression(), *feedback(), "propensity", "weight", "unknown"}))
    message |= draw(st.dictionaries(names, trees, max_size=2))
    value = bytearray(json.dumps(message, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 2))):
        value[draw(st.integers(0, len(value) - 1))] = draw(st.integers(0, 255))
    return bytes(value[: draw(st.sampled_from([len(value), draw(st.integers(0, len(value)))]))])


values = st.none() | st.binary(max_size=200) | spoilt_messages() | trees.map(lambda tree: json.dumps(tree).encode())
keys = st.none() | st.just(b"i1") | st.binary(max_size=8)


@given(keys, values, st.integers(0, 2**62), st.integers(-1, 2**62))
def test_any_bytes_whatever_are_let_in_or_refused_and_nothing_else(
    key: bytes | None, value: bytes | None, offset: int, timestamp: int
) -> None:
    shown = admitted(ADMISSION.impressions, key, value, offset, timestamp)
    assert isinstance(shown, ShownImpression | Watermark | Refusal)
    observed = admitted(ADMISSION.feedback, key, value, offset, timestamp)
    assert isinstance(observed, ObservedFeedback | Watermark | Refusal)
    if isinstance(shown, ShownImpression):
        decoded = decode_interaction(interaction_of(shown))
        assert (decoded.impression.impression_id, decoded.source.offset) == (shown.id, offset)
        assert readmit_impression(bytes(shown.value), offset) == shown
    if isinstance(observed, ObservedFeedback):
        good = ShownImpression(observed.impression_id, 0, MODEL, 0, GOOD)
        decoded = decode_interaction(interaction_of(good, observed))
        assert decoded.signals == [observed.signal]
        assert readmit_feedback(observed.value, offset, observed.log_time) == observed


@given(st.dictionaries(st.text(max_size=8), trees, max_size=3))
def test_fields_that_no_type_names_travel_on_for_any_reader(extra: dict[str, Any]) -> None:
    extra = {name: value for name, value in extra.items() if name not in Impression.__struct_fields__}
    shown = admitted(ADMISSION.impressions, b"i1", json.dumps({**impression(), **extra}).encode(), 0, NOW)
    assert isinstance(shown, ShownImpression)
    assert json.loads(interaction_of(shown))["impression"] == {**impression(), **extra}


@given(st.lists(st.tuples(keys, values), max_size=6))
def test_a_record_is_what_it_is_whatever_lies_beside_it(records: list[tuple[bytes | None, bytes | None]]) -> None:
    stretch = [Record(key, value, offset, NOW) for offset, (key, value) in enumerate(records)]
    new = Admission(models(MODEL), MAX_AHEAD)  # which leaves no actions to the decoder yet
    assert new.impressions(stretch) == [admitted(ADMISSION.impressions, *one) for one in stretch]
    assert ADMISSION.feedback(stretch) == [admitted(ADMISSION.feedback, *one) for one in stretch]


def test_where_most_actions_are_new_it_is_left_to_the_decoder_for_a_while_and_comes_to_the_same() -> None:
    admission = Admission(models(MODEL), MAX_AHEAD)
    for number in range(3 * RESTS):
        actions = [{"id": f"{name}{number}"} for name in "abc"]
        for shown, expected in ((actions, ShownImpression), ([*actions, actions[0]], Refusal)):
            value = encode(impression(actions=shown, probabilities=None, propensity=0.5))
            assert isinstance(admitted(admission.impressions, b"i1", value, 0, NOW), expected)


def test_actions_that_were_met_are_no_more_trusted_in_other_company() -> None:
    admission = Admission(models(MODEL), MAX_AHEAD)
    pair = [{"id": "a"}, {"id": "b"}]
    for actions, reason in ([*pair, {"id": "c"}], None), ([*pair, {"id": "a"}], "duplicate_actions"), (
        [*pair, {"id": "a", "features": {"x": 1}}], "duplicate_actions"), ([*pair, {"id": 3}], "schema"), (
        [*pair, {"id": "c", "features": {"x": []}}], "schema"), ([*pair, {"id": "c"}], None):  # fmt: skip
        shown = admitted(admission.impressions, b"i1", encode(impression(actions=actions)), 0, NOW)
        assert (shown.reason if isinstance(shown, Refusal) else None) == reason


MANY = {f"f{n}": 1 for n in range(1_000)}


@pytest.mark.parametrize(
    ("value", "key", "reason", "remedy"),
    [
        (b"", b"i1", "empty", "write the message as JSON"),
        (b"{", b"i1", "not_json", "write JSON in UTF-8"),
        (b"id,model", b"i1", "not_json", "write JSON in UTF-8"),
        (GOOD, b"i2", "key_is_not_impression_id", "make it its plain bytes in UTF-8"),
        (GOOD, b'"i1"', "key_is_not_impression_id", "make it its plain bytes in UTF-8, without quotes"),
        (encode(impression(context={"n": "x" * 600_000})), b"i1", "too_large", "log fewer or shorter features"),
        (encode(impression(model="nope")), b"i1", "unknown_model", "Add a section [models.NAME], or mend it"),
        (encode(impression(chosen=9)), b"i1", "chosen_out_of_range", "the index of the one that was shown, from 0 to"),
        (encode(impression(actions=[{"id": "a"}] * 3)), b"i1", "duplicate_actions", "give each its own"),
        (encode(impression(weight=0.0)), b"i1", "bad_weight", "leave it out"),
        (
            encode(impression(context={"user": "ann", "age": None})),
            b"i1", "schema", '`null` - at `$.context["age"]`; leave out what is not known',
        ),
        (encode(impression(context={"a.b": [1]})), b"i1", "schema", 'got `array` - at `$.context["a.b"]`; for example'),
        (encode(impression(context={"": 1})), b"i1", "schema", 'of length >= 1 - at `$.context[""]`'),
        (
            encode(impression(actions=[{"id": "a"}, {"id": "b", "features": {"x": 1, "p": None}}, {"id": "c"}])),
            b"i1", "schema", '`null` - at `$.actions[1].features["p"]`; leave out what is not known',
        ),
        (encode(impression(probabilities=None)), b"i1", "no_propensity", "log the probability by which"),
        (encode(impression(probabilities=[0.5])), b"i1", "probabilities_length", "log one for each, in their order"),
        (encode(impression(probabilities=[1.5] * 3)), b"i1", "bad_probabilities", "as [0.75, 0.25] do"),
        (encode(impression(propensity=0.999)), b"i1", "bad_propensity", "log one of the two"),
        (
            encode(impression(context=MANY, actions=[{"id": one, "features": MANY} for one in "abc"])),
            b"i1", "too_many_features", "leave some out",
        ),
        (encode(impression(occurred_at=NOW + 2 * MAX_AHEAD)), b"i1", "from_the_future", "set the clock"),
        (encode(impression(occurred_at=1_767_225_600)), b"i1", "schema", "write milliseconds, as 1767225600000"),
        (encode(impression(probabilities=[33.3, 33.3, 33.4])), b"i1", "bad_probabilities", "write 0.5 for 50 %"),
        (encode(impression(probabilities=None, propensity=50)), b"i1", "bad_propensity", "write 0.5 for 50 %"),
        (encode(impression(probabilities=None, propensity=2.0)), b"i1", "bad_propensity", "weight, 1/p, write p: 0.5"),
        (encode(impression(probabilities=None, propensity=400)), b"i1", "bad_propensity", "1/p, write p: 0.0025"),
        (encode(impression(probabilities=None, propensity=-0.69)), b"i1", "bad_propensity", "write exp of it, 0.502"),
        (encode(impression(probabilities=None, propensity=-1e9)), b"i1", "bad_propensity", "looks like a logarithm"),
        (encode(impression(probabilities=None, propensity=0)), b"i1", "bad_propensity", "had a chance: write that of"),
        (encode(impression(probabilities=None, propensity=1e-12)), b"i1", "bad_propensity", "and no floor"),
        (encode(impression(probabilities=[-1.1, -1.1, -1.1])), b"i1", "bad_probabilities", "write exp of it, 0.333"),
        (encode(impression(probabilities=[1.0, 0.0, 0.0], chosen=1)), b"i1", "bad_propensity", "action at `chosen`"),
        (encode(json.dumps(impression())), b"i1", "schema", "JSON within JSON: encode it once"),
        (encode([impression()] * 2), b"i1", "schema", "one record is one message"),
        (encode(impression(context={"user": None})), b"i1", "schema", "leave out what is not known"),
        (encode(impression(context={"user": ["ann"]})), b"i1", "schema", 'for example "context"'),
        (GOOD_FEEDBACK, b"i1", "schema", "it is feedback: write it to"),
        (encode(impression() | {"occurred_at": "now"}), b"i1", "schema", '1795310400000, in milliseconds since 1970'),
        (encode(impression() | {"chosen": "a"}), b"i1", "schema", '0, the index of the action that was shown, from 0'),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_with_what_to_do(value: bytes, key: bytes, reason: str, remedy: str) -> None:
    (refusal,) = ADMISSION.impressions([Record(key, value, 0, NOW)])
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason
    assert remedy in refusal.detail
    assert reason in {*Reason, *CONTRADICTIONS}


def test_feedback_that_says_that_there_was_none_is_told_to_be_left_out() -> None:
    refusal = admitted(ADMISSION.feedback, b"i1", encode(feedback(signal="none")), 0, NOW)
    assert isinstance(refusal, Refusal)
    assert "says that nothing came back: send nothing then" in refusal.detail
    waited = readmit_feedback(encode(feedback(signal="none")), 7, NOW)  # let in by a release that took it
    assert waited.signal == "none"


def test_an_impression_among_feedback_is_told_for_what_it_is() -> None:
    (refusal,) = ADMISSION.feedback([Record(b"i1", GOOD, 0, NOW)])
    assert isinstance(refusal, Refusal)
    assert "it is an impression: write it to" in refusal.detail
