"""How far a single interaction may move a model: bounds that follow what interactions are like.

Whatever is added up over interactions (importance weights, squared gradients) is cut at a multiple of its own mean that
grows with their number, as truncated importance sampling does (Ionides 2008): what is left out vanishes as the log
grows, and no single interaction is more than a vanishing share of the sum. Ionides lets the multiple grow as
n^(1/2). It is n^(1/3) here, what the weights of a policy attain that explores as epsilon_t = (t0 / t)^(1/3): such a log
is not cut, and that of another policy is until its number justifies more. The mean is that of what was
added, cuts included, so that a dozen outliers do not raise it far. Weights near the cut raise it by less than they are:
or each of fifty lies in a row would let the next be heavier. A log whose weights are all a thousand times as
large, since it was sub-sampled, raises it within some hundred interactions; one that explores by .05 besides, of which
few are beyond its mean, within some ten thousand.

All of it is a function of what was learned before.
"""

from __future__ import annotations

from typing import Final

from processors.compiled import borrowing
from processors.learners.running_totals import TOUCHED, WEIGHED, WEIGHT_SUM

TRUSTED: Final = 100.0
"""Interactions as which what is believed beforehand counts."""
ORDINARY_WEIGHT: Final = 1.0
"""The mean of 1/(K p), whatever the policy. It is never believed to be less: cuts alone would make it so."""
ORDINARY_SQUARES, ORDINARY_PLAYS = 1.0, 100.0
"""What an interaction adds to the rows of a table together: squared gradients of a few rows, which cost AdaGrad no step
where they are cut, or plays of a hundred."""
POWER: Final = 1.0 / 3.0
MOST_TIMES_WEIGHT: Final = 2.0
"""Of n^(1/3) times the mean: a log of one epsilon, .02, has a mean of .6 after 3,000 interactions, .95 after 12,000."""
RAISED_BY: Final = 0.625
"""Of the largest weight that is not cut, what one may add to the sum that the mean is of: 1.25 n^(1/3) times it."""
MOST_TIMES_TOUCHED: Final = 2.0 / TRUSTED**POWER
"""Twice 1 / epsilon_t of a problem of a hundred context features times actions: steps are for good, sums are not."""


@borrowing
def cut(totals, column, ordinary, least, times, raised_by, amount):
    """Return an amount, at most what the mean of those before justifies, and add it to their sum.

    Of no column the mean is taken for less than `least`. To the sum no more is added than `raised_by` times the largest
    amount that is not cut.
    """
    count = totals[WEIGHED] + TRUSTED
    mean = max((totals[column] + TRUSTED * ordinary) / count, least)
    added = amount
    if amount > mean:  # mostly it is not, and a power takes time
        most = times * mean * count**POWER
        amount = min(amount, most)
        added = min(amount, raised_by * most)
    totals[column] += added
    return amount


@borrowing
def cut_weight(totals, weight):
    """Return the importance weight of the next interaction, cut. Call it once for each."""
    weight = cut(totals, WEIGHT_SUM, ORDINARY_WEIGHT, ORDINARY_WEIGHT, MOST_TIMES_WEIGHT, RAISED_BY, weight)
    totals[WEIGHED] += 1.0
    return weight


@borrowing
def cut_touched(totals, ordinary, amount):
    """Return what an interaction may add, to all rows of a table together, to the sums by which steps get smaller."""
    return cut(totals, TOUCHED, ordinary, 0.0, MOST_TIMES_TOUCHED, 1.0, amount)
