"""The sums over plays by which it is said what signals are worth, in one compiled pass over a stretch of them."""

from __future__ import annotations

from typing import Final

from processors.compiled import borrowing
from processors.learners import three_state

# Sums of a row, by signal and segment; the first segment is all of them.
WEIGHT, SQUARED, SATISFIED, LESS, MORE, UNSURE, ASSUMED, UNINFORMED = range(8)
SUMS: Final = 8
ALL: Final = 0
LEAST_SHARE: Final = 1e-9
"""Nothing is surer than that, nor less sure than 1 less that."""


@borrowing
def add_plays(sums, signals, segments, states, uninformed, weights, off):
    """Add plays in order to `sums`, by signal, segment and what is summed.

    `signals` and `segments` are their rows and columns there, -1 where there is no room; `segments` is empty where
    none are configured. `states` are P(-1, 0, +1), `off` the factor by which the odds of +1 may be wrong.
    """
    for i in range(len(signals)):
        row = signals[i]
        if row < 0:
            continue
        _add(sums[row, ALL], states[i], uninformed[i], weights[i], off)
        if len(segments) > 0 and segments[i] >= 0:
            _add(sums[row, segments[i]], states[i], uninformed[i], weights[i], off)


@borrowing
def _add(row, states, uninformed, weight, off):
    plus = min(max(states[2], LEAST_SHARE), 1.0 - LEAST_SHARE)
    odds = plus / (1.0 - plus)
    likeliest = max(states[0], states[1], states[2])
    row[WEIGHT] += weight
    row[SQUARED] += weight * weight
    row[SATISFIED] += weight * plus
    row[LESS] += weight * odds / (odds + off)
    row[MORE] += weight * odds / (odds + 1.0 / off)
    if likeliest < three_state.LEAST_SURE:
        row[UNSURE] += weight
    if likeliest == 1.0:
        row[ASSUMED] += weight
    if uninformed:
        row[UNINFORMED] += weight
