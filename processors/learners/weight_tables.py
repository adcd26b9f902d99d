"""Tables of weights by hashed index: what the features in them come to, and two ways to move them.

A weight table has one row per hashed index: weight, sum of squared gradients (AdaGrad: Duchi, Hazan & Singer
2011) and largest feature value met (scale invariance: Ross, Mineiro & Langford 2013). A step is divided by the
number of active features, so that the first one moves a score by `rate` whatever their number.
"""

from __future__ import annotations

import math
from typing import Final

from processors.compiled import borrowing

BANDIT_POWER: Final = 0.75
GROWTH: Final = 10.0
"""The largest value of a feature grows by at most (1 + GROWTH / n) after n plays: as n doubles, a thousand times."""
YOUNG: Final = 5.0
"""Plays up to which a row may have begun with an outlier."""
OUTLYING: Final = 1e-4
"""Of the largest value: a young row that comes with less than that began with one."""


@borrowing
def logistic(x):
    """Return the probability whose log odds are x."""
    return 1.0 / (1.0 + math.exp(-x))


@borrowing
def largest(before, seen, size):
    """Return the largest value met of a feature, once one of that size comes after so many plays.

    One that nothing before it bears out counts as what is borne out. Else a single number, a million times as large as
    all others, would leave them no step for good.
    """
    if size <= before:
        return size if seen < YOUNG and size < OUTLYING * before and size > 0.0 else before
    return min(size, before * (1.0 + GROWTH / seen)) if before > 0.0 and seen > 0.0 else size


@borrowing
def within(value, bound):
    """Return a value, of at most that size."""
    return min(max(value, -bound), bound)


@borrowing
def list_weights(table, index, value):
    """Write where the first column of a table is not 0, and what it is there; return how often.

    In one pass over a table that fits no cache: numpy takes two.
    """
    n = 0
    for i in range(len(table)):
        if table[i, 0] != 0.0:
            index[n], value[n] = i, table[i, 0]
            n += 1
    return n


@borrowing
def score(table, index, value, begin, end):
    """Return the inner product of the weights with the features [begin, end)."""
    total = 0.0
    for j in range(begin, end):
        total += table[index[j], 0] * value[j]
    return total


@borrowing
def step(table, index, value, begin, end, gradient, rate):
    """Move the weights of the features [begin, end) against `gradient`, the slope of the loss by the score."""
    if gradient == 0.0:
        return
    for j in range(begin, end):
        i, x = index[j], value[j]
        if x == 0.0:
            continue
        bound = largest(table[i, 2], YOUNG + table[i, 1], abs(x))
        if bound > table[i, 2]:
            table[i, 0] *= table[i, 2] / bound
            table[i, 2] = bound
        x = within(x, bound)
        slope = gradient * x
        if slope * slope == 0.0:
            continue  # too small to be squared
        table[i, 1] += slope * slope
        table[i, 0] -= rate * slope / ((end - begin) * table[i, 2] * math.sqrt(table[i, 1]))


@borrowing
def estimate(table, index, value, n, error, weight, rate):
    """Move n weights against `error`, the score minus its target: between a weighted mean and AdaGrad.

    The second column is the sum of weighted squared values. With the power 1 a lone feature would hold the
    exact weighted mean of its targets; a smaller one forgets the targets of its youth, when labels were worse.
    """
    for j in range(n):
        i, x = index[j], value[j]
        if x == 0.0:
            continue
        bound = largest(table[i, 2], table[i, 1], abs(x))
        if bound > table[i, 2]:
            table[i, 0] *= table[i, 2] / bound
        table[i, 2] = bound
        x = within(x, bound) / bound
        table[i, 1] += weight * x * x
        table[i, 0] -= rate * weight * error * x / (n * table[i, 2] * table[i, 1] ** BANDIT_POWER)
