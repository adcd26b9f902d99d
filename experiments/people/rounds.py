"""Rounds with contexts and changing action sets of any features, in one compiled loop.

`self_play.py` is for users and actions that stay; here each round names its context and its action set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from experiments.people.self_play import draw
from processors.features import crosses
from processors.features.feature_store import FeatureStore
from processors.learners import exploration_kernel, kernel, kernel_columns, running_totals, weight_tables
from processors.learners.exploration_schedule import KINDS
from processors.learners.kernel_parameters import kernel_parameters
from processors.models.config import ModelConfig

INFERRED, GIVEN, TRUE = range(3)
"""Where the bandit's reward comes from: IGL-P, a fixed reward per signal, or the latent state."""


@dataclass(frozen=True)
class Rounds:
    """What comes, in order. `emissions` has shape (kinds of reader, 3, signals), for the states -1, 0 and +1.

    `states` has shape (action sets, most actions); `contexts` and `sets` are rows of the store, `readers` the
    kind of reader, one entry a round.
    """

    store: FeatureStore
    contexts: NDArray[np.int64]
    sets: NDArray[np.int64]
    readers: NDArray[np.int64]
    states: NDArray[np.int64]
    emissions: NDArray[np.float64]
    signals: tuple[str, ...]
    noise: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What was played: the true state, the decoded one, the signal's number and the propensity, one a round."""

    true: NDArray[np.int64]
    decoded: NDArray[np.int64]
    signals: NDArray[np.int64]
    propensities: NDArray[np.float64]


def played(rounds: Rounds, model: ModelConfig, seed: int, source: int, rewards: NDArray[np.float64]) -> Outcome:
    """Play all rounds; `rewards` is the reward of each signal where `source` is `GIVEN`."""
    size = 1 << model.hash_bits
    count = len(rounds.sets)
    record = np.zeros((count, 3), dtype=np.int64)
    propensities = np.zeros(count)
    exploration = model.exploration
    negative = np.array([signal in model.definitely_negative for signal in rounds.signals], dtype=np.int64)
    _play(
        np.random.default_rng(seed),
        (rounds.contexts, rounds.sets, rounds.readers, rounds.states, np.cumsum(rounds.emissions, axis=2)),
        np.array([rounds.store.signal(name) for name in rounds.signals]),
        negative,
        rounds.noise,
        source,
        rewards,
        (np.zeros((size, 3)), np.zeros((size, 3)), np.zeros((size, 2)), np.zeros((size, 2))),
        kernel_parameters(model),
        KINDS[exploration.kind],
        (-1.0 if exploration.t0 is None else exploration.t0, exploration.floor, exploration.gamma),
        rounds.store.arrays,
        rounds.store.widest,
        record,
        propensities,
    )
    return Outcome(record[:, 0], record[:, 1], record[:, 2], propensities)


@njit
def _play(
    rng, rounds, signals, negative, noise, source, rewards, tables, parameters, kind, exploration, features,
    widest,
    record, propensities,
):  # fmt: skip
    contexts, sets, readers, states, emissions = rounds
    ik, bandit, own, pooled = tables
    t0, floor, gamma = exploration
    seen = np.zeros((1 << running_totals.SEEN_BITS) // 8, dtype=np.uint8)
    totals = np.zeros(running_totals.TOTALS)
    index, value, start, posterior, order = kernel.scratch(widest[0] * widest[1] * widest[2], widest[0], widest[1])
    scores, shown = np.zeros(widest[1]), np.zeros(widest[1])
    interaction = np.zeros(5, dtype=np.int64)
    output = np.zeros(kernel_columns.OUTPUTS)
    shared = parameters[kernel_columns.SHARED]
    for t in range(len(sets)):
        actions = features[3][sets[t] + 1] - features[3][sets[t]]
        exploration_kernel.action_scores(bandit, features, shared, contexts[t], sets[t], scores)
        if kind == exploration_kernel.EPSILON_GREEDY:
            size = t0 if t0 > 0.0 else max(1.0, totals[running_totals.CONTEXT_FEATURES] - 1.0) * actions
            parameter = max(floor, min(1.0, (size / max(t, 1)) ** (1.0 / 3.0)))
        else:
            parameter = gamma * np.sqrt(max(t, 1))
        exploration_kernel.explore(scores[:actions], kind, parameter, shown[:actions])
        action = draw(rng, shown[:actions])
        state = states[sets[t], action]
        if noise > 0.0 and rng.random() < noise:
            signal = rng.integers(0, len(signals))
        else:
            cumulative = emissions[readers[t], state + 1]
            signal = min(np.searchsorted(cumulative, rng.random(), side="right"), len(signals) - 1)
        weight = 1.0 / (actions * shown[action])
        if source == INFERRED:
            interaction[:] = contexts[t], sets[t], signals[signal], negative[signal], action
            kernel.learn_one(
                ik, bandit, own, pooled, seen, totals, parameters, features, interaction, 1.0, weight,
                index, value, start, posterior, order, output,
            )  # fmt: skip
            record[t, 1] = np.int64(output[kernel_columns.STATE])
        else:
            begin, end = features[0][contexts[t]], features[0][contexts[t] + 1]
            running_totals.notice(seen, totals, features[1][begin:end], actions)
            reward = rewards[signal] if source == GIVEN else float(state)
            row = features[4][features[3][sets[t]] + action]
            n = crosses.gather(features, contexts[t], row, -1, 1.0, shared, len(bandit), index, value, 0)
            error = weight_tables.score(bandit, index, value, 0, n) - reward
            capped = min(weight, parameters[kernel_columns.BANDIT_CAP])
            weight_tables.estimate(bandit, index, value, n, error, capped, parameters[kernel_columns.BANDIT_RATE])
        record[t, 0], record[t, 2], propensities[t] = state, signal, shown[action]
