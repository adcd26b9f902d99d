"""Of which actions, and in which segments, a log cannot speak: whoever never was shown something is not known to like
it.

An action is known where it was offered and shown often enough: `ENOUGH` effective decisions, n = sum(1/p)^2 /
sum(1/p^2) over those in which it was shown (Kish 1965). A segment is a value of one feature of the context.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.evaluation.logged_decisions import LoggedDecisions

ENOUGH: Final = 10.0
"""Effective decisions, below which nothing is said of an action."""


class Gap(NamedTuple):
    """An action of which the log cannot speak in a segment, by their numbers, and how often it was offered there."""

    segment: int
    action: int
    offered: int
    shown: int


class Support:
    """Counts of offers and showings of at most `actions` actions in at most `segments` segments, by their numbers."""

    def __init__(self, segments: int, actions: int) -> None:
        self._shape = segments, actions
        size = segments * actions
        self._offered, self._shown = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        self._weights, self._squares = np.zeros(size), np.zeros(size)

    def add(self, decisions: LoggedDecisions, actions: NDArray[np.int64], segments: NDArray[np.int64]) -> None:
        """Take in decisions, with the numbers of their actions (n, K) and of their segments (n)."""
        cells = segments[:, None] * self._shape[1] + actions
        self._offered += np.bincount(cells[decisions.offered], minlength=len(self._offered))
        shown = cells[np.arange(len(decisions)), decisions.chosen]
        weights = 1.0 / decisions.propensities
        self._shown += np.bincount(shown, minlength=len(self._shown))
        self._weights += np.bincount(shown, weights, minlength=len(self._weights))
        self._squares += np.bincount(shown, weights * weights, minlength=len(self._squares))

    @property
    def offered(self) -> NDArray[np.int64]:
        """How often each action was offered in each segment, of the shape (segments, actions)."""
        return self._offered.reshape(self._shape)

    @property
    def shown(self) -> NDArray[np.int64]:
        """How often each was shown, of the same shape."""
        return self._shown.reshape(self._shape)

    def gaps(self) -> Iterator[Gap]:
        """Yield what the log cannot speak of, what was offered most often first."""
        yield from self._gaps(self._offered, self._shown, self._weights, self._squares, self._shape[1])

    def gaps_anywhere(self) -> Iterator[Gap]:
        """Yield the actions that the log cannot speak of in all segments together, as if these were the segment 0."""
        yield from self._gaps(
            self.offered.sum(axis=0),
            self.shown.sum(axis=0),
            self._weights.reshape(self._shape).sum(axis=0),
            self._squares.reshape(self._shape).sum(axis=0),
            self._shape[1],
        )

    @staticmethod
    def _gaps(
        offered: NDArray[np.int64],
        shown: NDArray[np.int64],
        weights: NDArray[np.float64],
        squares: NDArray[np.float64],
        actions: int,
    ) -> Iterator[Gap]:
        effective = np.divide(weights * weights, squares, out=np.zeros_like(weights), where=squares > 0.0)
        lacking = np.flatnonzero((offered > 0) & (effective < ENOUGH))
        for cell in lacking[np.argsort(-offered[lacking], kind="stable")].tolist():
            yield Gap(cell // actions, cell % actions, int(offered[cell]), int(shown[cell]))
