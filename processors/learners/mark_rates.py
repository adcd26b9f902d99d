"""How often definitely negative signals come in the state that they name, and how often elsewhere by accident.

Both rates are learned on line by the responsibilities of the plays seen (Dempster, Laird & Rubin 1977).
"""

from __future__ import annotations

from typing import Final

from processors.compiled import borrowing
from processors.learners import running_totals

# Columns of the running totals: sums over the plays of the marked state, and over plain ones.
MARKED_ANCHORED, MARKED, PLAIN_ANCHORED, PLAIN = range(running_totals.TOTALS, running_totals.TOTALS + 4)
TOTALS: Final = running_totals.TOTALS + 4
# What is believed before anything was seen: both rates, and for how many plays' worth.
MARKED_RATE, MARKED_TRUST = 0.1, 10.0
PLAIN_RATE, PLAIN_TRUST = 0.001, 100.0
LEAST_RATIO: Final = 2.0
"""How many times the accidental rate the other one is at least."""
MEMORY: Final = 5000.0
"""Plays that are remembered of each kind."""


@borrowing
def remember(totals, anchored_column, column, anchored, share):
    """Add a play to one of the two kinds by its share, forgetting the oldest beyond the memory."""
    totals[anchored_column] += share * anchored
    totals[column] += share
    if totals[column] > MEMORY:
        kept = MEMORY / totals[column]
        totals[anchored_column] *= kept
        totals[column] *= kept
