"""Crosses of the features of a context, of a signal and of an action, as indices into a table of weights."""

from __future__ import annotations

from typing import Final

import numpy as np

from processors.compiled import borrowing, compiled

_MASK: Final = 0xFFFFFFFF


@compiled(inline="always")
def cross(left, right):
    """Return the hash of two hashes together; `groundswell.features.crossed` is the same in Python."""
    h = (np.uint64(left) * np.uint64(0x9E3779B1) + np.uint64(right)) & np.uint64(_MASK)
    h ^= h >> np.uint64(16)
    h = (h * np.uint64(0x85EBCA6B)) & np.uint64(_MASK)
    h ^= h >> np.uint64(13)
    h = (h * np.uint64(0xC2B2AE35)) & np.uint64(_MASK)
    return h ^ (h >> np.uint64(16))


@borrowing
def first_feature(features, shared):
    """Return where the features of a context begin: the constant, first of all, is left out unless it is
    alone or weights are `shared` between contexts.
    """
    return 0 if shared or features == 1 else 1


@borrowing
def gather(features, context_row, action_row, signal, scale, shared, size, index, value, begin):
    """Write indices and values, times `scale`, of the crosses of a context and an action from `begin` on; return
    the end.

    They are crossed with `signal` too, unless that is -1.
    """
    context_start, context_hash, context_value, _, _, action_start, action_hash, action_value = features
    mask = np.uint64(size - 1)
    low, high = context_start[context_row], context_start[context_row + 1]
    n = begin
    for c in range(low + first_feature(high - low, shared), high):
        left = np.uint64(context_hash[c])
        if signal >= 0:
            left = cross(left, signal)
        for a in range(action_start[action_row], action_start[action_row + 1]):
            index[n] = np.int64(cross(left, action_hash[a]) & mask)
            value[n] = scale * (context_value[c] * action_value[a])
            n += 1
    return n
