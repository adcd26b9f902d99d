"""Several shards of one model that people interact with: each learns its part, and now and then they mix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from experiments.people.self_play import People
from groundswell.events import Action, Features, Impression, Interaction, Source
from processors.learners.shard_learner import ShardLearner
from processors.learners.shard_mixing import Contribution
from processors.models.config import ModelConfig

Spread = Callable[[int, int], int]
"""From the number of an interaction and its user to the number of its shard."""


def sharded_play(
    people: People, model: ModelConfig, horizon: int, seed: int, *, shards: int, spread: Spread, published_every: int
) -> NDArray[np.float64]:
    """Let people and shards interact; return the greedy value after each interaction.

    Apps act by what was published last. Every `published_every` interactions the shards exchange what they
    learned and publish anew.
    """
    users, count = people.states.shape
    rng = np.random.default_rng(seed)
    actions = [Action(f"a{i}") for i in range(count)]
    contexts: list[Features] = [{"user": f"u{user}"} for user in range(users)]
    emissions = np.cumsum(people.emissions, axis=-1)
    learners = [ShardLearner(model) for _ in range(shards)]
    values = np.empty(horizon)
    for begin in range(0, horizon, published_every):
        _mix(learners)
        scores = np.array([learners[0].scores(context, actions) for context in contexts])
        values[begin : begin + published_every] = _greedy_value(scores, people.states)
        cumulative = np.cumsum([learners[0].probabilities(context, actions) for context in contexts], axis=1)
        parts: list[list[Interaction]] = [[] for _ in learners]
        for t in range(begin, min(begin + published_every, horizon)):
            user = int(rng.integers(users))
            chosen = min(int(np.searchsorted(cumulative[user], rng.random(), side="right")), count - 1)
            state = people.states[user, chosen] + 1
            signal = min(int(np.searchsorted(emissions[state], rng.random(), side="right")), len(people.signals) - 1)
            propensity = float(cumulative[user, chosen] - (cumulative[user, chosen - 1] if chosen else 0.0))
            impression = Impression(
                schema_version=1,
                impression_id=str(t),
                occurred_at=t,
                model=model.name,
                context=contexts[user],
                actions=actions,
                chosen=chosen,
                propensity=propensity,
            )
            parts[spread(t, user)].append(
                Interaction(
                    schema_version=1,
                    source=Source(partition=0, offset=t, floor=0),
                    impression=impression,
                    feedback=[],
                    signals=[people.signals[signal]],
                )
            )
        for learner, part in zip(learners, parts, strict=True):
            learner.learn(part)
    return values


def _mix(learners: list[ShardLearner]) -> None:
    contributions: list[Contribution] = [learner.contribution() for learner in learners]
    for own, learner in enumerate(learners):
        learner.take_in(one for number, one in enumerate(contributions) if number != own)


def _greedy_value(scores: NDArray[np.float64], states: NDArray[np.int8]) -> float:
    best = scores == scores.max(axis=1, keepdims=True)
    return float(np.mean((states * best).sum(axis=1) / best.sum(axis=1)))
