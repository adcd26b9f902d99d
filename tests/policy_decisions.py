"""Decisions by any policy, for programs in other languages that have to make of them what `groundswell` does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings
from msgspec import UNSET, UnsetType

from groundswell.events import Action, FeatureValue
from groundswell.exploration import Exploration
from groundswell.features import CONSTANT_HASH, action_features, context_features, crossed
from groundswell.policy import InDoubt, Policy, PolicySnapshot, Weights

Decision = tuple[PolicySnapshot, dict[str, FeatureValue], list[Action]]
CLOSE: Final = 1e-12
NOT_THERE: Final = 17
"""The hash of a feature that no context has."""

# Eighths, and one large number: sums in another order are the same to the bit, and ties are ties in every language.
numbers = st.one_of(st.integers(-3, 3), st.integers(-24, 24).map(lambda n: n / 8), st.sampled_from([1e-10, -1e-10]))
values = st.one_of(st.text("ab=é🙂", max_size=3), st.booleans(), numbers)
named = st.dictionaries(st.text("abcé", min_size=1, max_size=3), values, max_size=4)
large = st.dictionaries(st.just("large"), st.sampled_from([2e9, -2e9, 1e9]), max_size=1)
explorations = st.one_of(
    st.builds(Exploration, st.just("epsilon-greedy"), st.floats(0, 1)),
    st.builds(Exploration, st.just("squarecb"), st.floats(0.1, 100)),
    st.builds(Exploration, st.just("softmax"), st.floats(0.05, 10)),
)


def doubts(hashes: Sequence[int]) -> st.SearchStrategy[InDoubt | UnsetType]:
    """Return none, or doubt about all contexts, about some of a context's features, or about another context."""
    features = st.one_of(
        st.just([CONSTANT_HASH]),
        st.lists(st.sampled_from(hashes), min_size=1, max_size=3).map(lambda some: sorted({NOT_THERE, *some})),
        st.just([NOT_THERE]),
    )
    return st.one_of(st.just(UNSET), st.builds(InDoubt, st.floats(0, 1), features))


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    """Return a snapshot with weights for some of the features of a context and actions."""
    context = {**draw(named), **draw(large)}
    actions = [Action(id=f"a{number}", features=draw(named)) for number in range(draw(st.integers(3, 5)))]
    crosses = draw(st.booleans())
    of_context = [g for g, _ in context_features(context, crosses)]
    keys = sorted({crossed(g, h) % 2**18 for g in of_context for action in actions for h, _ in action_features(action)})
    weights = draw(st.lists(st.integers(-80, 80), min_size=len(keys), max_size=len(keys)))
    snapshot = PolicySnapshot(
        model="feed",
        version=9,
        parent=4,
        bits=18,
        context_crosses=crosses,
        shared_weights=draw(st.booleans()),
        constant_beside_numbers=draw(st.one_of(st.just(UNSET), st.booleans())),
        exploration=draw(explorations),
        in_doubt=draw(doubts(of_context)),
        bandit=Weights(keys, [weight / 8 for weight in weights]),
        inverse_kinematics=None,
        configuration="",
    )
    return snapshot, context, actions


def drawn(count: int) -> list[Decision]:
    """Return as many decisions."""
    found: list[Decision] = []

    @given(decision=decisions())
    @settings(max_examples=count, database=None, derandomize=True)
    def collect(decision: Decision) -> None:
        found.append(decision)

    collect()
    return found


def undoubted(decision: Decision) -> list[float]:
    """Return the probabilities that would be without doubt."""
    snapshot, context, actions = decision
    return Policy(msgspec.structs.replace(snapshot, in_doubt=UNSET)).probabilities(context, actions)


def probabilities(decision: Decision) -> list[float]:
    """Return what `groundswell` makes of a decision."""
    snapshot, context, actions = decision
    return Policy(snapshot).probabilities(context, actions)


def close_to(expected: list[float]) -> object:
    """Return what is equal to these probabilities but for rounding."""
    return pytest.approx(expected, rel=0.0, abs=CLOSE)
