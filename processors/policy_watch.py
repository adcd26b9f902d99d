"""What can be said of the published policies from the interactions that come back: their worth, and propensities.

Everything is judged by policies that were published before the interaction was learned, so that none is judged on
what it has learned from (progressive validation: Blum, Kalai & Langford 1999). The price is that every action has to
be scored once more, in Python; so only a few interactions of each stretch are looked at.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from processors.events import Impression, Interaction, Reward
from processors.off_policy import ValueEstimate
from processors.policy import Policy, PolicySnapshot, Weights
from processors.propensity_check import PropensityCheck

MEMORY = 500
"""Of how many looked-at interactions the estimates speak: one that many others back counts 1/e of the newest."""
ACTIONS_PER_STRETCH = 24
"""How many actions are scored of a stretch, roughly: 2 interactions of 11 actions."""
MOST_ACTIONS = 1000
"""Interactions with more are not looked at."""
HELD = 4
"""How many policies are held to compare what was shown with what they rank first."""


class PolicyWatch:
    """Watches one model.

    `value` is the worth of the newest policy without its exploration, in reward states, -1 to 1; `propensities`
    compares what was shown with what the stated policy ranks first. Of policies between those that are held nothing
    is checked: where feedback is waited for long, hundreds may be on their way.
    """

    def __init__(self) -> None:
        self.value = ValueEstimate(MEMORY)
        self.propensities = PropensityCheck(MEMORY)
        self._newest: HeldPolicy | None = None
        self._held: dict[int, HeldPolicy] = {}

    def published(self, snapshot: PolicySnapshot) -> None:
        """Take in a policy that apps will act by from now on."""
        self._newest = HeldPolicy(snapshot)
        if len(self._held) < HELD:
            self._held[snapshot.version] = self._newest

    def observe(self, interactions: Sequence[Interaction], rewards: Sequence[Reward | None]) -> None:
        """Look at a stretch that was learned after the newest policy was published."""
        if self._newest is None or not interactions:
            return
        looks = max(1, ACTIONS_PER_STRETCH // len(interactions[0].impression.actions))
        step = max(1, len(interactions) // looks)
        for interaction, reward in list(zip(interactions, rewards, strict=True))[::step]:
            impression = interaction.impression
            if reward is not None and len(impression.actions) <= MOST_ACTIONS:
                self._judge(self._newest, impression, reward.state)
                self._check(impression)

    def _judge(self, newest: HeldPolicy, impression: Impression, state: int) -> None:
        wanted = newest.greedy(impression.context, impression.actions)[impression.chosen]
        self.value.add(impression.weight * wanted / impression.chosen_propensity, state)

    def _check(self, impression: Impression) -> None:
        stated, newest = impression.policy_version, self._newest
        if stated is None or newest is None or stated > newest.version:
            return
        for version in [one for one in self._held if one < stated]:
            del self._held[version]  # the log has moved past it
        policy = newest if stated == newest.version else self._held.get(stated)
        if policy is None:
            return
        ranked = policy.greedy(impression.context, impression.actions)
        if max(ranked) < 1:
            return  # several are first
        first, logged = ranked.index(1.0), impression.probabilities
        self.propensities.add(
            first == impression.chosen, logged[first] if logged else None, impression.chosen_propensity
        )


class HeldPolicy(Policy):
    """A policy in the 16 bytes a weight that it takes to rank by it."""

    def __init__(self, snapshot: PolicySnapshot) -> None:
        super().__init__(msgspec.structs.replace(snapshot, bandit=Weights([], []), inverse_kinematics=None))
        self._weights = SortedWeights(snapshot.bandit)


class SortedWeights(Mapping[int, float]):
    """Weights by index, found by bisection."""

    def __init__(self, weights: Weights) -> None:
        self._indices, self._values = array("q", weights.indices), array("d", weights.values)

    def __getitem__(self, index: int) -> float:
        place = bisect_left(self._indices, index)
        if place == len(self._indices) or self._indices[place] != index:
            raise KeyError(index)
        return self._values[place]

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)
