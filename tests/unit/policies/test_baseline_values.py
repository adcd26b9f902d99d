"""What a policy has to be better than: estimates hold the truth, and nothing that producers send makes them grow."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from groundswell.events import Action
from processors.policies.baseline_values import ENOUGH, MOST_ACTIONS, BaselineValues
from tests.unit.rounds import interaction

WORTH = {"good": 0.6, "fair": 0.2, "bad": -0.5}
"""How often each satisfies, less how often it dissatisfies."""
SHOWN = {"good": 0.7, "fair": 0.2, "bad": 0.1}


def watched(
    rounds: int, *, seed: int = 0, memory: int = 10**9, further: Sequence[Sequence[str]] = ((),)
) -> BaselineValues:
    """Return what was seen of an app that shows actions as in `SHOWN`; `further` ones are offered, never shown."""
    rng, values = random.Random(seed), BaselineValues(memory)
    names = list(SHOWN)
    for number in range(rounds):
        [chosen] = rng.choices(range(len(names)), weights=list(SHOWN.values()))
        sure, worth = rng.random() < abs(WORTH[names[chosen]]), WORTH[names[chosen]]
        offered = [*names, *further[number % len(further)]]
        shown = interaction(
            number, actions=[Action(name) for name in offered], chosen=chosen, propensity=SHOWN[names[chosen]]
        ).impression
        values.add(shown, float(sure) * (1 if worth > 0 else -1))
    return values


def test_they_are_what_would_be_earned() -> None:
    values = watched(20_000)
    as_logged, random_, best = values.logged.value(), values.random.value(), values.best_constant()
    assert as_logged is not None
    assert random_ is not None
    assert best is not None
    assert as_logged.snips == pytest.approx(sum(SHOWN[name] * WORTH[name] for name in WORTH), abs=0.02)
    assert random_.snips == pytest.approx(sum(WORTH.values()) / len(WORTH), abs=0.04)
    assert best.action == "good"
    assert best.value.snips == pytest.approx(WORTH["good"], abs=0.02)


def test_intervals_hold_the_truth_as_often_as_they_say_of_the_chosen_one_too() -> None:
    runs, held = 200, {"random": 0, "constant": 0}
    for seed in range(runs):
        values = watched(150, seed=seed)
        by_chance, best = values.random.value(), values.best_constant()
        assert by_chance is not None
        assert best is not None
        held["random"] += by_chance.low <= sum(WORTH.values()) / len(WORTH) <= by_chance.high
        held["constant"] += best.value.low <= WORTH[best.action] <= best.value.high
    assert min(held.values()) >= 0.9 * runs


def test_an_action_that_is_rarely_offered_is_none_that_could_be_shown_to_everybody() -> None:
    values = BaselineValues(10**9)
    for number in range(200):
        rare = number % 5 == 0
        actions = [Action("usual"), Action("rare")] if rare else [Action("usual"), Action("other")]
        shown = interaction(number, actions=actions, chosen=int(rare), propensity=0.5).impression
        values.add(shown, 1.0 if rare else 0.0)
    best = values.best_constant()
    assert best is not None
    assert best.action == "usual"


def test_of_a_few_interactions_no_best_action_is_named() -> None:
    assert watched(round(ENOUGH) - 1).best_constant() is None


@pytest.mark.parametrize("number", [1, 7, 300])
def test_actions_that_come_and_go_take_bounded_room_and_leave_those_that_stay(number: int) -> None:
    passing = [[f"passing {at}-{one}" for one in range(number)] for at in range(1000)]
    values = watched(1000, further=passing)
    assert len(values._constant) == len(values._offered) <= MOST_ACTIONS
    best = values.best_constant()
    assert best is not None
    assert best.action == "good"
