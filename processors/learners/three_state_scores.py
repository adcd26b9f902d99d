"""What the bandit of the default rule makes of each action of a set, and with which probability it is shown."""

from __future__ import annotations

from processors.compiled import borrowing
from processors.learners import doubtful_contexts, exploration_kernel
from processors.learners.three_state import SURE, constant_needed, failing


@borrowing
def action_scores(bandit, features, shared, context_row, set_row, out):
    """Write the score of each action of a set in a context, the constant counted where the rule counts it."""
    exploration_kernel.action_scores(
        bandit, features, constant_needed(features, context_row, shared), context_row, set_row, out
    )


@borrowing
def probabilities(bandit, totals, doubtful, features, shared, context_row, set_row, exploration, floor, scores, out):
    """Write the probability of each action; `exploration` is the kind and its parameter."""
    action_scores(bandit, features, shared, context_row, set_row, scores)
    exploration_kernel.explore(scores, exploration[0], exploration[1], out)
    if failing(totals) != SURE or doubtful_contexts.concerned(doubtful, features, context_row):
        exploration_kernel.raise_to(floor, out)
