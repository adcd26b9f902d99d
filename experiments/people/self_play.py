"""People and a learner that acts by its own policy, in one compiled loop.

It drives the learner's own kernel, interaction by interaction, so that 150,000 of them take about half a
second. tests/unit/people/test_self_play.py shows that a `Learner` given the same interactions ends with the same
weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from experiments.people.compiled_learner import action_scores, compiled_learner, learn_one
from groundswell.events import Action
from processors.features.feature_store import FeatureStore
from processors.learners import exploration_kernel, kernel_columns, running_totals, three_state
from processors.models.config import ModelConfig


@dataclass(frozen=True)
class People:
    """Simulated people: latent states and what they are seen to do in each.

    `states` has shape (users, actions) and holds -1, 0 or +1; `emissions` has shape (3, signals), or
    (users, 3, signals) where people differ: the
    probability of each signal in the states -1, 0, +1. `noise` is the probability that a signal is drawn
    uniformly instead.
    """

    states: NDArray[np.int8]
    emissions: NDArray[np.float64]
    signals: tuple[str, ...]
    noise: float = 0.0


@dataclass(frozen=True)
class Play:
    """A run: per interaction the greedy value after it, who came, what was shown, how likely, and what came
    back.

    `values` is the mean over all users of the state of the best-scored action, ties averaged; `probabilities` of shape
    (interactions, 3) are those of the states and `doubts` why they may be unknown, both 0 where the rule has none.
    """

    values: NDArray[np.float64]
    users: NDArray[np.int64]
    chosen: NDArray[np.int64]
    propensities: NDArray[np.float64]
    signals: NDArray[np.int64]
    true: NDArray[np.int8]
    decoded: NDArray[np.int8]
    bandit: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    doubts: NDArray[np.int64]


def play(people: People, model: ModelConfig, horizon: int, seed: int, change: People | None = None) -> Play:
    """Let people and learner interact `horizon` times; from half-way on, the people are those of `change`."""
    users, actions = people.states.shape
    store = FeatureStore(model.context_crosses)
    for user in range(users):
        store.context({"user": f"u{user}"})
    store.actions([Action(f"a{i}") for i in range(actions)])
    phases = [people, people if change is None else change]
    shape = (users, 3, len(people.signals))
    learner = compiled_learner(model, store.widest, people.signals)
    values = np.zeros(horizon)
    record = np.zeros((horizon, 5), dtype=np.int64)
    propensities = np.zeros(horizon)
    said = np.zeros((horizon, 4))
    _play(
        np.random.default_rng(seed),
        np.array([phase.states for phase in phases], dtype=np.int64),
        np.array([np.broadcast_to(np.cumsum(phase.emissions, axis=-1), shape) for phase in phases]),
        np.array([phase.noise for phase in phases]),
        learner,
        -1.0 if model.exploration.t0 is None else model.exploration.t0,
        store.arrays,
        values,
        record,
        propensities,
        said,
    )
    return Play(
        values=values,
        users=record[:, 0],
        chosen=record[:, 1],
        propensities=propensities,
        signals=record[:, 2],
        true=record[:, 3].astype(np.int8),
        decoded=record[:, 4].astype(np.int8),
        bandit=learner[1][0],
        probabilities=said[:, :3],
        doubts=said[:, 3].astype(np.int64),
    )


@njit
def _greedy_value(scores, states):
    total = 0.0
    for user in range(len(scores)):
        best, ties, value = scores[user].max(), 0, 0.0
        for action in range(scores.shape[1]):
            if scores[user, action] == best:
                ties += 1
                value += states[user, action]
        total += value / ties
    return total / len(scores)


@njit
def draw(rng, probabilities):
    """Return a position drawn with these probabilities."""
    point = rng.random() * probabilities.sum()
    for i in range(len(probabilities)):
        point -= probabilities[i]
        if point < 0.0:
            return i
    return len(probabilities) - 1


@njit
def _emit(rng, cumulative, noise):
    if noise > 0.0 and rng.random() < noise:
        return rng.integers(0, len(cumulative))
    return min(np.searchsorted(cumulative, rng.random(), side="right"), len(cumulative) - 1)


@njit
def _play(
    rng,
    states,
    emissions,
    noise,
    learner,
    t0,
    features,
    values,
    record,
    propensities,
    said,
):
    users, actions = states[0].shape
    _, _, _, totals, _, _, output, _ = learner
    scores = np.zeros((users, actions))
    shown = np.zeros(actions)
    interaction = np.zeros(kernel_columns.COLUMNS, dtype=np.int64)
    for t in range(len(values)):
        phase = 0 if 2 * t < len(values) else 1
        user = rng.integers(0, users)
        epsilon = 1.0
        if t:
            size = t0 if t0 > 0.0 else max(1.0, totals[running_totals.CONTEXT_FEATURES] - 1.0) * actions
            epsilon = min(1.0, (size / t) ** (1.0 / 3.0))
        exploration_kernel.explore(scores[user], exploration_kernel.EPSILON_GREEDY, epsilon, shown)
        action = draw(rng, shown)
        state = states[phase][user, action]
        signal = _emit(rng, emissions[phase][user, state + 1], noise[phase])
        interaction[:] = user, 0, 0, 0, 0, action, 0
        learn_one(learner, features, interaction, signal, 1.0 / (actions * shown[action]), t)
        for other in range(users):
            action_scores(learner, features, other, 0, scores[other])
        values[t] = _greedy_value(scores, states[phase])
        propensities[t] = shown[action]
        record[t] = user, action, signal, state, np.int64(output[kernel_columns.STATE])
        said[t] = output[three_state.MINUS : three_state.DOUBT + 1]
