"""Exploration: from scores to the probabilities with which actions are shown (the propensities to log), and the draw.

Each operation is rounded on its own, and sums go from left to right: other languages reach the same bits
(docs/policy-format.md). `math.fsum`, and `sum` from Python 3.12 on, would not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from msgspec import Struct

SMALLEST: Final = 1e-100
LARGEST: Final = 1e100
"""Of a parameter that only has to be above 0."""
ExplorationKind = Literal["epsilon-greedy", "squarecb", "softmax"]


class Exploration(Struct, frozen=True):
    """An exploration at one moment: its kind and its one parameter.

    epsilon-greedy (epsilon in [0, 1]): p_a = epsilon / K, the rest shared by the best.
    squarecb (gamma > 0; Foster & Rakhlin 2020): p_a = 1 / (K + gamma (best - s_a)), the rest for the best.
    softmax (temperature > 0): p_a proportional to exp(s_a / temperature).
    """

    kind: ExplorationKind
    parameter: float

    def impossible(self) -> str | None:
        """Return why this gives no probabilities, or None."""
        least, most = {
            "epsilon-greedy": (0.0, 1.0), "squarecb": (0.0, LARGEST), "softmax": (SMALLEST, LARGEST),
        }[self.kind]  # fmt: skip
        if least <= self.parameter <= most:
            return None
        return f"{self.kind} with the parameter {self.parameter:g}"


def greedy(scores: Sequence[float]) -> list[float]:
    """Return equal probabilities for the actions of the highest score and 0 for the others."""
    best = max(scores)
    firsts = scores.count(best)
    return _best_and_others(scores, best, firsts, 1 / firsts, 0.0)


def raised(probabilities: Sequence[float], floor: float) -> list[float]:
    """Return the probabilities mixed with equal ones, as little as gives each of K actions `floor` / K."""
    count = len(probabilities)
    least = count * min(probabilities)
    if least >= floor:
        return list(probabilities)
    mixed = (floor - least) / (1 - least)
    return [(1 - mixed) * one + mixed / count for one in probabilities]


def probabilities(scores: Sequence[float], exploration: Exploration) -> list[float]:
    """Return the probability of each action, summing to 1; equal scores get equal probabilities."""
    count, best, parameter = len(scores), max(scores), exploration.parameter
    if exploration.kind == "softmax":
        odds = [math.exp((score - best) / parameter) for score in scores]
        total = added(odds)
        return [odd / total for odd in odds]
    if exploration.kind == "epsilon-greedy":
        share, firsts = parameter / count, scores.count(best)
        return _best_and_others(scores, best, firsts, share + (1 - parameter) * (1 / firsts), share)
    others = [0.0 if score == best else 1 / (count + parameter * (best - score)) for score in scores]
    rest = 1 - added(others)
    return [other + rest * share for other, share in zip(others, greedy(scores), strict=True)]


def draw(probabilities: Sequence[float], u: float) -> int:
    """Return the index that a number u, uniform in [0, 1), draws from these probabilities.

    It is the first whose cumulative sum exceeds u times the total, and the last of a probability above 0 where rounding
    leaves none: never one that could not have been drawn.

    >>> draw([0.25, 0.0, 0.75], 0.25)
    2
    """
    limit, reached, last = u * added(probabilities), 0.0, 0
    for index, probability in enumerate(probabilities):
        reached += probability
        if reached > limit:
            return index
        if probability > 0:
            last = index
    return last


def added(numbers: Iterable[float]) -> float:
    """Return the sum of numbers, added from left to right, each sum rounded."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def _best_and_others(
    scores: Sequence[float], best: float, firsts: int, of_best: float, of_others: float
) -> list[float]:
    if firsts == 1:  # as good as always, and then it is known where
        found = [of_others] * len(scores)
        found[scores.index(best)] = of_best
        return found
    return [of_best if score == best else of_others for score in scores]
