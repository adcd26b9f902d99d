"""How many features a context has and how many crosses with those of actions: what learning an interaction costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from groundswell.events import Action, FeatureValue

Count = TypeVar("Count", int, NDArray[np.int64])


def count_crosses(context: Mapping[str, FeatureValue], actions: Sequence[Action], crosses: bool) -> tuple[int, int]:
    """Return how many features the context has, and how many crosses with those of the actions, at most.

    Cheap: nothing is hashed.
    """
    described = [len(action.features) for action in actions if action.features]
    return count_crosses_of(len(context), len(actions), sum(described), crosses)


def count_crosses_of(context: Count, actions: Count, described: Count, crosses: Count) -> tuple[Count, Count]:
    """Return the same, of so many features of a context, so many actions, and as many features of these together.

    `crosses` is 1 where those of the context are crossed with one another, else 0.
    """
    contexts = 1 + context
    contexts = contexts + crosses * pair_count(contexts)
    return contexts, contexts * (actions + described)


def pair_count(count: Count) -> Count:
    """Return how many pairs there are of so many."""
    return count * (count - 1) // 2
