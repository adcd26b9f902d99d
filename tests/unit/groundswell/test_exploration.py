from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.exploration import Exploration, draw, greedy, probabilities, raised
from processors.learners import exploration_kernel
from processors.learners.exploration_schedule import KINDS, at
from processors.models.config import ExplorationConfig

explorations = st.one_of(
    st.builds(Exploration, st.just("epsilon-greedy"), st.floats(0, 1)),
    st.builds(Exploration, st.just("squarecb"), st.floats(0.1, 1e4)),
    st.builds(Exploration, st.just("softmax"), st.floats(0.01, 100)),
)
scores = st.lists(st.floats(-2, 2), min_size=1, max_size=50)


@given(scores, explorations)
def test_probabilities_are_a_distribution_that_prefers_higher_scores(
    values: list[float], exploration: Exploration
) -> None:
    result = probabilities(values, exploration)
    assert sum(result) == pytest.approx(1)
    assert min(result) >= 0
    ordered = [p for _, p in sorted(zip(values, result, strict=True))]
    assert all(low <= high + 1e-12 for low, high in pairwise(ordered))


@given(scores, explorations)
def test_equal_scores_get_equal_probabilities(values: list[float], exploration: Exploration) -> None:
    result = probabilities([*values, values[0]], exploration)
    assert result[0] == result[-1]


@settings(deadline=None)  # the first call compiles
@given(scores, explorations)
def test_the_learner_explores_as_the_policy_does(values: list[float], exploration: Exploration) -> None:
    compiled = np.empty(len(values))
    exploration_kernel.explore(np.array(values), KINDS[exploration.kind], exploration.parameter, compiled)
    assert list(compiled) == pytest.approx(probabilities(values, exploration))


@settings(deadline=None)  # the first call compiles
@given(scores, explorations, st.floats(0, 1))
def test_a_floor_holds_and_changes_nothing_that_is_above_it(
    values: list[float], exploration: Exploration, floor: float
) -> None:
    before = probabilities(values, exploration)
    result = raised(before, floor)
    assert sum(result) == pytest.approx(1)
    assert min(result) >= floor / len(values) - 1e-12
    if min(before) >= floor / len(values):
        assert result == before
    else:
        assert min(result) == pytest.approx(floor / len(values))
    ordered = [p for _, p in sorted(zip(values, result, strict=True))]
    assert all(low <= high + 1e-12 for low, high in pairwise(ordered))
    compiled = np.array(before)
    exploration_kernel.raise_to(floor, compiled)
    assert list(compiled) == pytest.approx(result)


def test_greedy_shares_ties() -> None:
    assert greedy([1.0, 3.0, 3.0]) == [0.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("exploration", "expected"),
    [
        (Exploration("epsilon-greedy", 0.3), [0.1, 0.1, 0.8]),
        (Exploration("squarecb", 10.0), [1 / 13, 1 / 8, 1 - 1 / 13 - 1 / 8]),
        (Exploration("epsilon-greedy", 1.0), [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_probabilities_by_hand(exploration: Exploration, expected: list[float]) -> None:
    assert probabilities([0.0, 0.5, 1.0], exploration) == pytest.approx(expected)


def test_epsilon_shrinks_with_time_and_grows_with_the_problem() -> None:
    config = ExplorationConfig()
    assert at(config, 0, 55).parameter == 1.0
    assert at(config, 55, 55).parameter == 1.0
    assert at(config, 55_000, 55).parameter == pytest.approx(0.1)
    assert at(config, 55_000, 5_500).parameter > at(config, 55_000, 55).parameter
    assert at(ExplorationConfig(floor=0.2), 55_000, 55).parameter == 0.2


@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 5e-324]), min_size=1, max_size=9),
    st.floats(0, 1, exclude_max=True),
)
def test_what_is_drawn_has_a_probability_and_comes_later_for_a_larger_number(shares: list[float], u: float) -> None:
    found = draw(shares, u)
    assert shares[found] > 0 or not any(shares)
    assert draw(shares, u / 2) <= found


@pytest.mark.parametrize(
    ("shares", "u", "index"),
    [
        ([0.25, 0.75], 0.0, 0),
        ([0.25, 0.75], 0.25, 1),  # the sum has to exceed it
        ([0.0, 0.5, 0.0, 0.5], 0.0, 1),
        ([0.0, 0.5, 0.5], 0.5, 2),
        ([0.5, 0.5, 0.0], 1 - 2**-53, 1),
        ([0.1] * 10, 1 - 2**-53, 9),
        ([5e-324, 0.0], 0.9, 0),  # 0.9 times the total is the total
        ([0.5, 0.25], 0.6, 0),  # of a total of .75
    ],
)
def test_draws_by_hand(shares: list[float], u: float, index: int) -> None:
    assert draw(shares, u) == index
