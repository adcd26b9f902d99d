"""Real-valued tastes of low rank: people who were not met before, told by numbers, by bins of them or by a group.

An action's appeal is the inner product of three traits of person and action. The most appealing are enjoyed, the
least hated, and only the strongest hate ever says so. In the leaky cases every signal happens in every state, too.
"""

from __future__ import annotations

import numpy as np

from experiments.people.world import ROUNDS, World
from groundswell.events import Action
from processors.features.feature_store import FeatureStore

RANK, ACTIONS, BINS, GROUPS = 3, 10, 5, 12
SHARES = {
    "10/10": (0.1, 0.1),
    "10/30": (0.1, 0.3),
    "30/20": (0.3, 0.2),
    "50/30": (0.5, 0.3),
    "50/5": (0.5, 0.05),
    "70/20": (0.7, 0.2),
    "20/50": (0.2, 0.5),
}
"""Shares of joy and of hate."""
CONTEXTS = ("numbers", "bins", "groups")
CLEAN = ((0.0, 0.0, 0.2, 0.8, 0.0), (0.0, 0.0, 0.0, 0.0, 1.0), (0.75, 0.25, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0, 0.0))
LEAKY = (
    (0.10, 0.01, 0.15, 0.40, 0.34),
    (0.10, 0.01, 0.005, 0.15, 0.735),
    (0.40, 0.15, 0.005, 0.045, 0.40),
    (0.12, 0.01, 0.01, 0.35, 0.51),
)
"""The states -1 (strong), 0, +1 and -1 (mild)."""
MILD = 3
STRONGEST = 1 / 3
"""Of the hated, so many are hated so much that it is said."""
CASES = tuple(f"{kind} {told} {share}" for kind in ("clean", "leaky") for told in CONTEXTS for share in SHARES)


def world(case: str, seed: int) -> World:
    """Return visits of ever new people."""
    kind, told, share = case.split()
    joy, hate = SHARES[share]
    rng = np.random.default_rng([seed, 2])
    persons, items = rng.normal(size=(ROUNDS, RANK)), rng.normal(size=(ACTIONS, RANK))
    appeal = persons @ items.T
    low, strong, high = np.quantile(appeal, (hate, hate * STRONGEST, 1 - joy))
    states = np.where(appeal > high, 1, np.where(appeal < low, -1, 0)).astype(np.int64)
    store = FeatureStore(crosses=False)
    if told == "numbers":
        contexts = [store.context({f"x{i}": float(x) for i, x in enumerate(row)}) for row in persons]
    elif told == "bins":
        edges = np.quantile(persons, np.linspace(0, 1, BINS + 1)[1:-1])
        bins = np.searchsorted(edges, persons)
        contexts = [store.context({f"x{i}": f"b{x}" for i, x in enumerate(row)}) for row in bins.tolist()]
    else:
        centres = rng.normal(size=(GROUPS, RANK))
        nearest = ((persons[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        contexts = [store.context({"group": f"g{x}"}) for x in nearest.tolist()]
    store.actions([Action(f"a{i}") for i in range(ACTIONS)])
    return World(
        store=store,
        contexts=np.array(contexts),
        sets=np.zeros(ROUNDS, dtype=np.int64),
        rows=np.arange(ROUNDS),
        kinds=np.zeros(ROUNDS, dtype=np.int64),
        states=states,
        cells=np.where((states == -1) & (appeal >= strong), MILD, states + 1),
        emissions=np.array([CLEAN if kind == "clean" else LEAKY]),
    )
