"""The reward rules, compiled: `reward_rules.py` beside this has what they are."""

from __future__ import annotations

import math
from typing import Final

from processors.compiled import borrowing
from processors.features.crosses import cross
from processors.learners.context_counts import backed_counts, count, narrowed
from processors.learners.kernel_columns import ALPHA, EXTREMES, POLARITY, PRIOR, RULE, THRESHOLD
from processors.learners.running_totals import (
    EXTREME,
    EXTREME_ANCHORED,
    MARKED,
    MARKED_ANCHORED,
    PLAIN,
    PLAIN_ANCHORED,
)
from processors.learners.weight_tables import logistic

TWO_STATE, WORKSHOP, ICLR, COUNTS, POOLED, POOLED_OWN, MIXTURE = range(7)
BY_POSTERIOR, BY_EITHER, BY_SIGNAL, GRADED, BY_MEANING = range(5)
# What the mixture believes before it has seen anything: the rate of anchors in the anchored state and
# elsewhere, and for how many plays' worth.
MARKED_RATE, MARKED_TRUST = 0.1, 10.0
PLAIN_RATE, PLAIN_TRUST = 0.001, 100.0
MIXTURE_MEMORY: Final = 5000.0
LEAST_RATIO: Final = 2.0
MOST_EVIDENCE: Final = 5.0
EXTREME_PRIOR: Final = -1.0
SIGNAL_TRUST: Final = 2.0
LEAST_SHARE: Final = 0.01
EXTREMENESS: Final = 0x9747B28C  # crossed with a signal, the key of its mean extremeness


@borrowing
def judge(ratio, meaning, anchor, totals, own, pooled, context, action, signal, weight, actions, parameters, order):
    """Return (state, reward) of an interaction whose K * posterior is `ratio`, by the model's rule. Learns from it."""
    graded = parameters[EXTREMES] == GRADED
    if parameters[EXTREMES] == BY_MEANING:
        how_extreme = ratio
        extreme = meaning > 0.0
    else:
        how_extreme = extremeness(pooled, context, signal, ratio, parameters, order)
        extreme = how_extreme > (1.0 if graded else parameters[THRESHOLD])
    state, reward = decode(
        extreme, anchor, totals, own, pooled, context, action, signal, weight, actions, parameters, order
    )
    if graded and extreme:
        reward *= min(math.log(how_extreme) / math.log(actions), 1.0)
        if how_extreme <= parameters[THRESHOLD]:
            state = 0.0
    return state, reward


@borrowing
def extremeness(pooled, context, signal, ratio, parameters, order):
    """Return K * posterior, or its mean over the interactions with that context and signal, or the larger."""
    if parameters[EXTREMES] == BY_POSTERIOR:
        return ratio
    key = cross(signal, EXTREMENESS)
    mean = narrowed(pooled, context, key, len(pooled), 1.0, SIGNAL_TRUST, order)
    count(pooled, context, key, len(pooled), ratio, 1.0)
    return max(mean, ratio) if parameters[EXTREMES] == BY_EITHER else mean


@borrowing
def decode(extreme, anchor, totals, own, pooled, context, action, signal, weight, actions, parameters, order):
    """Return (state, reward). `anchor` is 1 for the anchoring signals, 2 for those of the opposite state."""
    anchored = 1.0 if anchor == 1 else 0.0
    sign = 1.0
    if parameters[RULE] == MIXTURE:
        sign = mixture_sign(totals, own, pooled, context, action, signal, anchored, extreme, actions, parameters, order)
    if not extreme:
        return 0.0, 0.0
    rule, alpha = parameters[RULE], parameters[ALPHA]
    if rule == TWO_STATE:
        return 1.0, 1.0
    if rule == WORKSHOP:
        sign = -1.0 if anchored else 1.0
        reward = sign if anchored else alpha
    elif rule == ICLR:
        sign = -1.0 if anchored else 1.0
        reward = sign / alpha if anchored else sign
    else:
        if rule != MIXTURE:
            sign = extreme_sign(totals, own, pooled, context, action, signal, anchored, weight, parameters, order)
        if anchor == 2:
            sign = 1.0
        reward = sign
    return sign * parameters[POLARITY], reward * parameters[POLARITY]


@borrowing
def extreme_sign(totals, own, pooled, context, action, signal, anchored, weight, parameters, order):
    """Return -1 if an extreme interaction looks like those with an anchor signal, else +1. Learns from it."""
    size = len(own)
    prior = parameters[PRIOR]
    totals[EXTREME] += weight
    totals[EXTREME_ANCHORED] += anchored * weight
    count(own, context, action, size, anchored, 1.0)
    overall = totals[EXTREME_ANCHORED] / totals[EXTREME]
    if overall == 0.0:
        return 1.0
    own_rate = narrowed(own, context, action, size, overall, prior, order)
    log_ratio = math.log(own_rate / overall)
    if parameters[RULE] == COUNTS:
        return -1.0 if anchored or log_ratio > 0.0 else 1.0
    count(pooled, context, signal, size, log_ratio, 1.0)
    mean = narrowed(pooled, context, signal, size, 0.0, 1.0, order)
    evidence = mean + (log_ratio if parameters[RULE] == POOLED_OWN else 0.0)
    return -1.0 if anchored or evidence > 0.0 else 1.0


@borrowing
def mixture_sign(totals, own, pooled, context, action, signal, anchored, extreme, actions, parameters, order):
    """Return -1 if a play is rather of the anchored state, else +1: `processors/learners/reward_rules.py` has how."""
    size = len(own)
    count(own, context, action, size, anchored, 1.0)
    anchors, plays = backed_counts(own, context, action, size, parameters[PRIOR], order)
    plain = (totals[PLAIN_ANCHORED] + PLAIN_TRUST * PLAIN_RATE) / (totals[PLAIN] + PLAIN_TRUST)
    marked = (totals[MARKED_ANCHORED] + MARKED_TRUST * MARKED_RATE) / (totals[MARKED] + MARKED_TRUST)
    marked = min(max(marked, LEAST_RATIO * plain), 0.999)
    plain = min(max(plain, 1e-6), 0.99 * marked)
    evidence = anchors * math.log(marked / plain) + (plays - anchors) * math.log((1.0 - marked) / (1.0 - plain))
    evidence = min(max(evidence, -MOST_EVIDENCE), MOST_EVIDENCE)
    share = logistic(evidence - math.log(actions - 1.0))
    remember(totals, MARKED_ANCHORED, MARKED, anchored, share)
    remember(totals, PLAIN_ANCHORED, PLAIN, anchored, 1.0 - share)
    if not extreme:
        return 0.0
    of_signal = narrowed(pooled, context, signal, size, 0.5, SIGNAL_TRUST, order)
    of_signal = min(max(of_signal, LEAST_SHARE), 1.0 - LEAST_SHARE)
    count(pooled, context, signal, size, logistic(evidence + EXTREME_PRIOR), 1.0)
    evidence += EXTREME_PRIOR + math.log(of_signal / (1.0 - of_signal))
    return -1.0 if anchored or evidence > 0.0 else 1.0


@borrowing
def remember(totals, anchored_column, column, anchored, share):
    """Add a play to a class of the mixture by its share, forgetting the oldest beyond the memory."""
    totals[anchored_column] += share * anchored
    totals[column] += share
    if totals[column] > MIXTURE_MEMORY:
        kept = MIXTURE_MEMORY / totals[column]
        totals[anchored_column] *= kept
        totals[column] *= kept
