"""People not met before whose tastes follow from features: categories, pairs of them, numbers; and slots of a page."""

from __future__ import annotations

import numpy as np

from experiments.people.world import EMISSIONS, ROUNDS, World, liking
from groundswell.events import Action
from processors.features.feature_store import FeatureStore

CASES = ("categories", "pairs", "numbers", "slot")
ACTIONS, FEATURES, LEVELS, SLOTS = 8, 5, 4, 5


def _extremes(appeal: np.ndarray) -> np.ndarray:
    states = np.zeros(appeal.shape, dtype=np.int64)
    every = np.arange(len(appeal))
    states[every, appeal.argmin(axis=1)] = -1
    states[every, appeal.argmax(axis=1)] = 1
    return states


def world(case: str, seed: int) -> World:
    """Return visits of people who each enjoy the action most appealing to them and hate the least."""
    rng = np.random.default_rng([seed, 3])
    store = FeatureStore(crosses=False)
    if case == "slot":
        return _slots(rng, store)
    if case == "numbers":
        x = rng.normal(size=(ROUNDS, 6))
        states = _extremes(x @ rng.normal(size=(6, ACTIONS)) + 0.5 * rng.normal(size=ACTIONS))
        contexts = [store.context({f"x{i}": v for i, v in enumerate(row)}) for row in x.tolist()]
    else:
        levels = rng.integers(0, LEVELS, (ROUNDS, FEATURES))
        appeal = np.sum([rng.normal(size=(LEVELS, ACTIONS))[levels[:, i]] for i in range(FEATURES)], axis=0)
        if case == "pairs":
            pair = rng.normal(size=(LEVELS * LEVELS, ACTIONS))
            appeal = 0.5 * appeal + 1.5 * pair[levels[:, 0] * LEVELS + levels[:, 1]]
        states = _extremes(appeal)
        contexts = [store.context({f"f{i}": f"v{v}" for i, v in enumerate(row)}) for row in levels.tolist()]
    store.actions([Action(f"a{i}") for i in range(ACTIONS)])
    return World(
        store=store,
        contexts=np.array(contexts),
        sets=np.zeros(ROUNDS, dtype=np.int64),
        rows=np.arange(ROUNDS),
        kinds=np.zeros(ROUNDS, dtype=np.int64),
        states=states,
        emissions=np.array([EMISSIONS]),
    )


def _slots(rng: np.random.Generator, store: FeatureStore) -> World:
    """Ten people, five slots, told in the context; the lower the slot, the less is clicked whatever is felt."""
    states = liking(rng, 10, 11, 1, 1)
    contexts = [store.context({"user": f"u{u}", "slot": f"s{s}"}) for u in range(10) for s in range(SLOTS)]
    store.actions([Action(f"a{i}") for i in range(11)])
    users, slots = rng.integers(0, 10, ROUNDS), rng.integers(0, SLOTS, ROUNDS)
    emissions = []
    for slot in range(SLOTS):
        seen = 0.6**slot
        table = np.array(EMISSIONS) * seen
        table[:, 4] += 1 - seen
        emissions.append(table)
    return World(
        store=store,
        contexts=np.array(contexts)[users * SLOTS + slots],
        sets=np.zeros(ROUNDS, dtype=np.int64),
        rows=users,
        kinds=slots,
        states=states,
        emissions=np.array(emissions),
    )
