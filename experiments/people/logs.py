"""Feeds shown by another policy than the learner's, or by one that hardly explores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from experiments.people.world import ROUNDS, World, liking, people

CASES = ("popularity", "epsilon .02", "by turns")


def world(case: str, seed: int) -> World:
    """Return ten people; a popularity policy shows the first action at .9, the last at .001."""
    rng = np.random.default_rng([seed, 6])
    made = people(rng, liking(rng, 10, 11, 1, 1))
    if case == "popularity":
        shown = np.geomspace(0.9, 0.001, 11)
        return replace(made, logged=(shown / shown.sum())[None])
    epsilons = np.full(ROUNDS, 0.02)
    if case == "by turns":
        epsilons[::2] = 0.9
    return replace(made, epsilons=epsilons)
