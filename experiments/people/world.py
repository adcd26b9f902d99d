"""What comes in a simulated feed: contexts, action sets, what people feel and what they are seen to do.

Everything that no policy decides is drawn beforehand, so that learners can be compared on the same visits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from groundswell.events import Action, FeatureValue
from processors.features.feature_store import FeatureStore

ROUNDS = 50_000
SIGNALS = ("click", "like", "dislike", "skip", "none")
NAMED = frozenset({"dislike"})
EMISSIONS = ((0.0, 0.0, 0.1, 0.9, 0.0), (0.0, 0.0, 0.0, 0.0, 1.0), (0.75, 0.25, 0.0, 0.0, 0.0))
"""Probabilities of the signals in the states -1, 0, +1 (ICLR 2023, section 5.1)."""
NOTHING: NDArray[np.float64] = np.zeros((0, 0))


@dataclass(frozen=True)
class World:
    """A feed of `len(contexts)` visits.

    contexts, sets: rows of the store, one a visit.
    rows: of `states` and `cells`, one a visit; kinds: of `emissions`.
    states: (rows, K) in -1, 0, +1: what is felt at each action.
    emissions: (kinds, cells, signals): probabilities. `cells` (rows, K) says which holds; without it the state + 1.
    persons: who came; with `audience` the value is the mean over all persons rather than of who came.
    epsilons: of the exploration, one a visit; NaN leaves it to the learner's own schedule.
    logged: (sets, K) probabilities of a policy whose log it is, else empty.
    medians, spread: of signal 0, where it has a value: exp(medians[row, action] + spread * normal), else empty.
    lengths: (sets, K) what such a value is measured against, else empty.
    leaking: signals that tell the action whatever is felt.
    changes: visits at which the world changes.
    """

    store: FeatureStore
    contexts: NDArray[np.int64]
    sets: NDArray[np.int64]
    rows: NDArray[np.int64]
    kinds: NDArray[np.int64]
    states: NDArray[np.int64]
    emissions: NDArray[np.float64]
    signals: tuple[str, ...] = SIGNALS
    negative: frozenset[str] = NAMED
    positive: frozenset[str] = frozenset()
    clicks: frozenset[str] = frozenset({"click", "like"})
    leaking: frozenset[str] = frozenset()
    cells: NDArray[np.int64] | None = None
    persons: NDArray[np.int64] | None = None
    audience: bool = False
    noise: float = 0.0
    epsilons: NDArray[np.float64] | None = None
    logged: NDArray[np.float64] = field(default_factory=lambda: NOTHING)
    medians: NDArray[np.float64] = field(default_factory=lambda: NOTHING)
    spread: float = 0.0
    lengths: NDArray[np.float64] = field(default_factory=lambda: NOTHING)
    changes: tuple[int, ...] = ()


def people(
    rng: np.random.Generator,
    states: NDArray[np.int64],
    *,
    rounds: int = ROUNDS,
    emissions: ArrayLike = EMISSIONS,
    known: Sequence[Mapping[str, FeatureValue]] | None = None,
    kinds: NDArray[np.int64] | None = None,
    **more: object,
) -> World:
    """Return a feed of people with fixed tastes, known by an id or by what `known` says, and as many fixed actions."""
    count, actions = states.shape
    store = FeatureStore(crosses=False)
    known = [{"user": f"u{i}"} for i in range(count)] if known is None else known
    contexts = np.array([store.context(one) for one in known])
    store.actions([Action(f"a{i}") for i in range(actions)])
    came = rng.integers(0, count, rounds)
    table = np.array(emissions, dtype=float)
    return World(
        store=store,
        contexts=contexts[came],
        sets=np.zeros(rounds, dtype=np.int64),
        rows=came,
        kinds=np.zeros(rounds, dtype=np.int64) if kinds is None else kinds[came],
        states=states,
        emissions=table if table.ndim == 3 else table[None],
        persons=came,
        **more,  # type: ignore[arg-type]
    )


def liking(rng: np.random.Generator, count: int, actions: int, good: int, bad: int) -> NDArray[np.int64]:
    """Return people who enjoy `good` actions and hate `bad` others, at random."""
    states = np.zeros((count, actions), dtype=np.int64)
    for row in states:
        order = rng.permutation(actions)
        row[order[:good]] = 1
        row[order[good : good + bad]] = -1
    return states
