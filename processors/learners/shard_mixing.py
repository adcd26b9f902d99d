"""What a shard of a model has learned from its own interactions, in a form in which shards add up.

Several learners of one model each see a part of its interactions. In the right coordinates all that they hold
is additive:

- counts are sums as they stand;
- a weight w that has gathered the precision P (its accumulated squared gradients or squared values) becomes the
  pair (P w, P). Pairs add up, and (sum of P w) / (sum of P) is the mean of the weights by their accumulated
  adaptive precision, as VowpalWabbit's allreduce takes it (Agarwal, Chapelle, Dudik & Langford 2014, section 3).

A learner that holds the sum of all shards takes steps of the size that all of their interactions justify. What
it adds is the difference to what others had contributed. For weighted means this is exact, whatever the delay;
for gradient steps it is to first order what one learner would have done with all interactions in sequence. Only
the newest contribution of a shard counts, so that one that is repeated, late or restored does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.learners import running_totals

Floats = NDArray[np.float64]
WEIGHT, PRECISION, LARGEST = range(3)
"""Columns of a table of weights. A table of counts has the columns (sum, count)."""
ADDITIVE_TOTALS = [
    running_totals.LEARNED,
    running_totals.ACTIONS_SEEN,
    running_totals.EXTREME_ANCHORED,
    running_totals.EXTREME,
]
"""The running totals that are sums. The others forget at their own pace, and each shard keeps its own."""


class Rows(NamedTuple):
    """Some rows of a table in additive form: their numbers, (amount, mass) of each, the largest value met by each.

    The mass is the precision or the count; rows without any are left out.
    """

    numbers: NDArray[np.int64]
    additive: Floats
    largest: Floats


@dataclass(frozen=True)
class Contribution:
    """What one shard learned from interactions of its own; `seen` has a bit for each context feature met."""

    interactions: int
    tables: Mapping[str, Rows]
    totals: Floats
    seen: NDArray[np.uint8]


def own_rows(table: Floats, others: Floats) -> Rows:
    """Return what a table of weights or counts holds beyond the additive form of what `others` contributed."""
    weights = table.shape[1] == 3
    mass = table[:, 1] - others[:, 1]
    numbers = np.flatnonzero(mass > 0.0)
    chosen = table[numbers]
    amount = chosen[:, WEIGHT] * chosen[:, PRECISION] if weights else chosen[:, 0]
    largest = chosen[:, LARGEST] if weights else np.zeros(len(numbers))
    return Rows(numbers, np.column_stack((amount - others[numbers, 0], mass[numbers])), largest)


def add_rows(table: Floats, own: Rows, others: Floats, before: Floats) -> None:
    """Make a table, which was the sum of `own` and `before`, that of `own` and `others`, in place.

    Rows to which others add nothing stay as they are, to the bit.
    """
    changed = np.flatnonzero(others[:, 1] + before[:, 1])
    whole = others[changed]
    held = np.isin(own.numbers, changed, assume_unique=True)
    whole[np.searchsorted(changed, own.numbers[held])] += own.additive[held]
    if table.shape[1] == 2:
        table[changed] = whole
        return
    mass = whole[:, 1]
    table[changed, WEIGHT] = np.divide(whole[:, 0], mass, out=np.zeros_like(mass), where=mass > 0.0)
    table[changed, PRECISION] = mass
