"""What an app decided: one of the actions that it could show, and how likely it was to be that one."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from groundswell.client.told import check
from groundswell.events import SCHEMA_VERSION, Action, FeatureValue, Impression
from groundswell.exploration import draw
from groundswell.policy import Policy

Basis = Literal["policy", "last_known", "uniform"]
"""What a decision was made by: the newest policy; the last one that came, of which it is not known whether it is the
newest (Kafka does not answer, or it was read from disk); or, before there was any, chance."""

_RANDOM: Final = random.SystemRandom()
"""Processes that are forked would draw the same from one with a state."""


class Decision(Struct, frozen=True, kw_only=True):
    """An action drawn from the probabilities of a policy, with all that its impression has to say.

    `probabilities` has one entry for each of `actions` and sums to 1. `policy_version` is None without a policy.
    """

    model: str
    impression_id: str
    context: Mapping[str, FeatureValue]
    actions: Sequence[Action]
    index: int
    probabilities: list[float]
    policy_version: int | None
    basis: Basis

    @property
    def action(self) -> Action:
        """The action to show."""
        return self.actions[self.index]

    @property
    def propensity(self) -> float:
        """How likely it was to be this one, in (0, 1]."""
        return self.probabilities[self.index]


def decide(
    model: str,
    policy: Policy,
    basis: Basis,
    context: Mapping[str, FeatureValue],
    actions: Sequence[Action],
    impression_id: str | None = None,
) -> Decision:
    """Draw one of the actions by the policy. Without an `impression_id` it gets one of its own.

    Raises:
        ValueError: there are no actions, or two of the same id, or a feature is a number that is not finite.
        TypeError: context, actions or one of their features is nothing that an impression can hold.
    """
    check(context, actions)
    if len({action.id for action in actions}) != len(actions) or not actions:
        ids = [action.id for action in actions]
        raise ValueError(f"nothing can be drawn from {ids}: give at least one action, each with an id of its own")
    probabilities = policy.probabilities(context, actions)
    return Decision(
        model=model,
        impression_id=impression_id or os.urandom(16).hex(),
        context=context,
        actions=actions,
        index=draw(probabilities, _RANDOM.random()),
        probabilities=probabilities,
        policy_version=None if basis == "uniform" else policy.version,
        basis=basis,
    )


def impression_of(decision: Decision, occurred_at: int, *, weight: float = 1.0, deferred: bool = False) -> Impression:
    """Return the impression of a decision; `occurred_at` is in milliseconds since 1970 UTC."""
    return Impression(
        schema_version=SCHEMA_VERSION,
        impression_id=decision.impression_id,
        occurred_at=occurred_at,
        model=decision.model,
        context=dict(decision.context),
        actions=list(decision.actions),
        chosen=decision.index,
        probabilities=decision.probabilities,
        policy_version=decision.policy_version,
        weight=weight,
        deferred=deferred,
    )
