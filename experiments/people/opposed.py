"""People who mean the opposite by the same signals, told by a feature or only by who they are."""

from __future__ import annotations

import numpy as np

from experiments.people.world import EMISSIONS, World, liking, people

CASES = ("by feature", "by id", "two of forty")


def world(case: str, seed: int) -> World:
    """Return ten people of whom half, or forty of whom two, mean the opposite."""
    rng = np.random.default_rng([seed, 4])
    count = 40 if case == "two of forty" else 10
    turned = np.arange(count) < (2 if count == 40 else 5)
    known = [{"user": f"u{i}"} | ({"kind": f"k{int(turned[i])}"} if case == "by feature" else {}) for i in range(count)]
    emissions = (EMISSIONS, ((0.7, 0.2, 0.1, 0.0, 0.0), EMISSIONS[1], (0.0, 0.0, 0.0, 1.0, 0.0)))
    return people(rng, liking(rng, count, 11, 1, 1), emissions=emissions, known=known, kinds=turned.astype(np.int64))
