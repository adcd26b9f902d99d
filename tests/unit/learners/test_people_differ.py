"""Whether people differ in what they mean: found where they do, not where they do not, in bounded memory."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from groundswell.events import Features, Reward
from processors.learners.people_differ import MOST_FEATURES, MOST_SIGNALS, MOST_VALUES, Differing, PeopleDiffer
from tests.unit.observing.test_metrics import reward

Told = Callable[[random.Random, int], int]
"""The state that a skip of a person is taken for."""
SAME: dict[str, Told] = {
    "always hatred": lambda rng, person: -1,
    "hatred or nothing, by chance": lambda rng, person: rng.choice([-1, 0]),
    "anything, by chance": lambda rng, person: rng.choice([-1, 0, 1]),
}


def watched(told: Told, people: int = 12, rounds: int = 2000, seed: int = 0) -> PeopleDiffer:
    rng, differ = random.Random(seed), PeopleDiffer()
    for _ in range(rounds):
        person = rng.randrange(people)
        context: Features = {"user": f"u{person}", "device": rng.choice(["tv", "phone"]), "hour": rng.randrange(24)}
        differ.observe([context], [reward("skip", told(rng, person))])
    return differ


def test_one_persons_skip_is_anothers_joy() -> None:
    differ = watched(lambda rng, person: 1 if person < 3 else -1)
    assert differ.differing() == [Differing("skip", "user", (9, 0, 3))]


def test_it_is_found_through_the_errors_of_the_decoder_too() -> None:
    differ = watched(lambda rng, person: rng.choice([-1, 0, 1]) if rng.random() < 0.5 else 1 if person < 3 else -1)
    [found] = differ.differing()
    assert (found.signal, found.feature) == ("skip", "user")
    assert found.values[0] >= 7
    assert found.values[2] >= 2


@pytest.mark.parametrize("told", SAME.values(), ids=SAME)
@pytest.mark.parametrize("people", [2, 12, 100])
def test_where_all_mean_the_same_nothing_is_said(told: Told, people: int) -> None:
    for seed in range(10):
        assert watched(told, people, rounds=500, seed=seed).differing() == []


def test_people_who_mean_the_same_more_or_less_often_do_not_differ() -> None:
    differ = watched(lambda rng, person: -1 if rng.random() < (0.6 if person < 6 else 0.9) else 0)
    assert differ.differing() == []


def test_what_people_meant_once_is_forgotten() -> None:
    differ = watched(lambda rng, person: 1 if person < 3 else -1)
    for _ in range(300):
        differ.observe([{"user": f"u{person}"} for person in range(12)], [reward("skip", -1)] * 12)
    assert differ.differing() == []


def test_what_is_unknown_or_was_not_learned_is_no_meaning() -> None:
    differ, unknown = PeopleDiffer(), replace(reward("skip"), state=None)
    rewards: list[Reward | None] = [unknown, None] * 500
    differ.observe([{"user": f"u{number % 4}"} for number in range(1000)], rewards)
    assert differ.differing() == []


def test_memory_is_bounded_whatever_comes_and_some_people_are_still_told_apart() -> None:
    differ = PeopleDiffer()
    for number in range(40_000):
        person = number % 2000
        context: Features = {"user": f"u{person}", f"feature {number % 50}": f"{number}"}
        signal = "skip" if number % 2 else f"signal {number % 97}"
        differ.observe([context], [reward(signal, 1 if person % 4 == 1 else -1)])
    assert len(differ._features) <= MOST_FEATURES
    for values in differ._features.values():
        assert len(values._plays) <= MOST_VALUES
        assert len(values.signals) <= MOST_SIGNALS
    assert any(one.signal == "skip" and one.feature == "user" for one in differ.differing())
