"""People who enjoy several things at once: `none`, what nobody cares about, may be rarer than joy."""

from __future__ import annotations

import numpy as np

from experiments.people.world import World, liking, people

SIZES = {
    f"{good}/{bad} of {actions}": (good, bad, actions)
    for good, bad, actions in (
        (1, 0, 2), (1, 1, 2), (1, 1, 3), (2, 1, 3), (2, 1, 4), (3, 1, 6), (2, 2, 6),
        (5, 1, 11), (3, 3, 11), (4, 4, 11), (1, 8, 11), (6, 2, 11),
    )
}  # fmt: skip
"""Good and bad actions per person."""
CASES = tuple(SIZES)


def world(case: str, seed: int) -> World:
    """Return ten people who each enjoy and hate so many of the actions."""
    good, bad, actions = SIZES[case]
    rng = np.random.default_rng([seed, 1])
    return people(rng, liking(rng, 10, actions, good, bad))
