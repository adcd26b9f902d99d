"""What a model's impressions say of how they were chosen: single actions, and propensities that cannot be right.

All is judged of about the last thousand interactions, by their numbers of actions K and the logged propensities p of
what was shown. Where propensities are right, 1/(K p) averages 1 and a propensity below e comes at most K e of the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from groundswell.events import Interaction
from processors.admission.interaction_records import Stretch
from streams.observing.conditions import (
    PROPENSITIES_OFF,
    PROPENSITY_FLOOR,
    PROPENSITY_ONE,
    SINGLE_ACTION,
    Conditions,
    Kind,
)

MEMORY: Final = 1000
ENOUGH: Final = 100
"""Interactions before anything is said."""
MOST: Final = 0.5
"""A share of single actions that is more than some."""
ALWAYS: Final = 0.99
"""A share of propensities of 1 that is all but always."""
FLOOR: Final = 1e-3
OFTEN: Final = 10
"""How many times as often as it may a propensity below the floor has to come; at least so many times."""
OFF: Final = 0.4
"""How far 1/(K p) may be from 1 on average, beyond what chance explains: as the alarm ImportanceWeightsOff has it."""
DEVIATIONS: Final = 4.0


class LoggingHabits:
    """Sums over the recent interactions of one model, which fade."""

    def __init__(self) -> None:
        self._seen = self._single = self._sure = self._tiny = self._actions = 0.0
        self._weights = self._squares = 0.0

    def observe(self, actions: ArrayLike, propensities: ArrayLike) -> None:
        """Take in a stretch: how many actions there were, and how likely the shown one was."""
        counts, given = np.asarray(actions, dtype=float), np.asarray(propensities, dtype=float)
        if not len(counts):
            return
        fading, came = (1 - 1 / MEMORY) ** len(counts), len(counts)
        if counts.min() <= 1:
            choice = counts > 1
            counts, given = counts[choice], given[choice]
        weights = 1 / (counts * given)
        self._seen = fading * self._seen + came
        self._single = fading * self._single + came - len(counts)
        self._sure = fading * self._sure + np.count_nonzero(given >= 1)
        self._tiny = fading * self._tiny + np.count_nonzero(given < FLOOR)
        self._actions = fading * self._actions + float(counts.sum())
        self._weights = fading * self._weights + float(weights.sum())
        self._squares = fading * self._squares + float(weights @ weights)

    def judged(self) -> Iterator[tuple[Kind, str | None]]:
        """Yield each kind with what there is to say of it, or None."""
        chosen = self._seen - self._single
        single = self._seen >= ENOUGH and self._single >= MOST * self._seen
        yield (
            SINGLE_ACTION,
            f"{self._single / self._seen:.0%} of the last impressions offer one action: nothing is learned of them"
            if single
            else None,
        )
        enough = chosen >= ENOUGH
        sure = enough and self._sure >= ALWAYS * chosen
        yield PROPENSITY_ONE, "every impression says that its action was certain (propensity 1)" if sure else None
        expected = max(OFTEN * FLOOR * self._actions, OFTEN)
        tiny = enough and self._tiny >= expected
        yield (
            PROPENSITY_FLOOR,
            f"{self._tiny / chosen:.1%} of what was shown had a propensity below {FLOOR:g}: it cannot come that often"
            if tiny
            else None,
        )
        yield PROPENSITIES_OFF, None if sure or tiny or not enough else self._off(chosen)

    def _off(self, chosen: float) -> str | None:
        mean = self._weights / chosen
        deviation = float(np.sqrt(max(self._squares / chosen - mean**2, 0.0) / chosen))
        if abs(mean - 1) <= max(OFF, DEVIATIONS * deviation):
            return None
        return f"1/(K p) averages {mean:.2g} over the last impressions, and 1 where propensities are right"


class LoggingHabitsReport:
    """Says of each model how its impressions were chosen, where that cannot be right."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._habits: dict[str, LoggingHabits] = {}

    def learned(self, model: str, interactions: Sequence[Interaction]) -> None:
        """Take in a stretch of interactions."""
        habits = self._habits.setdefault(model, LoggingHabits())
        habits.observe(*_logged(interactions))
        for kind, says in habits.judged():
            self._conditions.say(kind, says, model)

    def leave(self, model: str) -> None:
        """Forget a model that another worker learns from now on."""
        self._habits.pop(model, None)
        self._conditions.forget(model)


def _logged(interactions: Sequence[Interaction]) -> tuple[ArrayLike, ArrayLike]:
    if isinstance(interactions, Stretch):
        arrivals, rows = interactions.arrivals, np.array(interactions.rows, dtype=np.int64)
        if len(arrivals.refused) or not arrivals.sealed.all():
            rows = rows[arrivals.sealed[rows]]
        return arrivals.counts[rows], arrivals.propensities[rows]
    shown = [one.impression for one in interactions]
    return [len(one.actions) for one in shown], [one.chosen_propensity for one in shown]
