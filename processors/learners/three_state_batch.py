"""A batch of the default rule in one compiled pass: what foretells feedback is watched, interactions are learned, and
contexts in doubt are kept in mind.

It is one pass, and not one for each of the three: whoever learns one interaction at a time would pay for three calls.
"""

from __future__ import annotations

import numpy as np

from processors.compiled import borrowing, compiled
from processors.features.crosses import cross
from processors.learners import doubtful_contexts, kernel_columns, leaking_signals, running_totals, three_state
from processors.learners.scratch_space import crosses_needed
from processors.memory_access import fetch_ahead

DECIMALS = 1e6
"""Of the probabilities that a reward carries: nobody is surer than that, and more of them would take more room."""


@compiled(nogil=True, _nrt=False)  # heartbeats go on meanwhile
def learn_batch(
    bandit, signals, counted, parameters, features, interactions, weights, watching, doubtful, scratch, outputs
):
    """Learn a batch in order; return how many crosses there is to be room for in `scratch`, indices and values.

    Where there is less nothing has been learned. To allocate it here would have all arrays counted in and out.

    `counted` is what has been seen, the running totals and the sums. `watching` is what is known of leaks, the number
    of the first play, and the values that came: those of interaction i are the entries from `starts[i]` to
    `starts[i + 1]` of the numbers of their signals and of their quantiles; `starts` is empty where none came.
    """
    seen, totals, sums = counted
    leaks, play, starts, numbers, quantiles = watching
    set_start, set_rows, action_start, action_hash = features[3], features[4], features[5], features[6]
    crosses = crosses_needed(features, interactions)
    index, value = scratch
    if crosses > len(index):
        return crosses
    begin = end = 0
    for i in range(len(interactions)):
        if i + 1 < len(interactions):
            fetch_rows(bandit, features, interactions[i + 1])
        row = interactions[i, kernel_columns.ACTIONS]
        context, first = interactions[i, kernel_columns.CONTEXT], set_start[row]
        if leaking_signals.is_watched(leaks, play + i):
            if len(starts) > 0:
                begin, end = starts[i], starts[i + 1]
            shown = action_hash[action_start[set_rows[first + interactions[i, kernel_columns.CHOSEN]]]]
            came, more = interactions[i, kernel_columns.CAME], three_state.says_more(interactions[i])
            leaking_signals.watch(
                leaks, features, context, shown, weights[i], came, more, numbers, quantiles, begin, end
            )
        out = outputs[i]
        three_state.learn_one(
            bandit, signals, seen, totals, parameters, features, interactions[i], weights[i], index, value, out
        )
        doubt = out[three_state.DOUBT]
        doubtful_contexts.remember(doubtful, features, context, doubt)
        negative = interactions[i, kernel_columns.NEGATIVE]
        running_totals.tally(sums, negative, weights[i], set_start[row + 1] - first, out, doubt != three_state.SURE)
        for r in range(three_state.MINUS, three_state.PLUS + 1):
            out[r] = np.rint(out[r] * DECIMALS) / DECIMALS
    return crosses


@borrowing
def fetch_rows(bandit, features, interaction):
    """Have the rows of an interaction's actions on the way while the one before it is learned."""
    context_start, context_hash, _, set_start, set_rows, action_start, action_hash, _ = features
    mask = np.uint64(len(bandit) - 1)
    context, row = interaction[kernel_columns.CONTEXT], interaction[kernel_columns.ACTIONS]
    for a in range(set_start[row], set_start[row + 1]):
        action = set_rows[a]
        for j in range(action_start[action], action_start[action + 1]):
            for c in range(context_start[context], context_start[context + 1]):
                fetch_ahead(bandit, np.int64(cross(context_hash[c], action_hash[j]) & mask))
