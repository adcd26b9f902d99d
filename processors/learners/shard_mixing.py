"""What a shard of a model has learned from its own interactions, in a form in which shards can be mixed.

Several learners of one model each see a part of its interactions. What mixes how, by what it is:

means      A row of weights w that share the precision P: its sum of squared gradients, or of squared values (how often
           it was seen). It becomes (P w, P), and these add up: (sum of P w) / (sum of P) is the mean of the weights by
           their accumulated adaptive precision, as VowpalWabbit's allreduce takes it (Agarwal, Chapelle, Dudik &
           Langford 2014, section 3). By the default rule these are score, extremeness and rate of definite negatives
           of a cross, by how often it was seen; by the papers' rules, the weights of classifier and bandit. A row that
           counts anew, since the world changed, is the shard's own as a whole.
evidence   The log odds l of a signal in the three states grow as a z-score: each step is a slope over the root of the
           sum G of the squared slopes. Evidence of different interactions is combined as z-scores are, by the roots of
           G (Stouffer 1949; Lipták 1958): l = sum_s sqrt(G_s) l_s / sqrt(sum_s G_s). For one shard that is its own l,
           for two of the same size and opinion 1.4 times that. The floors under l and the decay of G are the shard's:
           they hold for what is mixed at its next step, and G, by which steps are sized, is never mixed.
sums       The weight with which a signal came, and most running totals. They add up.
own        Of the largest value of a feature the maximum is taken. What forgets at a pace of its own (rates of marks,
           the commonest signal, how long a prediction has been wrong) is not mixed.

A learner that holds the mix of all shards takes steps of the size that all of their interactions justify. What it
adds is the difference to what others had contributed. For weighted means this is exact, whatever the delay; for steps
it is to first order what one learner would have done with all interactions in sequence. Only the newest contribution
of a shard counts, so that one that is repeated, late or restored does no harm.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Rows(NamedTuple):
    """Some rows of a table in the form in which they are mixed: their numbers, and what each table makes of them."""

    numbers: NDArray[np.int64]
    values: Floats


@dataclass(frozen=True)
class Contribution:
    """What one shard learned from interactions of its own; `seen` has a bit for each context feature that counts."""

    interactions: int
    tables: Mapping[str, Rows]
    totals: Floats
    seen: NDArray[np.uint8]


class Mixture(ABC):
    """How the rows of one table mix."""

    @abstractmethod
    def nothing(self, size: int) -> Floats:
        """Return what others contributed to a table of so many rows before any did."""

    @abstractmethod
    def own(self, table: Floats, others: Floats) -> Rows:
        """Return what a table holds beyond what `others` contributed."""

    @abstractmethod
    def mixed(self, table: Floats, own: Rows, before: Floats, contributed: Sequence[Rows]) -> Floats:
        """Make a table, which was the mix of `own` and `before`, that of `own` and what is `contributed` now, in place.

        Return what others contributed now. Rows to which others add nothing stay as they are, to the bit.
        """


class Means(Mixture):
    """Weights in the columns `weights` of a table, of the precision in another, and the largest value met in a third.

    What others contributed is (P w of each weight, P) of each row; a row of a contribution has the largest value, too.
    """

    def __init__(self, weights: Sequence[int], precision: int, largest: int) -> None:
        self._weights, self._precision, self._largest = list(weights), precision, largest

    def nothing(self, size: int) -> Floats:
        """Return what others contributed to a table of so many rows before any did."""
        return np.zeros((size, len(self._weights) + 1))

    def own(self, table: Floats, others: Floats) -> Rows:
        """Return the rows that are not all others'."""
        theirs = others[:, -1]
        numbers = np.flatnonzero(table[:, self._precision] != theirs)
        rows, others = table[numbers], others[numbers]
        anew = rows[:, self._precision] < theirs[numbers]
        others[anew] = 0.0
        mass = rows[:, [self._precision]]
        additive = np.hstack((rows[:, self._weights] * mass, mass)) - others
        return Rows(numbers, np.hstack((additive, rows[:, [self._largest]])))

    def mixed(self, table: Floats, own: Rows, before: Floats, contributed: Sequence[Rows]) -> Floats:
        """Let (P w, P) add up."""
        others, largest = self.nothing(len(table)), table[:, self._largest]
        for numbers, values in contributed:
            others[numbers] += values[:, :-1]
            largest[numbers] = np.maximum(largest[numbers], values[:, -1])
        changed = np.flatnonzero(others[:, -1] + before[:, -1])
        whole = others[changed]
        held = np.isin(own.numbers, changed, assume_unique=True)
        whole[np.searchsorted(changed, own.numbers[held])] += own.values[held, :-1]
        mass = whole[:, [-1]]
        table[changed[:, None], self._weights] = np.divide(
            whole[:, :-1], mass, out=np.zeros((len(mass), len(self._weights))), where=mass > 0.0
        )
        table[changed, self._precision] = mass[:, 0]
        return others


class Evidence(Mixture):
    """Log odds in the columns `odds`, sums of squared slopes in `slopes`, and the weight with which a signal came.

    What others contributed is (what they moved each log odds by, their weight) of each row. A row of a contribution is
    (the own log odds, their slopes, the own weight); own log odds are kept within `bound`, beyond which no row goes.
    """

    def __init__(self, odds: Sequence[int], slopes: Sequence[int], weight: int, bound: float) -> None:
        self._odds, self._slopes, self._weight, self._bound = list(odds), list(slopes), weight, bound

    def nothing(self, size: int) -> Floats:
        """Return what others contributed to a table of so many rows before any did."""
        return np.zeros((size, len(self._odds) + 1))

    def own(self, table: Floats, others: Floats) -> Rows:
        """Return the rows that are not all others': of these the slopes are 0."""
        learned = table[:, self._slopes].any(axis=1) | (table[:, self._weight] != others[:, -1])
        numbers = np.flatnonzero(learned)
        rows, others = table[numbers], others[numbers]
        odds = np.clip(rows[:, self._odds] - others[:, :-1], -self._bound, self._bound)
        return Rows(numbers, np.hstack((odds, rows[:, self._slopes], rows[:, [self._weight]] - others[:, [-1]])))

    def mixed(self, table: Floats, own: Rows, before: Floats, contributed: Sequence[Rows]) -> Floats:
        """Combine log odds by the roots of their evidence, and add up the weights."""
        states, size = len(self._odds), len(table)
        evidence, rooted = np.zeros((size, states)), np.zeros((size, states))
        others = self.nothing(size)
        for numbers, values in contributed:
            evidence[numbers] += values[:, states : 2 * states]
            rooted[numbers] += np.sqrt(values[:, states : 2 * states]) * values[:, :states]
            others[numbers, -1] += values[:, -1]
        changed = np.flatnonzero(evidence.any(axis=1) | others.any(axis=1) | before.any(axis=1))
        mine = np.zeros((len(changed), own.values.shape[1]))
        held = np.isin(own.numbers, changed, assume_unique=True)
        mine[np.searchsorted(changed, own.numbers[held])] = own.values[held]
        odds, slopes = mine[:, :states], mine[:, states : 2 * states]
        total = evidence[changed] + slopes
        mix = np.divide(
            rooted[changed] + np.sqrt(slopes) * odds, np.sqrt(total), out=np.zeros_like(total), where=total > 0.0
        )
        alone = ~evidence[changed].any(axis=1)
        mix[alone] = odds[alone]
        others[changed, :-1] = mix - odds
        table[changed[:, None], self._odds] = mix
        table[changed, self._weight] = mine[:, -1] + others[changed, -1]
        return others
