"""Decisions to estimate policies from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from processors.evaluation.logged_decisions import Floats, LoggedDecisions


class Drawn(NamedTuple):
    """Decisions, a policy to value (n, K) and another (n, K), and the expected reward of each action (n, K)."""

    decisions: LoggedDecisions
    target: Floats
    other: Floats
    expected: Floats

    @property
    def value(self) -> float:
        """The expected reward of the target in these contexts."""
        return float((self.target * self.expected).sum(axis=1).mean())


def drawn(size: int, actions: int, seed: int, least: float = 0.05) -> Drawn:
    """Draw decisions in which everything differs from one to the next; no probability is below `least`."""
    rng = np.random.default_rng(seed)
    logged = (1 - actions * least) * rng.dirichlet(np.ones(actions), size) + least
    chosen = np.minimum((rng.random(size)[:, None] > np.cumsum(logged, axis=1)).sum(axis=1), actions - 1)
    joy = rng.uniform(0.0, 0.5, (size, actions))
    hate = rng.uniform(0.0, 0.5, (size, actions))
    chance, rows = rng.random(size), np.arange(size)
    rewards = np.where(chance < joy[rows, chosen], 1.0, np.where(chance > 1 - hate[rows, chosen], -1.0, 0.0))
    target, other = rng.dirichlet(np.full(actions, 0.5), size), rng.dirichlet(np.full(actions, 0.5), size)
    decisions = LoggedDecisions(rewards, chosen, logged, np.ones((size, actions), dtype=np.bool_))
    return Drawn(decisions, target, other, joy - hate)


def all_outcomes(decisions: LoggedDecisions, row: int) -> LoggedDecisions:
    """Return one decision as often as it has actions, each of which is shown once, all with its reward."""
    actions = decisions.probabilities.shape[1]
    return LoggedDecisions(
        np.full(actions, decisions.rewards[row]),
        np.arange(actions),
        np.tile(decisions.probabilities[row], (actions, 1)),
        np.tile(decisions.offered[row], (actions, 1)),
    )
