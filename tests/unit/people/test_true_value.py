"""The true value of policies whose value can be said in advance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from experiments.people.true_value import greedy_value, policy_value, shown
from groundswell.events import Action, FeatureValue
from groundswell.policy import Policy
from tests.unit.people.test_app_sessions import Always

STATES = np.array([[1, -1, 0, 0], [0, 1, -1, 0]], dtype=np.int8)


class Tied(Always):
    """Ranks the first two actions equally."""

    def greedy(self, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> list[float]:
        return [0.5, 0.5, 0.0, 0.0]


@pytest.mark.parametrize(
    ("policy", "greedy", "exploring"),
    [
        (Policy.uniform(), 0.0, 0.0),
        (Always(0), 0.5, ((0.9 - 0.1 / 3) + 0) / 2),
        (Always(1), 0.0, (-0.9 + 0.1 / 3 + 0.9 - 0.1 / 3) / 2),
        (Tied(0), 0.25, ((0.9 - 0.1 / 3) + 0) / 2),
    ],
)
def test_values_are_means_over_the_users(policy: Always, greedy: float, exploring: float) -> None:
    assert greedy_value(policy, STATES) == pytest.approx(greedy)
    assert policy_value(policy, STATES) == pytest.approx(exploring)


def test_shown_has_one_row_for_each_user() -> None:
    table = shown(Always(2).probabilities, STATES)
    assert table.shape == STATES.shape
    assert table.sum(axis=1) == pytest.approx(1)
