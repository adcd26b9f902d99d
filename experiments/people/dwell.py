"""Nothing but how long somebody looked: seconds with a heavy tail that differ by person and by length of the item."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from experiments.people.world import World, liking, people

CASES = ("dwell", "lengths given", "heavy tail", "several enjoyed")
SECONDS = (3.0, 10.0, 40.0)
"""Medians in the states -1, 0, +1 of a person in no hurry and an item of ordinary length."""


def world(case: str, seed: int) -> World:
    """Return ten people and eleven items; every visit has a dwell time, one in ten hated items a dislike instead."""
    rng = np.random.default_rng([seed, 10])
    states = liking(rng, 10, 11, 3 if case == "several enjoyed" else 1, 1)
    emissions = ((0.9, 0.1, 0.0), (1.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    made = people(
        rng,
        states,
        emissions=emissions,
        signals=("dwell", "dislike", "none"),
        clicks=frozenset({"dwell"}),
    )
    lengths = np.exp(rng.normal(0.0, 0.8 if case == "lengths given" else 0.3, 11))
    hurry = rng.normal(0.0, 0.4, 10)
    medians = np.log(SECONDS)[states + 1] + hurry[:, None] + np.log(lengths)
    return replace(
        made,
        medians=medians,
        spread=0.9 if case == "heavy tail" else 0.5,
        lengths=lengths[None] if case == "lengths given" else np.zeros((0, 0)),
    )
