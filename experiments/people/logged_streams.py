"""Streams of logged decisions whose every expected reward is known, to hold estimates of policies against.

People are `CONTEXTS` kinds, drawn alike. Each enjoys, and hates, each action with a probability of its own; all
others leave it indifferent. What is inferred is taken for right here: these streams are about the estimates, not
about the decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from processors.evaluation.logged_decisions import Floats, LoggedDecisions

CONTEXTS: Final = 20
LEAST: Final = 1e-4
"""The least probability by which anything is shown in heavy-tailed logs."""


@dataclass(frozen=True)
class LoggedStream:
    """A stream of n decisions, with what two fixed policies would have done (n, K).

    `values` (n) is the expected reward of the candidate at each time, given all before, `differences` that of the
    candidate minus the live policy.
    """

    decisions: LoggedDecisions
    candidate: Floats
    live: Floats
    values: Floats
    differences: Floats


@dataclass(frozen=True)
class People:
    """How likely each kind of people enjoys and hates each action (CONTEXTS, K), and what two policies show to it."""

    joy: Floats
    hate: Floats
    candidate: NDArray[np.int64]
    live: NDArray[np.int64]

    def value_of(self, shown: NDArray[np.int64]) -> float:
        """Return what it is worth to show each kind this action."""
        kinds = np.arange(CONTEXTS)
        return float((self.joy - self.hate)[kinds, shown].mean())


def ordinary(actions: int, gap: float, rng: np.random.Generator) -> People:
    """Return people to whom the candidate never shows what the live policy does, and whose reward is `gap` larger."""
    joy, hate = rng.uniform(0.2, 0.4, (CONTEXTS, actions)), rng.uniform(0.05, 0.35, (CONTEXTS, actions))
    kinds, live = np.arange(CONTEXTS), rng.integers(actions, size=CONTEXTS)
    candidate = (live + 1 + rng.integers(actions - 1, size=CONTEXTS)) % actions
    joy[kinds, live], hate[kinds, live] = 0.3, 0.2
    joy[kinds, candidate], hate[kinds, candidate] = 0.3 + gap / 2, 0.2 - gap / 2
    return People(joy, hate, candidate, live)


def stream(people: People, length: int, *, log: str, drift: float, rng: np.random.Generator) -> LoggedStream:
    """Return a stream of `length` decisions.

    `log` says how it is logged: "uniform"; "epsilon E", by the live policy but for a share E; "heavy", by
    probabilities down to `LEAST` that differ from decision to decision; "learning", by a policy that shows with 1 - e
    what was best for each kind so far, e falling to .02. With a `drift` of no more than .2, the probability of joy
    rises and falls by so much.
    """
    actions = people.joy.shape[1]
    contexts = rng.integers(CONTEXTS, size=length)
    waves = drift * np.sin(np.arange(length) * (6 * np.pi / length))
    thresholds = rng.random(length)
    chance = rng.random(length)
    if log == "learning":
        probabilities, chosen, rewards = _learned(people, contexts, waves, thresholds, chance)
    else:
        probabilities = _fixed(log, people, contexts, actions, rng)
        chosen = _drawn(probabilities, thresholds)
        rewards = _rewards(people, contexts, chosen, waves, chance)
    rows = np.arange(length)
    policies = []
    for shown in (people.candidate, people.live):
        policy = np.zeros((length, actions))
        policy[rows, shown[contexts]] = 1.0
        policies.append(policy)
    decisions = LoggedDecisions(rewards, chosen, probabilities, np.ones((length, actions), dtype=np.bool_))
    value = people.value_of(people.candidate)
    # The waves move all actions alike: what is enjoyed, and the difference stays.
    difference = np.full(length, value - people.value_of(people.live))
    return LoggedStream(decisions, policies[0], policies[1], value + waves, difference)


def _fixed(log: str, people: People, contexts: NDArray[np.int64], actions: int, rng: np.random.Generator) -> Floats:
    if log == "uniform":
        return np.full((len(contexts), actions), 1.0 / actions)
    if log == "heavy":
        raw = np.exp(rng.uniform(np.log(LEAST), 0.0, (len(contexts), actions)))
        likely: Floats = raw / raw.sum(axis=1, keepdims=True)
        return likely
    share = float(log.removeprefix("epsilon "))
    table = np.full((CONTEXTS, actions), share / actions)
    table[np.arange(CONTEXTS), people.live] += 1.0 - share
    return table[contexts]


def _drawn(probabilities: Floats, thresholds: Floats) -> NDArray[np.int64]:
    beyond = thresholds[:, None] >= np.cumsum(probabilities, axis=1)
    drawn: NDArray[np.int64] = np.minimum(beyond.sum(axis=1), probabilities.shape[1] - 1)
    return drawn


def _rewards(
    people: People, contexts: NDArray[np.int64], chosen: NDArray[np.int64], waves: Floats, chance: Floats
) -> Floats:
    """Return 1 for joy, -1 for hatred and 0 else; the wave is added to the probability of joy."""
    joy = people.joy[contexts, chosen] + waves
    hate = people.hate[contexts, chosen]
    return np.where(chance < joy, 1.0, np.where(chance < joy + hate, -1.0, 0.0))


def _learned(
    people: People, contexts: NDArray[np.int64], waves: Floats, thresholds: Floats, chance: Floats
) -> tuple[Floats, NDArray[np.int64], Floats]:
    length, actions = len(contexts), people.joy.shape[1]
    probabilities, chosen, rewards = np.empty((length, actions)), np.empty(length, dtype=np.int64), np.empty(length)
    means, counts = [[0.0] * actions for _ in range(CONTEXTS)], [[1.0] * actions for _ in range(CONTEXTS)]
    joys, hates = people.joy.tolist(), people.hate.tolist()
    columns = zip(contexts.tolist(), waves.tolist(), thresholds.tolist(), chance.tolist(), strict=True)
    for place, (kind, wave, threshold, luck) in enumerate(columns):
        share = max(0.02, (place + 1.0) ** -0.4)
        best = means[kind].index(max(means[kind]))
        # The best one has the first 1 - share of [0, 1), all alike the rest.
        shown = best if threshold < 1.0 - share else int((threshold - 1.0 + share) / share * actions)
        joy = joys[kind][shown] + wave
        reward = 1.0 if luck < joy else -1.0 if luck < joy + hates[kind][shown] else 0.0
        probabilities[place] = share / actions
        probabilities[place, best] += 1.0 - share
        chosen[place], rewards[place] = shown, reward
        counts[kind][shown] += 1.0
        means[kind][shown] += (reward - means[kind][shown]) / counts[kind][shown]
    return probabilities, chosen, rewards
