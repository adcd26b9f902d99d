"""A learner that acts on simulated people by its own policy, in one compiled loop, with a choice of rewards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from experiments.people.compiled_learner import compiled_reading, decide, left_out, read_one
from experiments.people.self_play import draw
from experiments.people.world import World
from groundswell.events import Reward
from groundswell.features import hashed
from processors.learners import (
    exploration_kernel,
    kernel_columns,
    running_totals,
    three_state,
    value_quantiles,
)
from processors.learners.kernel_parameters import kernel_parameters
from processors.learners.reward_rules import anchor
from processors.models.config import ModelConfig

INFERRED, TRUE, CLICKS = range(3)
"""Where the bandit's reward comes from: what is decoded, what is felt (the oracle), or a click as 1."""
MODEL: Final = ModelConfig(name="hard", definitely_negative=frozenset({"dislike"}))
TRUE_STATE, CHOSEN, SIGNAL, DECODED, BUCKET = range(5)


@dataclass(frozen=True)
class Outcome:
    """What was played, one entry a visit.

    `values` is the state of the action that the policy of the moment ranks first, ties averaged; `probabilities`
    (visits, 3) those of the states, `doubts` why they may be unknown (`three_state.doubt`), 0 where they are known.
    `late_shares` is how much of the feedback of a segment came after the join's wait.
    """

    values: NDArray[np.float64]
    true: NDArray[np.int64]
    chosen: NDArray[np.int64]
    signals: NDArray[np.int64]
    decoded: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    propensities: NDArray[np.float64]
    posteriors: NDArray[np.float64]
    doubts: NDArray[np.int64]
    left_out: list[str]
    """Signals that the learner left out at the end, since they tell the action."""
    late_shares: Mapping[str, float] = field(default_factory=dict)
    buckets: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Of the value of signal 0, where it has one, the bucket in which it was learned from."""


def inferred(reward: Reward) -> int:
    """Return the likeliest state of a reward, also where data cannot tell."""
    if reward.state is not None or reward.state_probabilities is None:
        return reward.state or 0
    return int(np.argmax(reward.state_probabilities)) - 1


def kind_of(world: World, signal: str) -> int:
    """Return what the model is told of a signal."""
    return anchor(_told(world, MODEL), signal)


def played(world: World, source: int, seed: int, *, model: ModelConfig = MODEL) -> Outcome:
    """Let people and learner interact."""
    count = len(world.contexts)
    size = 1 << model.hash_bits
    record = np.zeros((count, 5), dtype=np.int64)
    outputs = np.zeros((count, three_state.OUTPUTS))
    values, propensities = np.zeros(count), np.zeros(count)
    tables = (
        np.zeros((size, three_state.BANDIT_COLUMNS)),
        np.zeros((size, three_state.SIGNAL_COLUMNS)),
        np.zeros((value_quantiles.SIGNALS, value_quantiles.COLUMNS)),
    )
    told = _told(world, model)
    reading = compiled_reading(told, world.signals)
    buckets = value_quantiles.bucket_names(world.signals[0])
    persons = np.zeros(count, dtype=np.int64) if world.persons is None else world.persons
    _play(
        np.random.default_rng([seed, 7]),
        (world.contexts, world.sets, world.rows, world.kinds, persons),
        (world.states, world.states + 1 if world.cells is None else world.cells, np.cumsum(world.emissions, axis=2)),
        (
            np.array([hashed(name) for name in buckets]),
            np.array([name in world.clicks for name in world.signals], dtype=float),
        ),
        (world.medians, world.spread, world.lengths),
        (np.full(count, np.nan) if world.epsilons is None else world.epsilons, world.logged),
        world.noise,
        world.audience,
        source,
        kernel_parameters(told),
        tables,
        reading,
        world.store.arrays,
        world.store.widest,
        record,
        outputs,
        values,
        propensities,
    )
    return Outcome(
        values,
        record[:, TRUE_STATE],
        record[:, CHOSEN],
        record[:, SIGNAL],
        record[:, DECODED],
        outputs[:, three_state.MINUS : three_state.PLUS + 1],
        propensities,
        outputs[:, kernel_columns.POSTERIOR],
        outputs[:, three_state.DOUBT].astype(np.int64),
        left_out(reading, world.signals),
        buckets=record[:, BUCKET],
    )


def _told(world: World, model: ModelConfig) -> ModelConfig:
    return model.model_copy(update={"definitely_negative": world.negative, "definitely_positive": world.positive})


@njit
def _greedy(scores, states):
    best, ties, value = scores.max(), 0, 0.0
    for a in range(len(scores)):
        if scores[a] == best:
            ties += 1
            value += states[a]
    return value / ties


@njit
def _play(  # noqa: PLR0915 - one loop, as fast as the learners it compares
    rng, visits, felt, signs, valued, showing, noise, audience, source, parameters, tables, reading, features,
    widest,
    record, outputs, values, propensities,
):  # fmt: skip
    contexts, sets, rows, kinds, persons = visits
    states, cells, emissions = felt
    buckets, clicks = signs
    _, told, _ = reading
    medians, spread, lengths = valued
    epsilons, logged = showing
    bandit, signals, bounds = tables
    seen = running_totals.nothing_seen()
    totals = np.zeros(three_state.TOTALS)
    index, value = (
        np.empty(widest[0] * widest[1] * widest[2], dtype=np.int64),
        np.empty(widest[0] * widest[1] * widest[2]),
    )
    scores, shown = np.zeros(widest[1]), np.zeros(widest[1])
    interaction = np.zeros(kernel_columns.COLUMNS, dtype=np.int64)
    of_person = np.zeros(persons.max() + 1)
    numbers, quantiles = np.zeros(1, dtype=np.int64), np.zeros(1)
    for t in range(len(contexts)):
        context, shown_set = contexts[t], sets[t]
        actions = features[3][shown_set + 1] - features[3][shown_set]
        shared = 1.0 if three_state.constant_needed(features, context, parameters[kernel_columns.SHARED]) else 0.0
        exploration_kernel.action_scores(bandit, features, shared, context, shown_set, scores)
        if logged.shape[0]:
            shown[:actions] = logged[shown_set, :actions]
        else:
            epsilon = epsilons[t]
            if np.isnan(epsilon):
                size = max(1.0, totals[running_totals.CONTEXT_FEATURES] - 1.0) * actions
                epsilon = min(1.0, (size / max(t, 1)) ** (1.0 / 3.0))
            exploration_kernel.explore(scores[:actions], exploration_kernel.EPSILON_GREEDY, epsilon, shown[:actions])
        values[t] = _greedy(scores[:actions], states[rows[t]])
        action = draw(rng, shown[:actions])
        state, cell = states[rows[t], action], cells[rows[t], action]
        point = rng.random()
        if noise > 0.0 and rng.random() < noise:
            signal = rng.integers(0, len(clicks))
        else:
            signal = min(np.searchsorted(emissions[kinds[t], cell], point, side="right"), len(clicks) - 1)
        weight = 1.0 / (actions * shown[action])
        interaction[:] = context, shown_set, 0, 0, 0, action, 0
        output = outputs[t]
        if source == INFERRED:
            came, number = 0, 0
            if signal == 0 and medians.shape[0]:
                seconds = np.exp(medians[rows[t], action] + spread * rng.normal())
                measure = lengths[shown_set, action] if lengths.shape[0] else 0.0
                number = value_quantiles.bucket(bounds, told[0, 0], seconds, measure, weight)
                quantiles[0] = (number + 0.5) / value_quantiles.BUCKETS
                came = 1
            read_one(reading, features, interaction, signal, weight, t, (numbers, quantiles), 0, came)
            if came and interaction[kernel_columns.SIGNAL] == told[0, 0]:
                interaction[kernel_columns.SIGNAL] = buckets[number]
                record[t, BUCKET] = number
            three_state.learn_one(
                bandit, signals, seen, totals, parameters, features, interaction, weight, index, value, output
            )
            decide(reading, bandit, t)
        else:
            running_totals.notice(seen, totals, features[1][features[0][context] : features[0][context + 1]], actions)
            reward = float(state) if source == TRUE else clicks[signal]
            three_state.learn_reward(
                bandit, features, shared, context, shown_set, action, reward, abs(reward), 0.0,
                min(weight, parameters[kernel_columns.BANDIT_CAP]), parameters[kernel_columns.BANDIT_RATE],
                index, value,
            )  # fmt: skip
        if audience:
            exploration_kernel.action_scores(bandit, features, shared, context, shown_set, scores)
            of_person[persons[t]] = _greedy(scores[:actions], states[rows[t]])
            values[t] = of_person.sum() / len(of_person)
        record[t, TRUE_STATE], record[t, CHOSEN], record[t, SIGNAL] = state, action, signal
        record[t, DECODED] = np.int64(output[kernel_columns.STATE])
        propensities[t] = shown[action]
