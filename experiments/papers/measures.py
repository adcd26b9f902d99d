"""Measures of a run: how soon its policy is good, how soon for good, and how right its inferred states are."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

WINDOW = 500
GOOD = 0.9
SETTLED = 20_000
BINS: Final = 10
VALUE_AT = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 150_000)


def trailing_mean(values: NDArray[np.float64], window: int = WINDOW) -> NDArray[np.float64]:
    """Return the means of each full window; the first belongs to interaction `window`."""
    sums = np.cumsum(np.concatenate(([0.0], values)))
    means: NDArray[np.float64] = (sums[window:] - sums[:-window]) / window
    return means


def t90(values: NDArray[np.float64]) -> int | None:
    """Return the first interaction at which the trailing mean of the value is at least 0.9, None if never."""
    good = np.flatnonzero(trailing_mean(values) >= GOOD)
    return int(good[0]) + WINDOW if len(good) else None


def stable(values: NDArray[np.float64]) -> int | None:
    """Return the first interaction from which the trailing mean stays at 0.9 or above, None if it does not."""
    poor = np.flatnonzero(trailing_mean(values) < GOOD)
    if not len(poor):
        return WINDOW
    last = int(poor[-1])
    return None if last + WINDOW == len(values) else last + WINDOW + 1


def value_at(values: NDArray[np.float64]) -> dict[str, float]:
    """Return the trailing mean at some interactions."""
    means = trailing_mean(values)
    return {str(t): float(means[t - WINDOW]) for t in VALUE_AT if t <= len(values)}


def recall(true: NDArray[np.int8], decoded: NDArray[np.int8], after: int = SETTLED) -> dict[str, float | None]:
    """Return, for each state, the share of its played interactions after `after` that were decoded as it."""
    return _shares(true[after:], decoded[after:])


def precision(true: NDArray[np.int8], decoded: NDArray[np.int8], after: int = SETTLED) -> dict[str, float | None]:
    """Return, for each decoded state, the share of its interactions that truly were of it."""
    return _shares(decoded[after:], true[after:])


def calibration_error(probabilities: NDArray[np.float64], true: NDArray[np.integer[Any]]) -> float:
    """Return the expected calibration error, in ten bins, of the state whose probabilities are worst calibrated.

    `probabilities` has shape (interactions, 3) (Naeini, Cooper & Hauskrecht 2015).
    """
    errors = []
    for number, state in enumerate((-1, 0, 1)):
        said, was = probabilities[:, number], true == state
        bins = np.minimum((said * BINS).astype(int), BINS - 1)
        gaps = [abs(float((said - was)[bins == one].sum())) for one in range(BINS)]
        errors.append(sum(gaps) / len(said))
    return max(errors)


def _shares(of: NDArray[np.int8], same: NDArray[np.int8]) -> dict[str, float | None]:
    return {
        str(state): float(np.mean(same[of == state] == state)) if np.any(of == state) else None for state in (-1, 0, 1)
    }
