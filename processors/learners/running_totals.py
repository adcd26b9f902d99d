"""What a learner adds up over all it has learned: totals that learning itself reads, and sums for its statistics.

Neither is moved far by what one producer may write: weights are cut (`influence.py`), and so is the log loss of one
play and how many actions a round counts for. Context features count where they come again (`notice`).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from processors.compiled import borrowing, compiled
from processors.learners.kernel_columns import CORRECT, LOG_LOSS, STATE, WEIGHT

# The totals.
LEARNED, ACTIONS_SEEN, CONTEXT_FEATURES = range(3)
TOTALS: Final = 3
# Totals that came later than those of any rule, and so lie behind them, counted from the end.
WEIGHED, WEIGHT_SUM, TOUCHED, CAME_BACK, STRETCH_ENDS = range(-5, 0)
LATER_TOTALS: Final = 5
# The sums: `statistics.py` beside this has what they mean. The first four are the states, the unknown one last.
STATES: Final = 4
(
    DEFINITELY_NEGATIVE,
    SUM_LOG_LOSS,
    SUM_PRIOR_LOG_LOSS,
    SUM_CORRECT,
    SUM_PRIOR_CORRECT,
    CALIBRATION,
    WEIGHTS,
    SQUARED_WEIGHTS,
    LARGEST_WEIGHT,
    EXTREME_WEIGHTS,
    CUT,
) = range(STATES, STATES + 11)
SUMS: Final = STATES + 11
SEEN_BITS: Final = 16
# Rows of what has been seen of context features, a bit for each hash: those that count by the stretch before and by
# this one, and all that came in either.
COUNTED_BEFORE, COUNTED, CAME_BEFORE, CAME_NOW = range(4)
FIRST_STRETCH: Final = 1_000.0
"""Interactions; each further stretch is as long as all before it together."""
MOST_TIMES_ACTIONS: Final = 4.0
"""Of the mean number of actions, for how many a round counts at most."""
WORST_LOG_LOSS: Final = 7.0
"""Of one play, in nats beyond 1/K: a thousand times less likely than by chance."""


@compiled()
def nothing_seen():
    """Return what has been seen of context features before the first: in the first stretch all of them count."""
    seen = np.zeros((4, (1 << SEEN_BITS) // 8), dtype=np.uint8)
    seen[CAME_BEFORE] = 0xFF
    return seen


@borrowing
def notice(seen, totals, context, actions):
    """Count context features (linear counting: Whang et al. 1990) and mean actions per round.

    A feature counts once it has come in a stretch of interactions and in the next one, for as long as it goes on to.
    The id of a session comes once or some times, and never again: it is no part of the problem that has to be explored.
    One interaction lets at most one feature count, the constant, which is the first, aside. So however many names a
    producer invents, it takes as many interactions as features to have them count, twice, a stretch apart.
    """
    most = MOST_TIMES_ACTIONS * totals[ACTIONS_SEEN] / totals[LEARNED] if totals[LEARNED] > 0.0 else float(actions)
    totals[LEARNED] += 1.0
    totals[ACTIONS_SEEN] += min(float(actions), most)
    if totals[LEARNED] >= totals[STRETCH_ENDS]:
        begin_stretch(seen, totals)
    free = True
    for c in range(len(context)):
        bit = np.int64(context[c]) & ((1 << SEEN_BITS) - 1)
        byte, flag = bit >> 3, np.uint8(1 << (bit & 7))
        if seen[COUNTED, byte] & flag:
            continue
        seen[CAME_NOW, byte] |= flag
        if (free or c == 0) and seen[CAME_BEFORE, byte] & flag:
            free = free and c == 0
            seen[COUNTED, byte] |= flag
            totals[CAME_BACK] += 1.0
            if not seen[COUNTED_BEFORE, byte] & flag:
                totals[CONTEXT_FEATURES] += 1.0


@borrowing
def begin_stretch(seen, totals):
    """Let those features count from now on that came back in the stretch that ends; the next one is twice as long."""
    if totals[STRETCH_ENDS] > 0.0:
        for byte in range(seen.shape[1]):
            seen[COUNTED_BEFORE, byte] = seen[COUNTED, byte]
            seen[CAME_BEFORE, byte] = seen[CAME_NOW, byte]
            seen[COUNTED, byte] = seen[CAME_NOW, byte] = 0
        totals[CONTEXT_FEATURES] = totals[CAME_BACK]
        totals[CAME_BACK] = 0.0
    totals[STRETCH_ENDS] = max(FIRST_STRETCH, 2.0 * totals[LEARNED])


@borrowing
def tally(sums, negative, weight, actions, out, unknown):
    """Add an interaction, whose row of outputs is `out`, to what a learner counts about itself.

    `weight` is as it was logged; that in `out`, by which it counts, may have been cut.
    """
    sums[CUT] += out[WEIGHT] < weight
    weight = out[WEIGHT]
    sums[STATES - 1 if unknown else (1 if out[STATE] == 0.0 else (2 if out[STATE] > 0.0 else 0))] += 1.0
    sums[DEFINITELY_NEGATIVE] += negative
    sums[SUM_LOG_LOSS] += weight * min(out[LOG_LOSS], math.log(actions) + WORST_LOG_LOSS)
    sums[SUM_PRIOR_LOG_LOSS] += weight * math.log(actions)
    sums[SUM_CORRECT] += weight * out[CORRECT]
    sums[SUM_PRIOR_CORRECT] += weight / actions
    sums[CALIBRATION] += weight * math.exp(min(out[LOG_LOSS], math.log(actions))) * out[CORRECT]
    sums[WEIGHTS] += weight
    sums[SQUARED_WEIGHTS] += weight * weight
    sums[LARGEST_WEIGHT] = max(sums[LARGEST_WEIGHT], weight)
    sums[EXTREME_WEIGHTS] += weight * abs(np.sign(out[STATE]))
