"""An interval for what a policy earns, or earns more than another, that holds at all times at once.

Of the average over the interactions so far of the expected reward, given all that was before each: with a probability
of 1 - `error` the average lies within the interval at every time. So one may look at any time, and stop when one
likes; the logging policy may learn, people and contexts may change, and no importance weight need be bounded
(Waudby-Smith et al., arXiv 2210.10768, sections 2 and 3). What is bounded is the average so far, and not what a
policy would earn today.

Lower and upper bound have half of the error each. Each rests on the pseudo-outcomes of several reaches
(`pseudo_outcomes.py`), and on the mean of the wealths that are had by betting on each (`mixture_wealth.py`): a large
reach is better where weights are large and interactions many, a small one early on. Which it will be is not known
before, and to have several costs what the logarithm of their number is beside that of 1 / error. The paper takes one
reach, known before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from processors.evaluation.logged_decisions import Floats, LoggedDecisions
from processors.evaluation.mixture_wealth import least_means, refuted
from processors.evaluation.pseudo_outcomes import pseudo_outcomes

ERROR: Final = 0.05
REACHES: Final = (2.0, 16.0, 128.0, 1024.0)
"""With 11 actions, logged uniformly or with an epsilon of .1 or .02, the bounds are a fifth wider at most than those of
the best single reach, after 50,000 and 200,000 decisions."""
RHO: Final = 10.0
"""Where the mixture is narrowest: about at V = 10 rho."""
VALUE: Final = 1
DIFFERENCE: Final = 2
Span = Literal[1, 2]
"""The largest sum of |d(a | x)|, and so the farthest that the mean may lie from 0."""


class Interval(NamedTuple):
    """The bounds. Where `low` is above `high`, what was assumed does not hold, or one time in `1 / error` came."""

    low: float
    high: float

    @property
    def contradictory(self) -> bool:
        """Whether no mean fits both bounds."""
        return self.low > self.high


class SideState(Struct):
    """Sums of Z and of (Z - z)^2, of each reach."""

    sums: list[float]
    spreads: list[Annotated[float, Meta(ge=0)]]


class SequenceState(Struct):
    """What a sequence has seen, as plain values: nothing that grows."""

    count: Annotated[int, Meta(ge=0)]
    lower: SideState
    upper: SideState


class LowerSequence:
    """The lower bound of one mean, from pseudo-outcomes that lie no lower than -reach - span."""

    def __init__(self, span: Span, reaches: Sequence[float], rho: float, error: float) -> None:
        self._span, self._rho, self._error = float(span), rho, error
        # Z - z >= -(reach + span) - z, and z is kept at no more than 2 - span.
        self._scales = np.array(reaches) + 2.0
        self.count = 0
        self.sums, self.spreads = np.zeros(len(reaches)), np.zeros(len(reaches))

    def add(self, outcomes: Floats) -> None:
        """Take in the pseudo-outcomes (J, n) of n decisions, a row for each reach."""
        sums, spreads = self._grown(outcomes)
        self.count += outcomes.shape[1]
        if outcomes.shape[1]:
            self.sums, self.spreads = sums[:, -1], spreads[:, -1]

    def bounds(self, outcomes: Floats) -> Floats:
        """Return the bound after each of further outcomes (J, n), which are not taken in."""
        return self._bounds(self._counts(outcomes), *self._grown(outcomes))

    def missed(self, outcomes: Floats, means: Floats) -> NDArray[np.bool_]:
        """Say after each of further outcomes (J, n) whether the bound is above these means so far (n)."""
        sums, spreads = self._grown(outcomes)
        counts = self._counts(outcomes)
        return refuted(means, counts, sums, spreads, self._scales, rho=self._rho, error=self._error)

    def bound(self, error: float | None = None) -> float:
        """Return the bound as it is now, of another error where one is given."""
        now = np.array([self.count], dtype=np.float64), self.sums[:, None], self.spreads[:, None]
        return float(self._bounds(*now, error)[0])

    def _bounds(self, counts: Floats, sums: Floats, spreads: Floats, error: float | None = None) -> Floats:
        allowed = self._error if error is None else error
        return least_means(counts, sums, spreads, self._scales, rho=self._rho, error=allowed, least=-self._span)

    def _counts(self, outcomes: Floats) -> Floats:
        return self.count + np.arange(1.0, outcomes.shape[1] + 1)

    def _grown(self, outcomes: Floats) -> tuple[Floats, Floats]:
        """Return both sums after each further outcome."""
        sums = self.sums[:, None] + np.cumsum(outcomes, axis=1)
        # The mean of those before, as if there had been one of 0 more.
        means = (sums - outcomes) / self._counts(outcomes)
        deviations = outcomes - np.clip(means, -self._span, 2.0 - self._span)
        return sums, self.spreads[:, None] + np.cumsum(deviations * deviations, axis=1)


class ConfidenceSequence:
    """The interval of one policy's value (`span` 1), or of the difference of two (`span` 2).

    A batch is taken in exactly as its decisions one at a time. Memory is that of two numbers a reach and side.
    """

    def __init__(self, span: Span, error: float = ERROR, reaches: Sequence[float] = REACHES, rho: float = RHO) -> None:
        self.span: Span = span
        self._reaches = tuple(reaches)
        self._lower = LowerSequence(span, self._reaches, rho, error / 2)
        self._upper = LowerSequence(span, self._reaches, rho, error / 2)

    @property
    def count(self) -> int:
        """How many decisions were taken in."""
        return self._lower.count

    def add(self, decisions: LoggedDecisions, contrast: Floats, predicted: Floats) -> None:
        """Take in decisions, with d(a | x) of each (n, K), and rewards that were predicted before (n, K)."""
        self._lower.add(self._outcomes(decisions, contrast, predicted))
        self._upper.add(self._outcomes(decisions, -contrast, predicted))

    def interval(self, error: float | None = None) -> Interval:
        """Return the bounds as they are now, no further than +-span; of another `error`, which has to be chosen before.

        Of the best of m policies it is `error` / m (Bonferroni).
        """
        half = None if error is None else error / 2
        return Interval(self._lower.bound(half), -self._upper.bound(half))

    def intervals(self, decisions: LoggedDecisions, contrast: Floats, predicted: Floats) -> tuple[Floats, Floats]:
        """Return the bounds (n), (n) after each of further decisions, which are not taken in."""
        lower = self._lower.bounds(self._outcomes(decisions, contrast, predicted))
        upper = self._upper.bounds(self._outcomes(decisions, -contrast, predicted))
        return lower, -upper

    def missed(
        self, decisions: LoggedDecisions, contrast: Floats, predicted: Floats, means: Floats
    ) -> NDArray[np.bool_]:
        """Say after each of further decisions (n) whether the interval lacks the true mean so far (n)."""
        lower = self._lower.missed(self._outcomes(decisions, contrast, predicted), means)
        return lower | self._upper.missed(self._outcomes(decisions, -contrast, predicted), -means)

    def state(self) -> dict[str, Any]:
        """Return all that was seen as plain values; `restored` goes on from it."""
        lower, upper = (
            {"sums": one.sums.tolist(), "spreads": one.spreads.tolist()} for one in (self._lower, self._upper)
        )
        return {"count": self.count, "lower": lower, "upper": upper}

    def restored(self, state: SequenceState) -> Self:
        """Go on from a state of a sequence with the same settings.

        Raises ValueError where it is of another number of reaches.
        """
        for side, of in ((self._lower, state.lower), (self._upper, state.upper)):
            if not len(of.sums) == len(of.spreads) == len(self._reaches):
                raise ValueError(f"a state of {len(of.sums)} reaches, expected {len(self._reaches)}: begin anew")
            side.count = state.count
            side.sums, side.spreads = np.array(of.sums), np.array(of.spreads)
        return self

    def _outcomes(self, decisions: LoggedDecisions, contrast: Floats, predicted: Floats) -> Floats:
        return pseudo_outcomes(decisions, contrast, predicted, self._reaches)
