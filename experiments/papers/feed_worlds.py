"""The papers' three-state feed in the form of the other worlds: so that one loop plays all of them."""

from __future__ import annotations

import numpy as np

from experiments.papers import feeds
from experiments.people.world import World, people

CASES = {
    "p .05": {"p_dislike": 0.05},
    "p .1": {},
    "p .2": {"p_dislike": 0.2},
    "p .5": {"p_dislike": 0.5},
    "noise .05": {"noise": 0.05},
    "noise .1": {"noise": 0.1},
    "noise .2": {"noise": 0.2},
    "100 x 11": {"users": 100, "actions": 11},
    "20 x 50": {"users": 20, "actions": 50},
    "5 x 200": {"users": 5, "actions": 200},
}
SIZES = frozenset({"100 x 11", "20 x 50", "5 x 200"})


def world(case: str, seed: int) -> World:
    """Return the feed of one setting of the papers' experiments."""
    made = feeds.three_state(seed, **CASES[case])  # type: ignore[arg-type]
    rounds = 60_000 if case in SIZES else feeds.HORIZON
    return people(
        np.random.default_rng([seed, 9]),
        made.states.astype(np.int64),
        rounds=rounds,
        emissions=made.emissions,
        signals=made.signals,
        noise=made.noise,
        audience=True,
    )
