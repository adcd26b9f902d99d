"""Interactions as they are written, and the floor that deduplication leans on."""

from __future__ import annotations

import json

import pytest

from processors.join.entries import ObservedFeedback, Pending, ShownImpression
from processors.join.written_interactions import encode_interaction, floor_of, shard_key
from processors.wire.envelopes import decode_interaction
from tests.factories import encode, feedback, impression


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


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (3, b"user=3.0"),
        (3.0, b"user=3.0"),
        (True, b"user=1.0"),
        ("3", b"user=3"),
        (10**400, b"user=inf"),
        (-(10**4_298), b"user=-inf"),
    ],
)
def test_a_shard_is_found_by_any_number_also_one_beyond_what_a_float_holds(value: object, key: bytes) -> None:
    shown = ShownImpression("i1", 1_000_000, "feed", 17, encode(impression(context={"user": value})))
    assert shard_key(Pending(shown, 1_000_000, ()), "user") == key
