"""The truth that intervals of what signals are worth are held against."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.papers import worth
from experiments.papers.runs_and_bars import Run
from experiments.people import many_enjoyed, opposed, tastes
from experiments.people.playing import INFERRED, played
from groundswell.worth import Worth

pytestmark = pytest.mark.timeout(600)  # the first test compiles the loop, on a busy machine for two minutes


def test_the_truth_is_what_comes_back_where_all_actions_are_shown_alike() -> None:
    world = tastes.world("leaky groups 30/20", 3)
    exact = worth.true_shares(world, np.arange(50_000))
    outcome = played(world, INFERRED, 3)
    weights = 1.0 / (world.states.shape[1] * outcome.propensities)
    for number, signal in enumerate(world.signals):
        came = outcome.signals == number
        seen = np.average(outcome.true[came] == 1, weights=weights[came])
        plays = weights[came].sum() ** 2 / (weights[came] ** 2).sum()
        assert abs(seen - exact[number]) < 5 * np.sqrt(0.25 / plays), signal


def test_what_nobody_does_has_no_truth_and_people_who_mean_the_opposite_are_segments_of_their_own() -> None:
    world = opposed.world("by id", 1)
    segments = worth.segments_of(world, "opposed")
    click, dislike = world.signals.index("click"), world.signals.index("dislike")
    ordinary, turned = (worth.true_shares(world, np.flatnonzero(segments == kind)) for kind in (0, 1))
    assert (ordinary[click], turned[click]) == (1.0, 0.0)
    assert ordinary[dislike] == 0.0
    one = many_enjoyed.world("1/0 of 2", 1)
    assert np.isnan(worth.true_shares(one, np.arange(100))[dislike]), "nobody hates anything there"


@pytest.mark.parametrize(
    ("low", "high", "share", "covered"),
    [(-1.0, 1.0, 0.5, True), (-1.0, 1.0, 0.9, False), (1.0, None, 1.0, True), (1.0, 4.0, 1.0, False),
     (None, -1.0, 0.0, True), (None, None, 0.3, True)],
)  # fmt: skip
def test_an_interval_without_a_bound_reaches_to_certainty(
    low: float | None, high: float | None, share: float, covered: bool
) -> None:
    row = Worth(signal="like", segment=None, log_odds=0.0, low=low, high=high, plays=9.0, share=0.1)
    assert worth.covers(row, share) == covered


def test_a_feed_in_which_the_decoder_is_right_has_the_truth_in_nearly_all_rows() -> None:
    found = worth.run("opposed: by feature", 5).measures
    assert found["coverage"] >= 0.9
    assert found["rows"] > 20
    assert found["doubtful"] < 0.5


@pytest.mark.parametrize(
    ("rows", "coverage", "met"),
    [((0, 0), (None, None), []), ((10, 0), (0.9, None), [True]), ((10, 30), (1.0, 0.8), [False])],
)
def test_intervals_are_judged_over_all_seeds_where_there_are_any(
    rows: tuple[int, int], coverage: tuple[float | None, float | None], met: list[bool]
) -> None:
    runs = [
        Run("opposed: by id", seed, {"rows": count, "coverage": share})
        for seed, (count, share) in enumerate(zip(rows, coverage, strict=True))
    ]
    assert [bar.met for bar in worth.bars("opposed: by id", runs)] == met
