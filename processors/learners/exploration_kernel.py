"""What the bandit makes of each action of a set, and with which probability it is shown."""

from __future__ import annotations

import math

import numpy as np

from processors.compiled import borrowing
from processors.features.crosses import cross, first_feature

EPSILON_GREEDY, SQUARECB, SOFTMAX_SCORES = range(3)


@borrowing
def action_scores(bandit, features, shared, context_row, set_row, out):
    """Write the bandit's score of each action of a set in a context."""
    context_start, context_hash, context_value, set_start, set_rows, action_start, action_hash, action_value = features
    begin, end = context_start[context_row], context_start[context_row + 1]
    begin += first_feature(end - begin, shared)
    mask = np.uint64(len(bandit) - 1)
    first = set_start[set_row]
    for a in range(set_start[set_row + 1] - first):
        row = set_rows[first + a]
        total = 0.0
        for c in range(begin, end):
            for j in range(action_start[row], action_start[row + 1]):
                i = np.int64(cross(context_hash[c], action_hash[j]) & mask)
                total += bandit[i, 0] * (context_value[c] * action_value[j])
        out[a] = total


@borrowing
def raise_to(floor, out):
    """Mix probabilities with equal ones; `groundswell.exploration.raised` is the same in Python."""
    count = len(out)
    least = out[0]
    for probability in out:
        least = min(least, probability)
    least *= count
    if least < floor:
        mixed = (floor - least) / (1.0 - least)
        for a in range(count):
            out[a] = (1.0 - mixed) * out[a] + mixed / count


@borrowing
def explore(scores, kind, parameter, out):
    """Write the probability of each action; `groundswell.exploration.probabilities` is the same in Python."""
    count = len(scores)
    best, ties = scores[0], 0
    for score_of in scores:
        best = max(best, score_of)
    for score_of in scores:
        ties += score_of == best
    if kind == EPSILON_GREEDY:
        for a in range(count):
            out[a] = parameter / count + ((1.0 - parameter) / ties if scores[a] == best else 0.0)
        return
    total = 0.0
    for a in range(count):
        if kind == SOFTMAX_SCORES:
            out[a] = math.exp((scores[a] - best) / parameter)
        else:
            out[a] = 0.0 if scores[a] == best else 1.0 / (count + parameter * (best - scores[a]))
        total += out[a]
    for a in range(count):
        if kind == SOFTMAX_SCORES:
            out[a] /= total
        elif scores[a] == best:
            out[a] = (1.0 - total) / ties
