"""Signals that tell the action whatever is felt, beside honest ones: self-playing videos, a length, a position."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from experiments.people.world import World, liking, people

CASES = ("autoplay", "length", "position")
SIGNALS = ("click", "like", "dislike", "skip", "none", "play", "long", "first")
HONEST = (
    (0.2, 0.005, 0.1, 0.245, 0.45),
    (0.1, 0.005, 0.005, 0.135, 0.755),
    (0.3, 0.1, 0.005, 0.045, 0.55),
)
"""Every signal now and then in every state: -1, 0, +1."""
SHARE = 0.5
"""So many impressions of an action that leaks bring the leak and nothing else."""


def world(case: str, seed: int, *, leak: bool = True) -> World:
    """Return ten people who enjoy and hate two of eleven actions; with `leak`, three actions bring a signal of their
    own half of the time ("autoplay"), all do ("length": two signals), or one does ("position").
    """
    rng = np.random.default_rng([seed, 11])
    states = liking(rng, 10, 11, 2, 2)
    honest = np.zeros((3, len(SIGNALS)))
    honest[:, :5] = HONEST
    leaks = {"autoplay": [5, 5, 5] + [-1] * 8, "length": [6] * 5 + [7] * 6, "position": [7] + [-1] * 10}[case]
    table = np.concatenate([_leaking(honest, signal if leak else -1) for signal in leaks])
    made = people(rng, states, emissions=table, signals=SIGNALS)
    return replace(made, cells=states + 1 + 3 * np.arange(11))


def _leaking(honest: np.ndarray, signal: int) -> np.ndarray:
    if signal < 0:
        return honest
    table = (1 - SHARE) * honest
    table[:, signal] += SHARE
    return table
