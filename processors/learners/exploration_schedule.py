"""How much a model explores after so many interactions."""

from __future__ import annotations

import math
from typing import Final

from groundswell.exploration import Exploration, ExplorationKind
from processors.learners import exploration_kernel
from processors.models.config import ExplorationConfig

KINDS: Final[dict[ExplorationKind, int]] = {
    "epsilon-greedy": exploration_kernel.EPSILON_GREEDY,
    "squarecb": exploration_kernel.SQUARECB,
    "softmax": exploration_kernel.SOFTMAX_SCORES,
}
"""The kinds as the compiled kernel numbers them."""


def at(config: ExplorationConfig, interactions: float, size: float) -> Exploration:
    """Return the exploration after so many interactions of a problem of `size` (context features x actions)."""
    match config.kind:
        case "epsilon-greedy":
            t0 = size if config.t0 is None else config.t0
            epsilon = min(1.0, (t0 / interactions) ** (1 / 3)) if interactions else 1.0
            return Exploration(config.kind, max(config.floor, epsilon))
        case "squarecb":
            return Exploration(config.kind, config.gamma * math.sqrt(max(1.0, interactions)))
        case "softmax":
            return Exploration(config.kind, config.temperature)
