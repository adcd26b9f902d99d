"""Joy that comes after the wait, through the join: what is learned of it, and who is said to be late."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from experiments.papers import hard
from experiments.people import late_joy
from experiments.people.playing import INFERRED, TRUE
from experiments.people.world import NOTHING, World
from tests.unit.deploy.test_alerts import ALERTS

pytestmark = pytest.mark.timeout(600)  # the first test compiles the learner, on a busy machine for a minute


def short(case: str, seed: int, visits: int) -> World:
    world = late_joy.world(case, seed)
    cut = {name: getattr(world, name)[:visits] for name in ("contexts", "sets", "rows", "kinds")}
    return dataclasses.replace(world, **cut)


def test_the_slow_are_late_and_the_others_are_not() -> None:
    world = late_joy.world("all of their joy", 3)
    late = [place for place, name in enumerate(world.signals) if name.startswith(late_joy.LATER)]
    assert world.emissions[1, 2, late].sum() == 1.0
    assert world.emissions[0, :, late].sum() == 0.0
    assert world.logged is NOTHING


def test_what_came_in_time_is_learned_and_the_segment_that_is_late_is_named() -> None:
    world = short("all of their joy", 1, 12_000)
    ours, oracle = (late_joy.played_through_join(world, source, 1) for source in (INFERRED, TRUE))
    prompt = world.kinds == 0
    assert ours.values[-2_000:][prompt[-2_000:]].mean() >= 0.95
    assert ours.values[-2_000:].mean() >= oracle.values[-2_000:].mean() - 0.05
    assert ours.late_shares[late_joy.SLOW] > 0.3
    assert ours.late_shares[late_joy.PROMPT] == 0.0


def test_every_visit_is_learned_once_and_late_joy_as_indifference() -> None:
    world = short("all of their joy", 2, 1_500)
    outcome = late_joy.played_through_join(world, INFERRED, 2)
    assert np.allclose(outcome.probabilities.sum(axis=1), 1.0, atol=1e-5)
    slow_joy = (world.kinds == 1) & (outcome.true == 1)
    assert slow_joy.any()
    assert (outcome.decoded[slow_joy] != 1).mean() > 0.9


def test_the_experiment_and_the_alert_mean_the_same_share() -> None:
    _, rule = ALERTS["FeedbackLateInSegment"]
    assert rule["expr"].endswith(f"> {hard.WARNED}")
