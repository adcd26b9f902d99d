from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.events import Action, Features
from groundswell.features import action_features, context_features, crossed, feature, fmix32, hashed
from processors.features import crosses
from processors.features.feature_store import FeatureStore

hashes = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("number", "mixed"),
    [(0, 0), (1, 0x514E28B7), (0xFFFFFFFF, 0x81F16F39), (0xDEADBEEF, 0x0DE5C6A9)],
)
def test_fmix32_is_murmur3s(number: int, mixed: int) -> None:
    assert fmix32(number) == mixed


@settings(deadline=None)  # the first call compiles
@given(hashes, hashes)
def test_the_kernel_crosses_as_python_does(left: int, right: int) -> None:
    assert int(crosses.cross(left, right)) == crossed(left, right)


@pytest.mark.parametrize(
    ("name", "value", "text", "number"),
    [
        ("user", "ann", "user=ann", 1.0),
        ("logged_in", True, "logged_in=true", 1.0),
        ("logged_in", False, "logged_in=false", 1.0),
        ("age", 31, "age", 31.0),
        ("age", -2.5, "age", -2.5),
        ("price", 10**400, "price", 1e9),
    ],
)
def test_text_is_one_feature_per_value_and_a_number_is_one_feature(
    name: str, value: str | float, text: str, number: float
) -> None:
    assert feature(name, value) == (hashed(text), number)


def test_a_zero_says_nothing() -> None:
    assert context_features({"age": 0}, crosses=False) == context_features({}, crosses=False)
    assert action_features(Action("a", {"price": 0.0})) == action_features(Action("a"))


def test_the_order_of_names_does_not_matter() -> None:
    assert context_features({"a": "x", "b": 2}, True) == context_features({"b": 2, "a": "x"}, True)


def test_crosses_add_every_pair() -> None:
    features = dict(context_features({"age": 3, "user": "ann"}, crosses=True))
    assert features[crossed(hashed("age"), hashed("user=ann"))] == 3.0
    assert len(features) == 4


@pytest.mark.parametrize("other", [{"x": 1.5}, {"x": "1"}, {"x": True}, {"y": 1}, {"x": 1, "y": "z"}, {}])
def test_the_store_tells_contexts_apart(other: Features) -> None:
    store = FeatureStore(crosses=False)
    assert store.context({"x": 1}) != store.context(other)
    assert store.context({"x": 1}) == store.context({"x": 1})


def test_the_store_tells_action_sets_apart() -> None:
    store = FeatureStore(crosses=False)
    a, b = Action("a"), Action("b")
    rows = [store.actions(actions) for actions in ([a, b], [b, a], [a], [a, Action("b", {"n": 1})])]
    assert len(set(rows)) == 4
    assert store.actions([a, b]) == rows[0]


def test_the_store_sees_through_two_objects_that_are_the_same_action_and_through_an_id_used_twice() -> None:
    store = FeatureStore(crosses=False)
    plain, described = Action("a"), Action("a", {"n": 1})
    rows = [store.actions([action]) for action in (plain, described, plain, Action("a"), Action("a", {"n": True}))]
    assert rows == [0, 1, 0, 0, 2]


def test_rows_are_the_same_however_often_the_arrays_are_asked_for_in_between() -> None:
    often, once = FeatureStore(crosses=True), FeatureStore(crosses=True)
    for number in range(200):
        for store in (often, once):
            store.context({"user": f"u{number}", "n": number / 7})
            store.actions([Action(str(number + place), {"n": number}) for place in range(3)])
        assert often.arrays
    assert beginnings(often.arrays) == beginnings(once.arrays)


def beginnings(arrays: Iterable[Any]) -> list[list[float]]:
    """Return of each array what is filled after 200 rows."""
    return [list(array[:200]) for array in arrays]


def test_a_trimmed_store_begins_anew() -> None:
    store = FeatureStore(crosses=False, most_bytes=0)
    store.context({"x": "old"})
    store.trim()
    assert store.context({"x": "new"}) == 0
