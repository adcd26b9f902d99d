"""Which context features go with signals whose meaning is not determined: a bounded number, the newest in doubt.

The share of plays in doubt among the last hundred or so is kept of each feature that was in doubt and found a slot; a
feature that is never in doubt takes none. Two features of one slot: the one in doubt for longer stays, and gives way
where it does not come any more.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from groundswell.features import CONSTANT_HASH
from processors.compiled import borrowing
from processors.learners import three_state
from processors.wire.packed_arrays import unpacked_rows
from processors.wire.plain_state import require

KEY, PLAYS, DOUBTED = range(3)
COLUMNS: Final = 3
"""Hash of the feature, how many plays are remembered, and the share of them that was in doubt."""
SLOTS: Final = 256
MEMORY: Final = 100.0
"""In plays of a feature."""
FIRST_PLAYS: Final = 20.0
"""As which the first play in doubt counts: one in as many. Others may have come before it that nobody counted."""
MOST_HASH: Final = (1 << 32) - 1
DOUBTFUL: Final = 0.1
"""The share of plays in doubt beyond which a context with that feature is."""


@borrowing
def remember(table, features, context_row, doubt):
    """Take in whether the meaning of a play's signal was determined; what fails for all feedback is not kept here."""
    if doubt not in (three_state.SURE, three_state.UNDETERMINED):
        return
    context_start, context_hash, context_value, _, _, _, _, _ = features
    doubted = 1.0 if doubt == three_state.UNDETERMINED else 0.0
    for c in range(context_start[context_row], context_start[context_row + 1]):
        key = np.float64(context_hash[c])
        row = table[np.int64(context_hash[c]) & (SLOTS - 1)]
        if context_value[c] != 1.0:  # a number has its name in every context: the constant stands for it
            continue
        if row[PLAYS] > 0.0 and row[KEY] == key:
            row[PLAYS] = min(row[PLAYS] + 1.0, MEMORY)
            row[DOUBTED] += (doubted - row[DOUBTED]) / row[PLAYS]
        elif doubted > 0.0 and row[DOUBTED] <= DOUBTFUL:
            row[KEY], row[PLAYS], row[DOUBTED] = key, FIRST_PLAYS, 1.0 / FIRST_PLAYS
        elif doubted > 0.0:
            row[DOUBTED] -= row[DOUBTED] / MEMORY


@borrowing
def concerned(table, features, context_row):
    """Return whether one of a context's features is in doubt."""
    context_start, context_hash, context_value, _, _, _, _, _ = features
    found = False
    for c in range(context_start[context_row], context_start[context_row + 1]):
        row = table[np.int64(context_hash[c]) & (SLOTS - 1)]
        found |= context_value[c] == 1.0 and row[KEY] == np.float64(context_hash[c]) and row[DOUBTED] > DOUBTFUL
    return found


def restored(packed: object) -> NDArray[np.float64]:
    """Return the table that was packed. Raises `MalformedError` where it is none."""
    what = "the contexts in doubt"
    table: NDArray[np.float64] = unpacked_rows(packed, (SLOTS, COLUMNS), what, unsigned=(KEY, PLAYS, DOUBTED))
    require(bool((table[:, KEY] <= MOST_HASH).all()), f"{what}: a key is no hash")
    require(bool((table[:, KEY] % 1.0 == 0.0).all()), f"{what}: a key is no hash")
    require(bool((table[:, DOUBTED] <= 1.0).all()), f"{what}: a share is above 1")
    return table


def listed(table: NDArray[np.float64]) -> list[int]:
    """Return the hashes of the features in doubt, in ascending order; of the constant alone where it is among them."""
    keys = sorted(int(key) for key in table[table[:, DOUBTED] > DOUBTFUL, KEY])
    return [CONSTANT_HASH] if CONSTANT_HASH in keys else keys
