"""What a log cannot speak of."""

from __future__ import annotations

import numpy as np

from processors.evaluation.logged_decisions import LoggedDecisions
from processors.evaluation.support import Gap, Support


def shown(chosen: list[int], propensity: float) -> LoggedDecisions:
    size = len(chosen)
    probabilities = np.full((size, 3), np.nan)
    probabilities[np.arange(size), chosen] = propensity
    offered = np.ones((size, 3), dtype=np.bool_)
    offered[:, 2] = np.arange(size) % 2 == 0
    return LoggedDecisions(np.zeros(size), np.array(chosen), probabilities, offered)


def test_actions_that_were_offered_and_not_shown_often_enough_are_named_those_offered_most_first() -> None:
    support = Support(2, 4)
    numbers = np.tile(np.array([0, 1, 3]), (100, 1))
    support.add(shown([0] * 100, 0.5), numbers, np.zeros(100, dtype=np.int64))
    support.add(shown([0] * 5 + [1] * 95, 0.5), numbers, np.ones(100, dtype=np.int64))
    assert list(support.gaps()) == [Gap(0, 1, 100, 0), Gap(1, 0, 100, 5), Gap(0, 3, 50, 0), Gap(1, 3, 50, 0)]
    assert list(support.gaps_anywhere()) == [Gap(0, 3, 100, 0)]
    assert support.offered.tolist() == [[100, 100, 0, 50], [100, 100, 0, 50]]
    assert support.shown.tolist() == [[100, 0, 0, 0], [5, 95, 0, 0]]


def test_a_few_decisions_that_weigh_as_much_as_all_others_do_not_speak_for_an_action() -> None:
    support, numbers = Support(1, 3), np.tile(np.arange(3), (100, 1))
    support.add(shown([0] * 100, 0.9), numbers, np.zeros(100, dtype=np.int64))
    support.add(shown([0] * 2, 1e-6), numbers[:2], np.zeros(2, dtype=np.int64))
    assert Gap(0, 0, 102, 102) in list(support.gaps())
