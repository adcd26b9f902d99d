"""Feeds in which every impression has feedback: buckets of one reaction, which overlap."""

from __future__ import annotations

import math

import numpy as np

from experiments.people.world import ROUNDS, World, liking, people

BUCKETS = 10
CENTRES = (1.0, 4.5, 8.0)
"""Of the reaction in the states -1, 0, +1, on a scale of ten buckets."""
CASES = ("apart", "overlap", "wide", "many", "rare none", "late dislikes", "positives")


def buckets(spread: float) -> np.ndarray:
    """Return P(bucket | state) of a normal reaction about its centre."""

    def below(x: float, centre: float) -> float:
        return 0.5 * (1 + math.erf((x - centre) / (spread * math.sqrt(2))))

    rows = []
    for centre in CENTRES:
        edges = [0.0, *(below(i, centre) for i in range(1, BUCKETS)), 1.0]
        rows.append(np.diff(edges))
    return np.array(rows)


def world(case: str, seed: int) -> World:
    """Return ten people who enjoy one of eleven actions ("many": three) and hate one, each reaction in a bucket."""
    rng = np.random.default_rng([seed, 5])
    states = liking(rng, 10, 11, 3 if case == "many" else 1, 1)
    table = np.zeros((3, BUCKETS + 3))
    table[:, :BUCKETS] = buckets({"apart": 0.3, "wide": 1.5}.get(case, 1.0))
    said, praised, nothing = BUCKETS, BUCKETS + 1, BUCKETS + 2
    if case == "positives":
        table[2] *= 0.9
        table[2, praised] = 0.1
    else:
        table[0] *= 0.9
        table[0, said] = 0.1
    if case == "rare none":
        table *= 0.99
        table[1, nothing] = 0.01
        table[1] /= table[1].sum()
    signals = (*(f"bucket {i}" for i in range(BUCKETS)), "dislike", "purchase", "none")
    emissions = table[None]
    kinds = np.zeros(ROUNDS, dtype=np.int64)
    if case == "late dislikes":
        silent = table.copy()
        silent[0] = np.append(buckets(1.0)[0], (0.0, 0.0, 0.0))
        emissions = np.array([table, silent])
        kinds[:10_000] = 1
    made = people(
        rng,
        states,
        emissions=emissions,
        signals=signals,
        negative=frozenset() if case == "positives" else frozenset({"dislike"}),
        positive=frozenset({"purchase"}) if case == "positives" else frozenset(),
        clicks=frozenset({"bucket 7", "bucket 8", "bucket 9"}),
    )
    made.kinds[:] = kinds
    return made
