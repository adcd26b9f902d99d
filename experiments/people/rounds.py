"""Rounds with contexts and changing action sets of any features, in one compiled loop.

`self_play.py` is for users and actions that stay; here each round names its context and its action set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from experiments.people.compiled_learner import action_scores, compiled_learner, constant_counted, learn_one
from experiments.people.self_play import draw
from processors.features import crosses
from processors.features.feature_store import FeatureStore
from processors.learners import exploration_kernel, kernel_columns, running_totals, weight_tables
from processors.learners.exploration_schedule import KINDS
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
    count = len(rounds.sets)
    record = np.zeros((count, 3), dtype=np.int64)
    propensities = np.zeros(count)
    exploration = model.exploration
    _play(
        np.random.default_rng(seed),
        (rounds.contexts, rounds.sets, rounds.readers, rounds.states, np.cumsum(rounds.emissions, axis=2)),
        rounds.noise,
        source,
        rewards,
        compiled_learner(model, rounds.store.widest, rounds.signals),
        KINDS[exploration.kind],
        (-1.0 if exploration.t0 is None else exploration.t0, exploration.floor, exploration.gamma),
        rounds.store.arrays,
        rounds.store.widest[1],
        record,
        propensities,
    )
    return Outcome(record[:, 0], record[:, 1], record[:, 2], propensities)


@njit
def _play(
    rng, rounds, noise, source, rewards, learner, kind, exploration, features, most, record, propensities,
):  # fmt: skip
    contexts, sets, readers, states, emissions = rounds
    _, (bandit, _), seen, totals, parameters, (index, value, _, _), output, _ = learner
    t0, floor, gamma = exploration
    scores, shown = np.zeros(most), np.zeros(most)
    interaction = np.zeros(kernel_columns.COLUMNS, dtype=np.int64)
    for t in range(len(sets)):
        actions = features[3][sets[t] + 1] - features[3][sets[t]]
        action_scores(learner, features, contexts[t], sets[t], scores)
        if kind == exploration_kernel.EPSILON_GREEDY:
            size = t0 if t0 > 0.0 else max(1.0, totals[running_totals.CONTEXT_FEATURES] - 1.0) * actions
            parameter = max(floor, min(1.0, (size / max(t, 1)) ** (1.0 / 3.0)))
        else:
            parameter = gamma * np.sqrt(max(t, 1))
        exploration_kernel.explore(scores[:actions], kind, parameter, shown[:actions])
        action = draw(rng, shown[:actions])
        state = states[sets[t], action]
        if noise > 0.0 and rng.random() < noise:
            signal = rng.integers(0, emissions.shape[2])
        else:
            cumulative = emissions[readers[t], state + 1]
            signal = min(np.searchsorted(cumulative, rng.random(), side="right"), emissions.shape[2] - 1)
        weight = 1.0 / (actions * shown[action])
        if source == INFERRED:
            interaction[:] = contexts[t], sets[t], 0, 0, 0, action, 0
            learn_one(learner, features, interaction, signal, weight, t)
            record[t, 1] = np.int64(output[kernel_columns.STATE])
        else:
            begin, end = features[0][contexts[t]], features[0][contexts[t] + 1]
            running_totals.notice(seen, totals, features[1][begin:end], actions)
            reward = rewards[signal] if source == GIVEN else float(state)
            row = features[4][features[3][sets[t]] + action]
            shared = constant_counted(learner, features, contexts[t])
            n = crosses.gather(features, contexts[t], row, -1, 1.0, shared, len(bandit), index, value, 0)
            error = weight_tables.score(bandit, index, value, 0, n) - reward
            capped = min(weight, parameters[kernel_columns.BANDIT_CAP])
            weight_tables.estimate(bandit, index, value, n, error, capped, parameters[kernel_columns.BANDIT_RATE])
        record[t, 0], record[t, 2], propensities[t] = state, signal, shown[action]
