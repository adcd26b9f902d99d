"""Sessions of several decisions: what the process is, and that its end is decoded and credited to what came before."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.papers import hard, multi_turn
from experiments.papers.runs_and_bars import Run
from experiments.people import sessions
from experiments.people.playing import INFERRED, TRUE

pytestmark = pytest.mark.timeout(600)  # the first test compiles the learner, on a busy machine for a minute


def value_of(world: sessions.Sessions, user: int, action_at: dict[tuple[int, int], int]) -> float:
    """Return the value of a policy that shows one action at each turn and place."""

    def shown(turn: int, place: int) -> np.ndarray:
        only = np.zeros(sessions.ACTIONS)
        only[action_at[turn, place]] = 1.0
        return only

    return world.value(user, shown)


def test_the_best_policy_is_better_than_any_other() -> None:
    world, rng = sessions.world("three turns", 1), np.random.default_rng(1)
    for user in range(3):
        best = world.best(user)
        drawn = [
            value_of(
                world,
                user,
                {(t, p): int(rng.integers(sessions.ACTIONS)) for t in range(3) for p in range(sessions.PLACES)},
            )
            for _ in range(200)
        ]
        assert max(drawn) <= best + 1e-9
        assert best > 0.8


def test_a_session_ends_well_in_one_place_only() -> None:
    world = sessions.world("two turns", 2)
    assert ((world.ends == 1).sum(axis=(1, 2)) == 1).all()
    assert ((world.ends == -1).sum(axis=2) == 1).all()
    assert all(set(row) == set(range(sessions.PLACES)) for row in world.moves[0])


def test_those_who_are_told_the_end_soon_decide_nearly_as_well_as_can_be() -> None:
    world = sessions.world("two turns", 3)
    values = sessions.played(world, TRUE, 3, count=3_000)
    best = np.mean([world.best(user) for user in range(sessions.USERS)])
    assert values[0] < 0.3
    assert values[-1] >= 0.9 * best


def test_what_is_decoded_at_the_end_teaches_the_decisions_before() -> None:
    world = sessions.world("two turns", 4)
    values = sessions.played(world, INFERRED, 4, count=6_000)
    assert values[-500:].mean() > 0.3 > values[:500].mean()


def test_the_bar_is_of_the_oracles_value() -> None:
    runs = [Run("two turns", seed, {"share": share}) for seed, share in enumerate((0.95, 0.91, 0.3))]
    assert [bar.met for bar in multi_turn.bars("two turns", runs)] == [True]
    assert [bar.met for bar in multi_turn.bars("two turns", runs[1:])] == [False]
    assert hard.experiment("multi-turn").name == "hard-multi-turn"
