"""Rates by the features of a context crossed with something else, in tables of (sum, count)."""

from __future__ import annotations

import numpy as np

from processors.compiled import borrowing
from processors.features.crosses import cross


@borrowing
def sort_rows(table, context, other, mask, order):
    """Write the rows of each context feature crossed with `other`, most common first; return how many.

    The constant feature, first in every context, is left out unless it is alone.
    """
    first = 1 if len(context) > 1 else 0
    n = 0
    for c in range(first, len(context)):
        i = np.int64(cross(context[c], other) & mask)
        j = n
        while j > 0 and table[order[j - 1], 1] < table[i, 1]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = i
        n += 1
    return n


@borrowing
def narrowed(table, context, other, size, rate, prior, order):
    """Return `rate` after backing it with the counts of each context feature crossed with `other`.

    Rows of `table` are (sum, count). The features are taken from the most to the least common, so that the
    most specific rate has the last word.
    """
    n = sort_rows(table, context, other, np.uint64(size - 1), order)
    for j in range(n):
        i = order[j]
        rate = (table[i, 0] + prior * rate) / (table[i, 1] + prior)
    return rate


@borrowing
def backed_counts(table, context, other, size, prior, order):
    """Return (sum, count) of the rarest context feature crossed with `other`, backed by the commoner ones.

    A wider row lends the narrower one at most `prior` counts at its own rate.
    """
    mask = np.uint64(size - 1)
    n = sort_rows(table, context, other, mask, order)
    amount, counted = 0.0, 0.0
    for j in range(n):
        lent = min(prior, counted)
        rate = amount / counted if counted > 0.0 else 0.0
        amount = table[order[j], 0] + lent * rate
        counted = table[order[j], 1] + lent
    return amount, counted


@borrowing
def count(table, context, other, size, amount, weight):
    """Add (amount * weight, weight) to the counts of each context feature crossed with `other`."""
    mask = np.uint64(size - 1)
    for c in range(len(context)):
        i = np.int64(cross(context[c], other) & mask)
        table[i, 0] += amount * weight
        table[i, 1] += weight
