"""Whether logged propensities are the ones that were acted by.

mean(1/p)/K is close to 1 where propensities are right, but also where 1/K is logged whatever was done. So: how often
was the action shown that the policy ranks first, against the probability that the log gives it? An app that exploits
more than it says shows it more often.
"""

from __future__ import annotations

FEWEST = 100
"""Below so many checks nothing is said."""


class PropensityCheck:
    """Faded sums over impressions whose policy is known: one `memory` others back counts 1/e of the newest.

    Where a log gives only the propensity of the shown action, that of the first-ranked one is unknown whenever
    another was shown. There the mean over those that were shown stands in, the harmonic one: if propensities are
    right, sum(1[shown] / p) = n in expectation, and the harmonic mean is the rate at which it was shown.
    """

    def __init__(self, memory: int) -> None:
        self._kept = 1 - 1 / memory
        self.checked = 0
        self._count = self._shown = self._logged = 0.0
        self._bare_count = self._bare_shown = self._bare_inverse = 0.0

    def add(self, shown: bool, logged: float | None, propensity: float) -> None:
        """Take in an impression: whether the first-ranked action was `shown`, and its `logged` probability if known.

        `propensity` is that of the action that was shown.
        """
        self.checked += 1
        kept, bare = self._kept, float(logged is None)
        self._bare_count = kept * self._bare_count + bare
        self._bare_shown = kept * self._bare_shown + bare * shown
        self._bare_inverse = kept * self._bare_inverse + bare * shown / propensity
        self._count = kept * self._count + 1 - bare
        self._shown = kept * self._shown + (1 - bare) * shown
        self._logged = kept * self._logged + (logged or 0.0)

    def rates(self) -> tuple[float, float] | None:
        """Return how often the first-ranked action was shown, and its mean logged probability, or None for now."""
        count, shown, logged = self._count, self._shown, self._logged
        if self._bare_inverse:
            count += self._bare_count
            shown += self._bare_shown
            logged += self._bare_count * self._bare_shown / self._bare_inverse
        if self.checked < FEWEST or not count:
            return None
        return shown / count, logged / count
