"""What the doctor makes of how often actions are shown beside what is logged."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.events import Action, Impression
from streams.doctor.findings import Status
from streams.doctor.shown_shares import of_shown_shares
from tests.factories import impression

SHOWN = msgspec.convert(impression(), Impression)
ACTIONS = [Action("news"), Action("sport"), Action("music")]


def drawn(by: list[float], logged: list[float] | float, count: int = 800, **also: float) -> list[Impression]:
    rng = random.Random(7)
    says = {"probabilities": logged} if isinstance(logged, list) else {"probabilities": None, "propensity": logged}
    return [
        msgspec.structs.replace(SHOWN, actions=ACTIONS, chosen=rng.choices(range(3), by)[0], **says, **also)
        for _ in range(count)
    ]


@pytest.mark.parametrize("logged", [1 / 3, 0.333, [1 / 3, 1 / 3, 1 / 3], [0.5, 0.25, 0.25]])
def test_what_was_drawn_by_others_than_those_logged_is_told(logged: list[float] | float) -> None:
    found = of_shown_shares("feed", drawn([0.05, 0.9, 0.05], logged))
    assert (found.check, found.status) == ("shares of feed", Status.WARN)
    assert found.seen.startswith("'sport' was shown in 7")
    assert "log the probabilities of the very rule that chose" in found.remedy


@pytest.mark.parametrize(
    ("by", "logged"),
    [
        ([0.05, 0.9, 0.05], [0.05, 0.9, 0.05]),
        ([0.3, 0.4, 0.3], [1 / 3, 1 / 3, 1 / 3]),  # too little to be sure
        ([0.05, 0.9, 0.05], 0.9),  # of the others it is not known
        ([0.998, 0.001, 0.001], [0.998, 0.001, 0.001]),
    ],
)
def test_of_others_nothing_is_said(by: list[float], logged: list[float] | float) -> None:
    assert of_shown_shares("feed", drawn(by, logged)).status is Status.PASS


def test_nor_of_few_of_one_action_and_of_what_was_left_of_a_log() -> None:
    wrong = [0.05, 0.9, 0.05], [1 / 3] * 3
    assert of_shown_shares("feed", drawn(*wrong, count=90)).status is Status.PASS
    assert of_shown_shares("feed", drawn(*wrong, weight=4.0)).status is Status.PASS
    alone = [msgspec.structs.replace(SHOWN, actions=ACTIONS[:1], chosen=0, probabilities=[1.0])] * 800
    assert of_shown_shares("feed", alone).status is Status.PASS


@given(st.lists(st.floats(0.001, 1), min_size=3, max_size=3), st.integers(0, 1 << 32))
def test_whoever_draws_by_what_is_logged_is_not_told(weights: list[float], seed: int) -> None:
    rng = random.Random(seed)
    some = []
    for _ in range(400):
        odds = [one * rng.random() + 1e-3 for one in weights]
        probabilities = [one / sum(odds) for one in odds]
        chosen = rng.choices(range(3), probabilities)[0]
        some.append(msgspec.structs.replace(SHOWN, actions=ACTIONS, chosen=chosen, probabilities=probabilities))
    assert of_shown_shares("feed", some).status is Status.PASS
