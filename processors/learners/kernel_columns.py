"""The columns of what the compiled learning step takes, an interaction and a model's settings, and of what it gives."""

from __future__ import annotations

from typing import Final

# Columns of an interaction in a batch; ANCHOR says what is known of its signal beforehand (`reward_rules.anchor`),
# NEGATIVE is 1 for a definitely negative one, and CAME has a bit for each watched signal that came.
CONTEXT, ACTIONS, SIGNAL, ANCHOR, NEGATIVE, CHOSEN, CAME = range(7)
COLUMNS: Final = 7
# Columns of what the step reports about it; WEIGHT is the importance weight that it was learned with.
STATE, REWARD, POSTERIOR, LOG_LOSS, CORRECT, WEIGHT = range(6)
OUTPUTS: Final = 6
REPORTED: Final = slice(STATE, POSTERIOR + 1)
"""Those that a reward has as they are."""
# Settings as numbers.
(
    FORM,
    IK_RATE,
    IK_CAP,
    RULE,
    THRESHOLD,
    ALPHA,
    BANDIT_RATE,
    BANDIT_CAP,
    POLARITY,
    SHARED,
    START,
    EXTREMES,
    MOST_REWARDED,
) = range(13)
PARAMETERS: Final = 13
