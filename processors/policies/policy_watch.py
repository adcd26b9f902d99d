"""What can be said of the published policies from the interactions that come back: their worth, and propensities.

Everything is judged by policies that were published before the interaction was learned, so that none is judged on
what it has learned from (progressive validation: Blum, Kalai & Langford 1999). The price is that every action has to
be scored once more; so only a few interactions of each stretch are looked at, and none that would take long.
"""

from __future__ import annotations

from collections.abc import Sequence

from groundswell.events import Impression, Interaction, Reward
from groundswell.policy import Policy, PolicySnapshot
from processors.features.cross_counts import count_crosses
from processors.policies.baseline_values import BaselineValues
from processors.policies.off_policy_value import ValueEstimate
from processors.policies.propensity_check import PropensityCheck

MEMORY = 500
"""Of how many looked-at interactions the estimates speak: one that many others back counts 1/e of the newest."""
ACTIONS_PER_STRETCH = 24
"""How many actions are scored of a stretch, roughly: 2 interactions of 11 actions."""
COST_PER_STRETCH = 4_000
"""How many crosses' worth of scoring a stretch takes at the most, on the average: about a millisecond."""
MOST_COST = 20_000
"""Interactions that take more are not looked at: 100 actions with 5 features each in a context of 20 are, barely."""
FEATURE_COST = 10
"""Making a feature takes as long as scoring so many crosses."""
HELD = 4
"""How many policies are held to compare what was shown with what they rank first."""


class PolicyWatch:
    """Watches one model.

    `value` is the worth of the newest policy without its exploration, in reward states, -1 to 1 (in doubt
    the probability of +1 minus that of -1), `baselines` what it has to be better than; `propensities`
    compares what was shown with what the stated policy ranks first. Of policies between those that are held nothing
    is checked: where feedback is waited for long, hundreds may be on their way.
    """

    def __init__(self) -> None:
        self.value = ValueEstimate(MEMORY)
        self.baselines = BaselineValues(MEMORY)
        self.propensities = PropensityCheck(MEMORY)
        self._newest: HeldPolicy | None = None
        self._held: dict[int, HeldPolicy] = {}
        self._budget = COST_PER_STRETCH
        """What may be scored; below 0 after an interaction that was dear, until as many stretches have paid for it.

        So it does not depend on an interaction's own size whether it is looked at, up to `MOST_COST`.
        """

    def published(self, snapshot: PolicySnapshot) -> None:
        """Take in a policy that apps will act by from now on."""
        self._newest = HeldPolicy(snapshot)
        if len(self._held) < HELD:
            self._held[snapshot.version] = self._newest

    def observe(self, interactions: Sequence[Interaction], rewards: Sequence[Reward | None]) -> None:
        """Look at a stretch that was learned after the newest policy was published."""
        if self._newest is None or not interactions:
            return
        self._budget = min(self._budget + COST_PER_STRETCH, COST_PER_STRETCH)
        looks = max(1, ACTIONS_PER_STRETCH // len(interactions[0].impression.actions))
        step = max(1, len(interactions) // looks)
        for interaction, reward in zip(interactions[::step], rewards[::step], strict=True):
            if self._budget <= 0:
                break
            if reward is not None:
                state = reward.reward if reward.state is None else reward.state
                self._look(self._newest, interaction.impression, state)

    def _look(self, newest: HeldPolicy, impression: Impression, state: float) -> None:
        cost = newest.cost(impression)
        if cost > MOST_COST:
            return
        ranked = newest.greedy(impression.context, impression.actions)
        self._budget -= cost
        self.value.add(ranked[impression.chosen] / impression.chosen_propensity, state, impression.weight)
        self.baselines.add(impression, state)
        stated = self._stated(newest, impression.policy_version)
        if stated is None:
            return
        if stated is not newest:
            ranked = stated.greedy(impression.context, impression.actions)
            self._budget -= cost
        self._check(impression, ranked)

    def _stated(self, newest: HeldPolicy, version: int | None) -> HeldPolicy | None:
        """Return the policy of this version if it is at hand; forget those that the log has moved past."""
        if version is None or version > newest.version:
            return None
        for passed in [one for one in self._held if one < version]:
            del self._held[passed]
        return newest if version == newest.version else self._held.get(version)

    def _check(self, impression: Impression, ranked: list[float]) -> None:
        if max(ranked) < 1:
            return  # several are first
        first, logged = ranked.index(1.0), impression.probabilities
        self.propensities.add(
            first == impression.chosen, logged[first] if logged else None, impression.chosen_propensity
        )


class HeldPolicy(Policy):
    """A policy that says what it takes to look at an impression by it."""

    def __init__(self, snapshot: PolicySnapshot) -> None:
        super().__init__(snapshot)
        self._crosses = snapshot.context_crosses

    def cost(self, impression: Impression) -> int:
        """Return what scoring an impression takes at the most, in crosses."""
        contexts, crosses = count_crosses(impression.context, impression.actions, self._crosses)
        return crosses + FEATURE_COST * (contexts + crosses // contexts)
