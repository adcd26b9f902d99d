"""The papers' reward rules, compiled: `reward_rules.py` beside this has what they are."""

from __future__ import annotations

from processors.compiled import borrowing
from processors.learners.kernel_columns import ALPHA, EXTREMES, MOST_REWARDED, POLARITY, RULE, THRESHOLD

TWO_STATE, WORKSHOP, ICLR, THREE_STATE = range(4)
BY_POSTERIOR, BY_MEANING, BY_RAMP = range(3)
# What is known of a signal beforehand, as `three_state.py` numbers it.
OTHER, ANCHORED, OPPOSITE, INDIFFERENT, UNSAID = range(5)


@borrowing
def ramp(ratio, actions, most_rewarded):
    """Return how extreme an interaction is whose K * posterior is `ratio`, 0 to 1, by the ramp of NeurIPS 2024."""
    low, high = actions / (actions - most_rewarded), actions / most_rewarded
    return min(max(2.0 * (ratio - low) / (high - low), 0.0), 1.0)


@borrowing
def judge(ratio, actions, meaning, anchor, parameters):
    """Return (state, reward) of an interaction whose K * posterior is `ratio`, by the model's rule.

    `actions` is K, and `meaning` is what an embedding makes of the feedback.
    """
    how = parameters[EXTREMES]
    if how == BY_RAMP:
        strength = ramp(ratio, actions, parameters[MOST_REWARDED])
        state, reward = _extreme(anchor, parameters)
        return state if strength > 0.5 else 0.0, strength * reward
    extreme = meaning > 0.0 if how == BY_MEANING else ratio > parameters[THRESHOLD]
    return _extreme(anchor, parameters) if extreme else (0.0, 0.0)


@borrowing
def _extreme(anchor, parameters):
    """Return (state, reward) of an extreme interaction."""
    rule, alpha = parameters[RULE], parameters[ALPHA]
    if rule == TWO_STATE:
        return 1.0, 1.0
    state = -1.0 if anchor == ANCHORED else 1.0
    if rule == WORKSHOP:
        reward = state if anchor == ANCHORED else alpha
    else:
        reward = state / alpha if anchor == ANCHORED else state
    return state * parameters[POLARITY], reward * parameters[POLARITY]
