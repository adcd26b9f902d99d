"""What is remembered of texts is bounded by the bytes that it takes, whatever producers send."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from groundswell.events import Action
from processors.features.action_set_features import ActionSetFeatures
from processors.features.action_set_texts import ActionSetTexts
from processors.features.feature_store import FeatureStore
from processors.features.known_texts import MOST_BYTES, KnownTexts
from processors.features.remembered_texts import RememberedTexts
from processors.join import written_interactions
from processors.join.written_interactions import FEW, encode_interaction
from processors.learners.people_differ import LONGEST_VALUE, PeopleDiffer
from processors.learners.signal_reading import SignalReading
from processors.models.config import ModelConfig
from tests.unit.join.test_written_interactions import pending

MOST = 500_000
MODEL = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}))


def held_by(steps: int, step: Callable[[int], object]) -> int:
    """Return the most bytes that are held while so many steps are made."""
    tracemalloc.start()
    try:
        for number in range(steps):
            step(number)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def long_text(store: FeatureStore, number: int) -> None:
    store.context({"text": str(number) + "x" * 100_000})


def huge_number(store: FeatureStore, number: int) -> None:
    store.context({f"n{n}": 10**4_000 + number for n in range(30)})


def many_features(store: FeatureStore, number: int) -> None:
    store.context({f"{number}-{n}": n + 1 for n in range(500)})


def long_action(store: FeatureStore, number: int) -> None:
    store.actions([Action("a", {"text": str(number) + "x" * 50_000})])


def many_actions(store: FeatureStore, number: int) -> None:
    store.actions([Action(f"{number}-{n}") for n in range(200)])


@pytest.mark.parametrize("sent", [long_text, huge_number, many_features, long_action, many_actions])
def test_a_store_of_features_is_bounded_by_the_texts_that_it_keeps(sent: Callable[[FeatureStore, int], None]) -> None:
    store = FeatureStore(crosses=False, most_bytes=MOST)

    def step(number: int) -> None:
        store.trim()
        assert store.bytes <= MOST
        sent(store, number)

    assert held_by(40, step) < 4 * MOST


def row(store: FeatureStore) -> list[list[float]]:
    """Return hashes and values of a context."""
    number = store.context({"user": "a", "age": 3})
    start, hashes, values, *_ = store.arrays
    begin, end = start[number : number + 2]
    return [hashes[begin:end].tolist(), values[begin:end].tolist()]


def test_what_a_store_forgets_it_finds_again_as_it_was() -> None:
    store = FeatureStore(crosses=True, most_bytes=MOST)
    before = row(store)
    while store.bytes:
        long_text(store, store.bytes)
        store.trim()
    assert row(store) == before


@pytest.mark.parametrize("kind", [ActionSetTexts, ActionSetFeatures])
@pytest.mark.parametrize(
    "action", [{"id": "\U0001f600" * 200}, {"id": "a", "features": {f"{n:x}": 1 for n in range(300)}}]
)
def test_what_is_known_of_actions_counts_beside_their_texts(kind: type[ActionSetTexts], action: dict[str, Any]) -> None:
    found = kind()
    found._pieces = KnownTexts(members=False, most=100, most_bytes=MOST)

    def step(number: int) -> None:
        acts = [{**action, "id": f"{number}-{n}-{action['id']}"[:256]} for n in range(20)]
        found.find([Raw(msgspec.json.encode(acts))])

    step(0)  # compiled code takes memory of its own
    assert held_by(30, step) < 4 * MOST


def test_texts_that_are_remembered_are_forgotten_when_they_take_too_much() -> None:
    known = RememberedTexts[int](MOST)
    assert held_by(500, lambda number: known.keep(f"{number}" + "s" * 6_000, number)) < MOST
    assert known.keep("last", 7) == known["last"] == 7
    known.clear()
    assert known._bytes == 0


def test_names_of_buckets_are_bounded_by_what_they_take() -> None:
    reading = SignalReading(MODEL, learns_values=True)
    reading._names = RememberedTexts(MOST)
    assert held_by(1_000, lambda number: reading._bucket_names(f"{number}" + "s" * 120)) < 2 * MOST


def test_of_many_signals_in_a_row_nothing_is_remembered() -> None:
    encode_interaction(pending(), 0, 0)
    known = written_interactions._distinct.cache_info().currsize
    many = pending(*((f"signal{n}", n, n) for n in range(FEW + 1)))
    assert msgspec.json.decode(encode_interaction(many, 0, 0))["signals"] == [f"signal{n}" for n in range(FEW + 1)]
    assert written_interactions._distinct.cache_info().currsize == known


def test_a_long_text_is_no_category_of_people() -> None:
    people = PeopleDiffer()
    reward: Any = SimpleNamespace(state=1, signal="like")
    people.observe([{"essay": "x" * (LONGEST_VALUE + 1), "country": "x" * LONGEST_VALUE}], [reward])
    assert list(people._features) == ["country"]


def test_by_itself_it_is_bounded_as_the_sizing_says() -> None:
    assert MOST_BYTES == 32_000_000
    assert FeatureStore(crosses=False)._most_bytes == 200_000_000
