"""How much working space a batch of interactions takes."""

from __future__ import annotations

from processors.compiled import borrowing
from processors.learners.kernel_columns import ACTIONS, CONTEXT


@borrowing
def crosses_needed(features, interactions):
    """Return the most crosses of a context and its actions that any one of these interactions has."""
    context_start, _, _, set_start, set_rows, action_start, _, _ = features
    most = 1
    for i in range(len(interactions)):
        context, actions = interactions[i, CONTEXT], interactions[i, ACTIONS]
        action_features = 0
        for a in range(set_start[actions], set_start[actions + 1]):
            action_features += action_start[set_rows[a] + 1] - action_start[set_rows[a]]
        most = max(most, (context_start[context + 1] - context_start[context]) * action_features)
    return most


@borrowing
def actions_needed(features, interactions):
    """Return the most actions of any one of these interactions."""
    set_start = features[3]
    most = 1
    for i in range(len(interactions)):
        actions = interactions[i, ACTIONS]
        most = max(most, set_start[actions + 1] - set_start[actions])
    return most
