"""The wealth of one who bets that a mean is larger than somebody says, and the least mean that leaves it small.

For outcomes Z with Z_i - z_i >= -c, where z_i is known before Z_i, let S = sum(Z_i - m_i) / c with m_i the mean of
Z_i given all before it, V = sum((Z_i - z_i)^2) / c^2 and psi(l) = -log(1 - l) - l. For each l in [0, 1)

    exp(l S - psi(l) V)

is a supermartingale (Fan, Grama & Liu 2015, eq. 4.12; Howard, Ramdas, McAuliffe & Sekhon 2021), and so is its mean
over the truncated gamma density of 1 - l, in closed form (Howard et al., Prop. 9; as Theorem 3 of arXiv 2210.10768
has it with 1F1)

    M(S, V) = rho^rho exp(S + V) Gamma(V + rho) P(V + rho, S + V + rho) / (Gamma(rho) P(rho, rho) (S + V + rho)^(V +
    rho))

with P the regularised lower incomplete gamma function. M(0, 0) = 1, so that by Ville's inequality it is ever as large
as 1 / error with a probability of no more than `error`. The sum of the m_i enters alone: means may drift, and what is
bounded is their average so far.

Several such wealths, of outcomes with the same means, are shared out alike: their mean is a supermartingale, too.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaln

from processors.evaluation.logged_decisions import Floats

STEPS = 60
"""Halvings of an interval no longer than the range of rewards and the largest mean: the rest is rounding."""


def log_wealth(sums: Floats, spreads: Floats, rho: float) -> Floats:
    """Return log M of S and V; -infinity where S < 0, which is less than it is: there nothing is to be had anyway."""
    shape = spreads + rho
    place = shape + np.maximum(sums, 0.0)
    found = np.maximum(sums, 0.0) + spreads - shape * np.log(place) + gammaln(shape) + np.log(gammainc(shape, place))
    found += rho * math.log(rho) - math.lgamma(rho) - math.log(gammainc(rho, rho))
    return np.where(sums < 0.0, -np.inf, found)


def refuted(
    means: Floats, counts: Floats, sums: Floats, spreads: Floats, scales: Floats, *, rho: float, error: float
) -> NDArray[np.bool_]:
    """Say at each of T times whether the mean so far is surely larger than `means` (T); wrong at any with `error`.

    `counts` (T) are how many outcomes there were, `sums` (J, T) those of Z and `spreads` (J, T) those of (Z - z)^2 for
    each of J kinds of outcomes, `scales` (J) their c.
    """
    wealths = log_wealth((sums - counts * means) / scales[:, None], spreads / scales[:, None] ** 2, rho)
    found: NDArray[np.bool_] = np.logaddexp.reduce(wealths, axis=0) >= math.log(len(scales) / error)
    return found


def least_means(
    counts: Floats, sums: Floats, spreads: Floats, scales: Floats, *, rho: float, error: float, least: float
) -> Floats:
    """Return at each of T times the largest mean that is `refuted`: the lower bound. No mean lies below `least`."""
    low = np.full(len(counts), least)
    high = np.maximum(least, (sums / np.maximum(counts, 1.0)).max(axis=0))
    # Whoever says less than the bound is refuted. At `high` nobody has any wealth.
    for _ in range(STEPS):
        middle = (low + high) / 2
        there = refuted(middle, counts, sums, spreads, scales, rho=rho, error=error)
        low, high = np.where(there, middle, low), np.where(there, high, middle)
    return low
