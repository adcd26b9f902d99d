"""Interactions as they are written, and the floor that deduplication leans on."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.events import Interaction
from processors.interactions import decode_interaction, encode_interaction, floor_of
from processors.join import ObservedFeedback, Pending, ShownImpression
from tests.factories import encode, feedback, impression
from tests.unit.rounds import uniform_log


def pending(*came: tuple[str, int, int], offset: int = 17) -> Pending:
    """Return an impression with feedback, given as (signal, occurred_at, offset)."""
    observed = [
        ObservedFeedback(f"f{at}", "i1", when, signal, at, encode(feedback("i1", when, signal=signal)))
        for signal, when, at in came
    ]
    shown = ShownImpression("i1", 1_000_000, "feed", offset, encode(impression()))
    return Pending(shown, 1_000_000, tuple(observed))


def test_an_interaction_is_the_messages_as_they_came_and_where_they_lay() -> None:
    value = encode_interaction(pending(("click", 1_000_100, 0)), partition=3, floor=11)
    assert json.loads(value) == {
        "schema_version": 1,
        "source": {"partition": 3, "offset": 17, "floor": 11},
        "impression": impression(),
        "feedback": [feedback("i1", 1_000_100)],
        "signals": ["click"],
    }
    decoded = decode_interaction(value)
    assert (decoded.source.offset, decoded.impression.chosen_propensity) == (17, 0.5)


@pytest.mark.parametrize(
    ("came", "signals"),
    [
        ([], ["none"]),
        ([("click", 10, 0)], ["click"]),
        ([("like", 30, 0), ("click", 10, 1), ("share", 20, 2)], ["click", "share", "like"]),
        ([("like", 10, 5), ("click", 10, 4)], ["click", "like"]),
        ([("click", 10, 0), ("like", 20, 1), ("click", 30, 2)], ["click", "like"]),
        ([('"quoted"\n', 10, 0), ("g\u00e9nial \U0001f600", 20, 1)], ['"quoted"\n', "g\u00e9nial \U0001f600"]),
    ],
    ids=["nothing came", "one", "as they occurred, not as they arrived", "at once: as logged", "repeated", "any text"],
)
def test_signals_are_distinct_and_in_the_order_in_which_they_occurred(
    came: list[tuple[str, int, int]], signals: list[str]
) -> None:
    interaction = decode_interaction(encode_interaction(pending(*came), 0, 0))
    assert interaction.signals == signals
    assert len(interaction.feedback) == len(came)
    assert [one.occurred_at for one in interaction.feedback] == sorted(one[1] for one in came)


@pytest.mark.parametrize(
    ("name", "closed", "still_pending", "next_offset", "floor"),
    [
        ("nothing pending: all that was read has been written", [], None, 9, 9),
        ("something pending: only what lies before it", [], 4, 9, 4),
        ("written together: none lies below the floor of another", [2, 7], 5, 9, 2),
        ("older ones pending than written", [7, 8], 5, 9, 5),
    ],
)
def test_the_floor_lies_below_all_that_may_still_come(
    name: str, closed: list[int], still_pending: int | None, next_offset: int, floor: int
) -> None:
    assert floor_of([pending(offset=offset) for offset in closed], still_pending, next_offset) == floor, name


ACTION_TEXTS = [
    '{"id":"a"}', '{"id":"b","features":{"n":1}}', '{"id":"b","features":{"n":1.0}}',
    '{"id":"b","features":{"n":true}}',
    '{"id":"a},{b"}', '{"id":"c\\"},{\\"id\\":\\"d"}', '{"x":[{},{"id":"e"},{}],"id":"f"}', ' {"id":"g"} ',
    '{ "id" : "h" }', '{"id":"i","id":"j"}', '{"id":""}', '{"id":1}', '{}', '{"features":{}}', '{"id":"k"', '"l"',
    "null", '"},{"', '{"id":"m","x":"', '","id":"n"}', '{"id":"\u6f22","features":{"\u00e9":"\U0001f600"}}', "",
]  # fmt: skip


def outcome(decode: Callable[[bytes], Interaction], value: bytes) -> object:
    """Return the actions that a decoder finds, written so that 1, 1.0 and true differ, or that it finds none."""
    try:
        return repr(decode(value).impression.actions)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "refused"


@given(st.lists(st.sampled_from(ACTION_TEXTS), max_size=4), st.sampled_from([",", ", ", ""]))
def test_actions_are_what_is_written_whatever_was_met_before(texts: list[str], between: str) -> None:
    begin, end = msgspec.json.encode(uniform_log(1)[0]).split(b'"actions":')
    value = begin + b'"actions":[' + between.join(texts).encode() + b"]" + end[end.index(b',"chosen"') :]
    assert outcome(decode_interaction, value) == outcome(msgspec.json.Decoder(Interaction).decode, value)


@pytest.mark.parametrize("between", ["},{", "}, {"])
def test_an_action_that_was_met_before_is_the_same_object(between: str) -> None:
    value = encode_interaction(pending(), 0, 0).replace(b"},{", between.encode())
    first, second = decode_interaction(value), decode_interaction(value)
    pairs = list(zip(first.impression.actions, second.impression.actions, strict=True))
    assert len(pairs) > 1
    assert all(one is other for one, other in pairs)
