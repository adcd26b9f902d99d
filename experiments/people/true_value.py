"""What a policy is truly worth, which only somebody who knows the latent reward states can say.

Users come equally often. States and probabilities have the shape (users, actions).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.people.app_sessions import ActingPolicy, known_context, offered_actions
from experiments.people.truth_log import PolicyTruth
from groundswell.events import Action, Features, FeatureValue

Decide = Callable[[Mapping[str, FeatureValue], Sequence[Action]], Sequence[float]]
Known = Callable[[int], Features]
"""From a user to what the apps know about that user."""


def greedy_value(policy: ActingPolicy, states: NDArray[np.int8], known: Known = known_context) -> float:
    """Return the mean true reward of what the policy ranks first, ties averaged."""
    return _value(policy.greedy, states, known)


def policy_value(policy: ActingPolicy, states: NDArray[np.int8], known: Known = known_context) -> float:
    """Return the expected true reward of one impression, exploration included."""
    return _value(policy.probabilities, states, known)


def true_worth(
    policy: ActingPolicy, states: NDArray[np.int8], impressions: int, known: Known = known_context
) -> PolicyTruth:
    """Return both values of a policy that came out when `impressions` had been shown."""
    return PolicyTruth(
        version=policy.version,
        impressions=impressions,
        greedy_value=greedy_value(policy, states, known),
        policy_value=policy_value(policy, states, known),
    )


def shown(decide: Decide, states: NDArray[np.int8], known: Known = known_context) -> NDArray[np.float64]:
    """Return how likely each user is to be shown each action."""
    actions = offered_actions(states.shape[1])
    return np.array([decide(known(user), actions) for user in range(len(states))])


def _value(decide: Decide, states: NDArray[np.int8], known: Known) -> float:
    return float((shown(decide, states, known) * states).sum(axis=1).mean())
