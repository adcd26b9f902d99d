"""What a policy has to be better than: what was really shown, chance, and the best action shown to everybody.

All are estimated as in `off_policy_value.py`, by SNIPS and its interval: of what was shown with pi = p, of chance with
pi = 1/K, of always showing an action a with pi = 1 where a was shown and 0 elsewhere, over the rounds that offered it.
They judge what was inferred, as the estimate of the policy does, and of the same interactions.

The best of m actions is the one whose interval begins highest. It was chosen for how it looks, so that its interval
has to hold for all m at once: z is that of 1 - .05 / (2 m) (Bonferroni; Dunn 1961).
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Final, NamedTuple

from groundswell.events import Impression
from processors.policies.off_policy_value import Value, ValueEstimate

MOST_ACTIONS: Final = 200
"""Of which it is asked what showing nothing else would be worth; of further ones that are offered it is not."""
ALWAYS: Final = 0.9
"""Share of the rounds that must have offered an action, or it is none that could be shown to everybody."""
ENOUGH: Final = 10.0
"""Effective interactions before an action is judged."""
ERROR: Final = 0.05


class ConstantAction(NamedTuple):
    """An action and what it would be worth to show nothing else."""

    action: str
    value: Value


class BaselineValues:
    """Faded sums, as of `ValueEstimate`: an interaction that lies `memory` others back counts 1/e of the newest."""

    def __init__(self, memory: int) -> None:
        self.logged, self.random = ValueEstimate(memory), ValueEstimate(memory)
        self._memory = memory
        self._rounds = 0.0
        self._offered: dict[str, float] = {}
        self._constant: dict[str, ValueEstimate] = {}

    def add(self, impression: Impression, reward: float) -> None:
        """Take in an interaction and the reward that was inferred of it, from -1 to 1."""
        propensity, weight = impression.chosen_propensity, impression.weight
        self.logged.add(1.0, reward, weight)
        self.random.add(1 / (len(impression.actions) * propensity), reward, weight)
        kept = 1 - 1 / self._memory
        self._rounds = kept * self._rounds + 1
        self._offered = {action: kept * count for action, count in self._offered.items()}
        ids = [action.id for action in impression.actions[:MOST_ACTIONS]]
        if len(self._constant.keys() | ids) > MOST_ACTIONS:
            self._make_room()
        for place, action in enumerate(ids):
            if action in self._constant or len(self._constant) < MOST_ACTIONS:
                self._offered[action] = self._offered.get(action, 0.0) + 1
                estimate = self._constant.setdefault(action, ValueEstimate(self._memory))
                estimate.add(1 / propensity if place == impression.chosen else 0.0, reward, weight)

    def best_constant(self) -> ConstantAction | None:
        """Return the action that would surely be worth most, shown to everybody; None where none is offered always."""
        judged = [
            action
            for action, offered in self._offered.items()
            if offered >= ALWAYS * self._rounds and self._constant[action].effective >= ENOUGH
        ]
        if not judged:
            return None
        z = NormalDist().inv_cdf(1 - ERROR / (2 * len(judged)))
        values = [(action, self._constant[action].value(z)) for action in judged]
        return max(
            (ConstantAction(action, value) for action, value in values if value is not None),
            key=lambda one: (one.value.low, one.value.snips, one.action),
        )

    def _make_room(self) -> None:
        """Forget the rarer half of the actions that are not offered always."""
        passing = [action for action, offered in self._offered.items() if offered < ALWAYS * (self._rounds - 1)]
        for action in sorted(passing, key=self._offered.__getitem__)[: (len(passing) + 1) // 2]:
            del self._offered[action], self._constant[action]
