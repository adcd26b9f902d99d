"""Simulated people outside the papers' feeds: what each case promises, and how it is measured."""

import numpy as np
import pytest

from experiments.papers import hard
from experiments.papers.runs_and_bars import Run
from experiments.people import (
    changes,
    dwell,
    featured,
    late_joy,
    leaks,
    logs,
    many_enjoyed,
    no_none,
    opposed,
    routing,
    tastes,
)
from experiments.people.playing import CLICKS, INFERRED, TRUE, played
from experiments.people.world import World

pytestmark = pytest.mark.timeout(600)  # the first test compiles the loop, on a busy machine for two minutes
FAMILIES = (many_enjoyed, tastes, featured, opposed, no_none, dwell, logs, changes, leaks, late_joy, routing)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__.rsplit(".", 1)[1])
def test_every_signal_is_drawn_from_a_distribution_and_every_row_is_there(family) -> None:  # type: ignore[no-untyped-def]
    cases = tuple(family.CASES)
    for case in (cases[0], cases[-1]):
        world: World = family.world(case, 1)
        assert np.allclose(world.emissions.sum(axis=2), 1.0)
        assert world.emissions.min() >= 0.0
        assert world.rows.max() < len(world.states)
        assert world.kinds.max() < len(world.emissions)
        assert set(np.unique(world.states)) <= {-1, 0, 1}


@pytest.mark.parametrize("case", ["2/1 of 4", "6/2 of 11"])
def test_people_enjoy_and_hate_as_many_as_the_name_says(case: str) -> None:
    world = many_enjoyed.world(case, 2)
    good, bad, actions = many_enjoyed.SIZES[case]
    assert world.states.shape == (10, actions)
    assert ((world.states == 1).sum(axis=1) == good).all()
    assert ((world.states == -1).sum(axis=1) == bad).all()


def test_tastes_have_the_shares_of_joy_and_hate_and_only_the_strongest_hate_says_so() -> None:
    world = tastes.world("clean groups 20/50", 3)
    assert abs((world.states == 1).mean() - 0.2) < 0.01
    assert abs((world.states == -1).mean() - 0.5) < 0.01
    assert world.cells is not None
    assert abs((world.cells == 0).mean() - 0.5 * tastes.STRONGEST) < 0.01
    assert world.emissions[0, tastes.MILD, world.signals.index("dislike")] == 0.0


def test_half_of_the_people_flip_at_half_time_and_the_others_do_not() -> None:
    world = changes.world("tastes", 4)
    before, after = world.states[:10], world.states[10:]
    assert np.array_equal(before[5:], after[5:])
    assert not np.array_equal(before[:5], after[:5])
    assert world.rows[:30_000].max() < 10 <= world.rows[30_000:].min()


def test_the_oracle_reaches_what_is_best_and_clicks_mislead_where_people_mean_the_opposite() -> None:
    world = opposed.world("by id", 5)
    assert played(world, TRUE, 5).values[-5_000:].mean() >= 0.99
    assert played(world, CLICKS, 5).values[-5_000:].mean() < 0.5


def test_learners_are_compared_on_the_same_visits() -> None:
    first, second = many_enjoyed.world("1/1 of 3", 6), many_enjoyed.world("1/1 of 3", 6)
    assert np.array_equal(first.contexts, second.contexts)
    assert np.array_equal(first.states, second.states)


def test_a_log_shows_by_the_policy_that_wrote_it() -> None:
    outcome = played(logs.world("popularity", 7), TRUE, 7)
    shown = np.bincount(outcome.chosen, minlength=11) / len(outcome.chosen)
    assert shown[0] > 0.4
    assert shown[10] < 0.01


@pytest.mark.parametrize(
    ("values", "after"),
    [
        (np.ones(40_000), 500),
        (np.concatenate((np.ones(20_000), np.zeros(1_000), np.ones(19_000))), 1_450),
        (np.concatenate((np.ones(20_000), np.zeros(20_000))), hard.NEVER),
    ],
    ids=["never away", "away for a thousand", "never back"],
)
def test_back_after_a_change_is_back_for_good(values: np.ndarray, after: int) -> None:
    assert hard.back_after(values, 20_000) == after


def test_what_tells_the_action_whatever_is_felt_is_left_out() -> None:
    outcome = played(leaks.world("autoplay", 9), INFERRED, 9)
    assert outcome.values[-5_000:].mean() >= 0.9


def test_a_run_has_the_figures_that_its_bars_ask_for() -> None:
    run = hard.run("many-enjoyed", "2/1 of 4", 8)
    assert all(bar.met for bar in hard.bars("many-enjoyed", "2/1 of 4", [run]))
    poor = Run("2/1 of 4", 8, {**run.measures, "share": 0.5})
    assert not all(bar.met for bar in hard.bars("many-enjoyed", "2/1 of 4", [poor]))


def test_every_case_is_an_experiment_and_an_unknown_one_is_refused() -> None:
    for case in hard.cases():
        assert hard.experiment(case).settings
    with pytest.raises(ValueError, match="many-enjoyed"):
        hard.experiment("unheard of")
