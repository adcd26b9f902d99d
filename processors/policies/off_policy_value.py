"""What another policy would have earned, estimated from what was logged, with an interval.

With w = s pi(a|x) / p, where pi is the policy asked about, p the logged propensity of the shown action a, and s how
many interactions this one stands for (1, or more in a sub-sampled log):

    IPS    V = sum(w r) / sum(s)    (Horvitz & Thompson 1952)                              unbiased, and noisy
    SNIPS  V = sum(w r) / sum(w)    (Swaminathan & Joachims 2015, eq. 11)                   steadier, bias O(1/n)
    var(V) = sum(w^2 (r - V)^2) / sum(w)^2    of SNIPS, by the delta method (Owen, Monte Carlo, eq. 9.9)

The interval is V +- 1.96 sqrt(var), taken as if there were two more rewards of 1 and two of -1 (after Agresti & Coull
1998): without them it would have no width where all rewards so far were the same. It is as wide as that of
n = sum(w)^2 / sum(w^2) equal interactions (Kish 1965), each of the weight sum(w^2) / sum(w), as the four are.
It is asymptotic, pointwise, 95 %. It is no confidence sequence: whoever looks all the time will see it miss now and
then.
"""

from __future__ import annotations

import math
from typing import NamedTuple

Z = 1.96
"""Of the normal distribution: 95 % lie within so many standard deviations."""

PSEUDO = 2
"""How many rewards of 1, and of -1, the interval adds."""


class Value(NamedTuple):
    """The estimated reward per interaction of a policy: IPS, SNIPS, and the 95 % interval of the latter.

    All but IPS lie between -1 and 1, as rewards do; by chance, IPS may lie beyond.
    """

    ips: float
    snips: float
    low: float
    high: float


class ValueEstimate:
    """Faded sums: an interaction that lies `memory` others back counts 1/e of the newest."""

    def __init__(self, memory: int) -> None:
        self._kept = 1 - 1 / memory
        self.count = self._rewards = 0.0
        self._w = self._wr = self._ww = self._wwr = self._wwrr = 0.0

    def add(self, ratio: float, reward: float, sample_weight: float) -> None:
        """Take in an interaction whose shown action the policy would have shown `ratio` = pi / p times as often.

        It stands for `sample_weight` interactions of the log before that was sub-sampled.
        """
        weight = sample_weight * ratio
        kept, squared = self._kept, weight * weight
        self.count = kept * self.count + sample_weight
        self._rewards = kept * self._rewards + sample_weight * reward
        self._w = kept * self._w + weight
        self._wr = kept * self._wr + weight * reward
        self._ww = kept * self._ww + squared
        self._wwr = kept * self._wwr + squared * reward
        self._wwrr = kept * self._wwrr + squared * reward * reward

    @property
    def effective(self) -> float:
        """How many equal interactions speak: sum(w)^2 / sum(w^2) (Kish 1965)."""
        return self._w * self._w / self._ww if self._ww else 0.0

    @property
    def logged(self) -> float:
        """The mean reward of what was really shown."""
        return self._rewards / self.count

    def value(self, z: float = Z) -> Value | None:
        """Return the estimate; None while the policy would have shown nothing of what was shown.

        The interval is `z` standard errors to either side.
        """
        if not self._w:
            return None
        snips = self._wr / self._w
        pseudo = self._ww / self._w  # the weight of one interaction that counts
        total = self._w + 2 * PSEUDO * pseudo
        centre = self._wr / total
        spread = self._wwrr - 2 * centre * self._wwr + centre * centre * self._ww
        spread += PSEUDO * pseudo**2 * ((1 - centre) ** 2 + (1 + centre) ** 2)
        margin = z * math.sqrt(max(0.0, spread)) / total
        return Value(self._wr / self.count, snips, max(-1.0, centre - margin), min(1.0, centre + margin))
