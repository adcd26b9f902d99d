"""Requests routed to one of several language models, with no verifier: what people do with an answer is all there is.

People retry, edit, copy, thank or press the thumb down, each now and then whatever they think of the answer. Length and
latency are logged beside that: they tell which model answered, not how well.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from experiments.people.world import ROUNDS, World
from groundswell.events import Action
from processors.features.feature_store import FeatureStore

CASES: Final = ("no length, no latency", "length and latency", "length by request")
REQUESTS: Final = ("code", "translate", "summarise", "mathematics", "write", "explain", "extract", "chat")
MODELS: Final = ("large", "large-new", "medium", "small", "small-tuned")
NEGATIVE: Final = frozenset({"thumb_down"})
POSITIVE: Final = frozenset({"copy", "thank"})
"""What is known beforehand, as deploy/routing.toml says it to a worker. Both come by accident, too."""
HONEST: Final = ("retry", "edit", "copy", "thank", "thumb_down", "none")
LENGTHS: Final = ("short", "middling", "long")
LATENCIES: Final = ("fast", "slow")
SIGNALS: Final = (*HONEST, *LENGTHS, *LATENCIES)
GIVEN: Final = (
    (0.40, 0.15, 0.03, 0.01, 0.08, 0.33),
    (0.10, 0.20, 0.12, 0.02, 0.004, 0.556),
    (0.03, 0.10, 0.45, 0.12, 0.001, 0.299),
)
"""Probabilities of the honest signals where an answer is no good, will do, or is just right."""
LENGTH_OF: Final = (2, 2, 1, 0, 0)
LATENCY_OF: Final = (1, 0, 1, 0, 0)
SPREAD: Final = 1.2
"""Of how well a model does at a kind of request, as a log-odds."""


def world(case: str, seed: int) -> World:
    """Return requests of eight kinds that five models answer well or badly by chance, each kind its own models best."""
    rng = np.random.default_rng([seed, 14])
    store = FeatureStore(crosses=False)
    contexts = np.array([store.context({"request": request}) for request in REQUESTS])
    store.actions([Action(model) for model in MODELS])
    skill = SPREAD * rng.normal(size=(len(REQUESTS), len(MODELS)))
    asked = rng.integers(0, len(REQUESTS), ROUNDS)
    luck = rng.logistic(size=(ROUNDS, len(MODELS)))
    appeal = skill[asked] + luck
    states = (appeal > 1.0).astype(np.int64) - (appeal < -1.0)
    lengths = np.tile(LENGTH_OF, (len(REQUESTS), 1))
    if case == "length by request":
        lengths = (lengths + np.arange(len(REQUESTS))[:, None] % 2) % len(LENGTHS)
    return World(
        store=store,
        contexts=contexts[asked],
        sets=np.zeros(ROUNDS, dtype=np.int64),
        rows=np.arange(ROUNDS),
        kinds=asked,
        states=states,
        emissions=np.array([_emissions(row, logged=case != CASES[0]) for row in lengths]),
        cells=states + 1 + 3 * np.arange(len(MODELS)),
        signals=SIGNALS,
        negative=NEGATIVE,
        positive=POSITIVE,
        leaking=frozenset(SIGNALS[len(HONEST) :]) if case != CASES[0] else frozenset(),
        clicks=POSITIVE,
    )


def _emissions(lengths: np.ndarray, *, logged: bool) -> np.ndarray:
    """Return the probabilities of what came last, a row for each model and state, of one kind of request.

    Length and latency are `logged` at once: what people do comes later, so that they stand where nothing came else.
    """
    table = np.zeros((len(MODELS), 3, len(SIGNALS)))
    table[:, :, : len(HONEST)] = GIVEN
    if logged:
        every, nothing = np.arange(len(MODELS)), HONEST.index("none")
        silent = table[every, :, nothing].copy()
        table[every, :, nothing] = 0.0
        table[every, :, len(HONEST) + lengths] = silent / 2
        table[every, :, len(HONEST) + len(LENGTHS) + np.array(LATENCY_OF)] = silent / 2
    return table.reshape(-1, len(SIGNALS))
