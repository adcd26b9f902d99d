"""Values of a signal in buckets, whose bounds are quantiles learned as values come.

A signal such as a dwell time means another thing with three seconds than with three minutes, and neither its unit nor
its spread is known beforehand. Each bound follows its quantile by stochastic approximation (Robbins & Monro 1951): up
by p where a value lies above it, down by 1 - p where it lies below, in steps that shrink with the number of values and
are measured in their mean deviation. A row of twelve numbers per signal is all that is
kept.

The bounds are those of the logarithm, so that a heavy tail takes no larger steps than the rest. Where a value has a
natural measure, the length of a video for its watch time, it is divided by that first.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

import numpy as np

from processors.compiled import borrowing, compiled
from processors.models.signal_reduction import bounded_name

LEVELS: Final = (0.02, 0.05, 0.1, 0.2, 0.35, 0.65, 0.8, 0.9, 0.95, 0.98)
"""The quantiles: fine where what is rare may be extreme, and one wide bucket in the middle, which is the commonest and
stands for indifference where no `none` comes."""
BUCKETS: Final = len(LEVELS) + 1
WEIGHT_CAP: Final = 5.0
# Columns of a row: how many values came, their mean deviation from the median, the bounds.
COUNT, DEVIATION, BOUNDS = range(3)
MIDDLE: Final = (BUCKETS - 1) // 2
COLUMNS: Final = BOUNDS + BUCKETS - 1
SIGNALS: Final = 1024
"""Rows: signals with values are few, and two that share a row share their bounds and not their meaning."""
LEAST_STEP: Final = 0.002
"""Values change in the course of time: a bound never stands still."""
START: Final = 20.0
"""Values after which a bound moves half as fast as at first."""
LARGEST: Final = 1e300
"""Of a value: what it is multiplied by is finite, too."""
UNMEASURED: Final = -1


@borrowing
def bucket(quantiles, signal, value, measure, weight):
    """Return the bucket, 0 to BUCKETS - 1, of a value of a signal by the bounds so far; learns from it.

    The quantiles are those of what would come if all actions were shown alike, by the importance weight: a policy that
    gets better does not move them. `measure` is what the value is to be divided by, 0 where there is none. What is not
    a number counts as 0.
    """
    x = value / measure if measure > 0.0 else value
    x = math.copysign(math.log1p(1000.0 * min(abs(x), LARGEST)), x) if math.isfinite(x) else 0.0
    row = quantiles[np.int64(np.uint64(signal) % np.uint64(len(quantiles)))]
    if row[COUNT] == 0.0:
        row[BOUNDS:] = x
        row[DEVIATION] = 0.0
    weight = min(weight, WEIGHT_CAP)
    row[COUNT] += weight
    share = min(weight * max(1.0 / row[COUNT], LEAST_STEP), 1.0)
    row[DEVIATION] += share * (abs(x - row[BOUNDS + MIDDLE]) - row[DEVIATION])
    step = 3.0 * weight * row[DEVIATION] * max(1.0 / (1.0 + row[COUNT] / START), LEAST_STEP)
    found = 0
    for i in range(BUCKETS - 1):
        below = 1.0 if x < row[BOUNDS + i] else 0.0
        if x >= row[BOUNDS + i]:
            found += 1
        row[BOUNDS + i] += step * (LEVELS[i] - below)
    for i in range(1, BUCKETS - 1):
        row[BOUNDS + i] = max(row[BOUNDS + i], row[BOUNDS + i - 1])
    return found


@borrowing
def measure(features, set_row, chosen, name):
    """Return the number that the shown action has under the feature with the hash `name`; 0 where it has none."""
    _, _, _, set_start, set_rows, action_start, action_hash, action_value = features
    row = set_rows[set_start[set_row] + chosen]
    for j in range(action_start[row], action_start[row + 1]):
        if np.int64(action_hash[j]) == name:
            return action_value[j]
    return 0.0


@compiled(nogil=True)
def bucket_all(quantiles, features, table, values, buckets):
    """Put values, with importance weights beside them, in buckets in order.

    Columns of `table`: the row of the action set, which of it was shown, the hashes of the signal and of the feature
    that measures it, `UNMEASURED` where none does.
    """
    for v in range(len(table)):
        set_row, chosen, signal, name = table[v]
        length = 0.0 if name == UNMEASURED else measure(features, set_row, chosen, name)
        buckets[v] = bucket(quantiles, signal, values[v, 0], length, values[v, 1])


def bucket_names(signal: str) -> list[str]:
    """Return what a signal with a value in each of the buckets is called: "dwell 35-65%" is among the middle values."""
    percent = [f"{100 * level:g}" for level in (0.0, *LEVELS, 1.0)]
    return [bounded_name(f"{signal} {low}-{high}%") for low, high in pairwise(percent)]
