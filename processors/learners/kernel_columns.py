"""The columns of what the compiled learning step takes, an interaction and a model's settings, and of what it gives."""

from __future__ import annotations

from typing import Final

# Columns of an interaction in a batch; NEGATIVE is 1 for a definitely negative signal.
CONTEXT, ACTIONS, SIGNAL, ANCHOR, CHOSEN, NEGATIVE = range(6)
# Columns of what the step reports about it.
STATE, REWARD, POSTERIOR, LOG_LOSS, CORRECT = range(5)
OUTPUTS: Final = 5
# Settings as numbers.
(
    FORM,
    IK_RATE,
    IK_CAP,
    RULE,
    THRESHOLD,
    ALPHA,
    PRIOR,
    BANDIT_RATE,
    BANDIT_CAP,
    POLARITY,
    SHARED,
    START,
    EXTREMES,
) = range(13)
PARAMETERS: Final = 13
