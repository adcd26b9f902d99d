"""Scores to the last bit: the sum in the stated order, whatever way the table takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell import scoring
from groundswell.events import Action
from groundswell.features import Feature, action_features, context_features, crossed
from groundswell.scoring import WeightTable

NAMES = ("user", "age", "kind", "price", "slot")
values = st.one_of(st.sampled_from(["ann", "bob", ""]), st.booleans(), st.integers(-3, 3), st.floats(-1e9, 1e9))
described = st.dictionaries(st.sampled_from(NAMES), values, max_size=4)
offered = st.lists(described, min_size=1, max_size=6).map(
    lambda features: [Action(f"a{number}", one) for number, one in enumerate(features)]
)


def weights_of(context: Sequence[Feature], actions: Sequence[Action], bits: int, seed: int) -> dict[int, float]:
    """Return a weight for some of the crosses that come up."""
    random = np.random.default_rng(seed)
    crosses = {crossed(g, h) % 2**bits for g, _ in context for action in actions for h, _ in action_features(action)}
    sizes = 10.0 ** random.integers(-8, 8, len(crosses))
    weights = random.normal(0, sizes) * (random.random(len(crosses)) < 0.8)
    return dict(zip(sorted(crosses), weights.tolist(), strict=True))


@pytest.mark.parametrize("bits", [4, 20, 21, 32])
@pytest.mark.parametrize("block", [1, 7, 1 << 16])
@given(described, offered, st.booleans(), st.integers(0, 1000))
def test_terms_are_added_from_left_to_right_however_many_are_computed_at_once(
    bits: int, block: int, shown: dict[str, str | float], actions: list[Action], crosses: bool, seed: int
) -> None:
    context = context_features(shown, crosses)
    weights = weights_of(context, actions, bits, seed)
    expected = []
    for action in actions:
        total = 0.0
        for g, x in context:
            for h, y in action_features(action):
                total += weights.get(crossed(g, h) % 2**bits, 0.0) * (x * y)
        expected.append(total)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "_BLOCK", block)
        table = WeightTable([*weights], [*weights.values()], bits)
        assert [score.hex() for score in table.scores(context, actions)] == [score.hex() for score in expected]
        for _ in range(scoring._OFTEN):
            again = table.scores(context, actions)
        assert [score.hex() for score in again] == [score.hex() for score in expected], "of a table that is asked often"


def test_a_thread_may_score_while_another_spreads_the_weights_out(monkeypatch: pytest.MonkeyPatch) -> None:
    context, actions = context_features({"user": "ann"}, crosses=False), [Action("a"), Action("b")]
    table = WeightTable(range(16), np.random.default_rng(0).normal(size=16).tolist(), 4)
    expected = table.scores(context, actions)
    find, meanwhile = np.searchsorted, list[list[float]]()

    def found(*arguments: Any) -> Any:
        while len(meanwhile) < 2 * scoring._OFTEN:
            meanwhile.append([])
            meanwhile[-1] += table.scores(context, actions)  # as another thread would, at this very moment
        return find(*arguments)

    monkeypatch.setattr(np, "searchsorted", found)
    assert table.scores(context, actions) == expected
    assert meanwhile == [expected] * (2 * scoring._OFTEN)


def test_what_is_offered_beside_an_action_does_not_change_its_score() -> None:
    context = context_features({"user": "ann", "age": 2.5}, crosses=True)
    actions = [Action("a"), Action("b", {"price": 0.1, "kind": "news"}), Action("c", {"kind": "jazz"})]
    table = WeightTable(range(16), np.random.default_rng(0).normal(size=16).tolist(), 4)
    together = table.scores(context, actions)
    assert together == [score for action in actions for score in table.scores(context, [action])]
