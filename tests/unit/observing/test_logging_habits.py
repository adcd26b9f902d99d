"""What is said of how impressions were chosen: where it cannot be right, and never where it can."""

from __future__ import annotations

import numpy as np
import pytest

from streams.observing.conditions import Conditions
from streams.observing.logging_habits import LoggingHabits, LoggingHabitsReport
from streams.observing.metrics import Metrics
from tests.unit.rounds import interaction

RANDOM = np.random.default_rng(5)


def said(actions: list[int], propensities: list[float]) -> set[str]:
    habits = LoggingHabits()
    for begin in range(0, len(actions), 37):
        habits.observe(actions[begin : begin + 37], propensities[begin : begin + 37])
    return {kind.name for kind, says in habits.judged() if says is not None}


def drawn(probabilities: list[float], count: int) -> list[float]:
    """Return the propensities of actions that were drawn by these probabilities."""
    return [probabilities[one] for one in RANDOM.choice(len(probabilities), count, p=probabilities)]


@pytest.mark.parametrize(
    ("actions", "propensities", "expected"),
    [
        ([1] * 300, [1.0] * 300, {"single_action"}),
        ([1] * 60 + [3] * 240, [1.0] * 60 + [1 / 3] * 240, set()),
        ([6] * 300, [1.0] * 300, {"propensity_one"}),
        ([6] * 300, [1 / 6] * 300, set()),
        ([6] * 300, [0.8] * 300, {"propensities_off"}),
        ([6] * 300, [0.05] * 300, {"propensities_off"}),
        ([4] * 300, [1e-6] * 30 + [0.5] * 270, {"propensity_floor"}),
        ([6] * 50, [1.0] * 50, set()),
        ([3] * 3_000, drawn([0.9, 0.05, 0.05], 3_000), set()),
        ([50] * 3_000, drawn([0.951] + [0.001] * 49, 3_000), set()),
        ([200] * 3_000, drawn([0.9005] + [0.0005] * 199, 3_000), set()),
    ],
    ids=[
        "one action", "some with one", "always certain", "uniform", "too large", "too small", "a floor",
        "too few to say", "explores a little", "explores rarely among many", "rightly tiny",
    ],
)  # fmt: skip
def test_it_says_what_cannot_be_right(actions: list[int], propensities: list[float], expected: set[str]) -> None:
    assert said(actions, propensities) == expected


def test_what_was_mended_is_forgotten() -> None:
    assert said([6] * 8_000, [1.0] * 1_000 + [1 / 6] * 7_000) == set()


def test_it_is_said_by_model_once_and_withdrawn_where_the_model_is_learned_elsewhere() -> None:
    conditions = Conditions(Metrics())
    report = LoggingHabitsReport(conditions)
    for start in range(0, 300, 50):
        report.learned("feed", [interaction(number, propensity=1.0) for number in range(start, start + 50)])
    (stands,) = conditions.standing()
    assert (stands.name, stands.subject) == ("propensity_one", "feed")
    report.leave("feed")
    assert conditions.standing() == []
