"""The papers' reward rules, compiled: `reward_rules.py` beside this has what they are."""

from __future__ import annotations

from processors.compiled import borrowing
from processors.learners.kernel_columns import ALPHA, EXTREMES, POLARITY, RULE, THRESHOLD

TWO_STATE, WORKSHOP, ICLR, THREE_STATE = range(4)
BY_POSTERIOR, BY_MEANING = range(2)
# What is known of a signal beforehand, as `three_state.py` numbers it.
OTHER, ANCHORED, OPPOSITE, INDIFFERENT = range(4)


@borrowing
def judge(ratio, meaning, anchor, parameters):
    """Return (state, reward) of an interaction whose K * posterior is `ratio`, by the model's rule.

    `meaning` is what an embedding makes of the feedback.
    """
    extreme = meaning > 0.0 if parameters[EXTREMES] == BY_MEANING else ratio > parameters[THRESHOLD]
    if not extreme:
        return 0.0, 0.0
    rule, alpha = parameters[RULE], parameters[ALPHA]
    if rule == TWO_STATE:
        return 1.0, 1.0
    state = -1.0 if anchor == ANCHORED else 1.0
    if rule == WORKSHOP:
        reward = state if anchor == ANCHORED else alpha
    else:
        reward = state / alpha if anchor == ANCHORED else state
    return state * parameters[POLARITY], reward * parameters[POLARITY]
