"""What a learner adds up over all it has learned: totals that learning itself reads, and sums for its statistics."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from processors.compiled import borrowing
from processors.learners.kernel_columns import CORRECT, LOG_LOSS, STATE

# The totals.
LEARNED, ACTIONS_SEEN, CONTEXT_FEATURES = range(3)
TOTALS: Final = 3
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
) = range(STATES, STATES + 10)
SUMS: Final = STATES + 10
SEEN_BITS: Final = 16


@borrowing
def notice(seen, totals, context, actions):
    """Count distinct context features (linear counting: Whang et al. 1990) and mean actions per round."""
    totals[LEARNED] += 1.0
    totals[ACTIONS_SEEN] += actions
    for c in range(len(context)):
        bit = np.int64(context[c]) & ((1 << SEEN_BITS) - 1)
        flag = np.uint8(1 << (bit & 7))
        if not seen[bit >> 3] & flag:
            seen[bit >> 3] |= flag
            totals[CONTEXT_FEATURES] += 1.0


@borrowing
def tally(sums, negative, weight, actions, out, unknown):
    """Add an interaction, whose row of outputs is `out`, to what a learner counts about itself."""
    sums[STATES - 1 if unknown else (1 if out[STATE] == 0.0 else (2 if out[STATE] > 0.0 else 0))] += 1.0
    sums[DEFINITELY_NEGATIVE] += negative
    sums[SUM_LOG_LOSS] += weight * out[LOG_LOSS]
    sums[SUM_PRIOR_LOG_LOSS] += weight * math.log(actions)
    sums[SUM_CORRECT] += weight * out[CORRECT]
    sums[SUM_PRIOR_CORRECT] += weight / actions
    sums[CALIBRATION] += weight * math.exp(min(out[LOG_LOSS], math.log(actions))) * out[CORRECT]
    sums[WEIGHTS] += weight
    sums[SQUARED_WEIGHTS] += weight * weight
    sums[LARGEST_WEIGHT] = max(sums[LARGEST_WEIGHT], weight)
    sums[EXTREME_WEIGHTS] += weight * abs(np.sign(out[STATE]))
