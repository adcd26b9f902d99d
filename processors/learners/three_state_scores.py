"""What the bandit of the default rule makes of each action of a set."""

from __future__ import annotations

from processors.compiled import compiled
from processors.learners import exploration_kernel
from processors.learners.three_state import constant_needed


@compiled()
def action_scores(bandit, features, shared, context_row, set_row, out):
    """Write the score of each action of a set in a context, the constant counted where the rule counts it."""
    exploration_kernel.action_scores(
        bandit, features, constant_needed(features, context_row, shared), context_row, set_row, out
    )
