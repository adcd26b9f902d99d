"""Signals that tell the action whatever is felt, beside honest ones: self-playing videos, a length, a position."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from experiments.people.world import World, liking, people

CASES = ("autoplay", "length", "position", "in most plays", "value")
SIGNALS = ("answer", "click", "like", "dislike", "skip", "none", "play", "long", "first")
HONEST = (
    (0.2, 0.005, 0.1, 0.245, 0.45),
    (0.1, 0.005, 0.005, 0.135, 0.755),
    (0.3, 0.1, 0.005, 0.045, 0.55),
)
"""Every signal now and then in every state: -1, 0, +1."""
SHARE = 0.5
"""So many impressions of an action that leaks bring the leak and nothing else."""
ACTIONS = 11
LEAKS: dict[str, dict[int, tuple[str, float]]] = {
    "autoplay": dict.fromkeys(range(3), ("play", SHARE)),
    "length": {action: ("first" if action < 6 else "long", SHARE) for action in range(ACTIONS)},
    "position": {0: ("first", SHARE)},
    "in most plays": {action: ("play", 0.4 + 0.05 * action) for action in range(ACTIONS)},
    "value": dict.fromkeys(range(ACTIONS), ("answer", SHARE)),
}
"""By case and action: the signal that it brings by itself, and how often."""


def world(case: str, seed: int, *, leak: bool = True) -> World:
    """Return ten people who enjoy and hate two of eleven actions; with `leak`, actions bring a signal of their own.

    In "autoplay" three do, in "length" all (one of two signals), in "position" one. In "most plays" all do, more often
    than not and some more than others, and in "value" all bring the same one as often, whose value is the action's.
    """
    rng = np.random.default_rng([seed, 11])
    states = liking(rng, 10, ACTIONS, 2, 2)
    leaks = LEAKS[case] if leak else {}
    honest = np.zeros((3, len(SIGNALS)))
    honest[:, 1:6] = HONEST
    table = np.concatenate([_leaking(honest, *leaks.get(action, ("none", 0.0))) for action in range(ACTIONS)])
    made = people(
        rng,
        states,
        emissions=table,
        signals=SIGNALS,
        leaking=frozenset(signal for signal, _ in leaks.values()),
    )
    lengths = np.broadcast_to(np.log(200.0) + 0.3 * np.arange(ACTIONS), states.shape)
    return replace(made, cells=states + 1 + 3 * np.arange(ACTIONS), medians=lengths, spread=0.2)


def _leaking(honest: np.ndarray, signal: str, share: float) -> np.ndarray:
    table = (1 - share) * honest
    table[:, SIGNALS.index(signal)] += share
    return table
