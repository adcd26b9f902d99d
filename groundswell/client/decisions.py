"""What an app decided: one of the actions that it could show, and how likely it was to be that one."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from groundswell.client.told import Own, check, own_probabilities
from groundswell.controls import Mode, Side
from groundswell.events import SCHEMA_VERSION, Action, DecisionSlot, FeatureValue, Impression
from groundswell.exploration import draw
from groundswell.policy import Policy

Basis = Literal["policy", "last_known", "pinned", "own", "uniform"]
"""What a decision was made by: the newest policy; the last one that came, of which it is not known whether it is the
newest (Kafka does not answer, or it was read from disk); the snapshot that a control names; the app's own rule; or
chance, where there is none of them.
"""

_RANDOM: Final = random.SystemRandom()
"""Processes that are forked would draw the same from one with a state."""


class Decision(Struct, frozen=True, kw_only=True):
    """An action drawn from the probabilities of a policy, with all that its impression has to say.

    `probabilities` has one entry for each of `actions` and sums to 1. `policy_version` is None where no policy decided.
    `mode` is that of the model's control, `online` without one, None while it is not known yet whether there is one;
    `side` is that of a canary. In the mode `apprentice` `agreed` is the share of the newest policy's first rank that
    the action has: 1 where it alone would be shown, but for exploring. Where slots were decided together, `slot` says
    which of them this is.
    """

    model: str
    impression_id: str
    context: Mapping[str, FeatureValue]
    actions: Sequence[Action]
    index: int
    probabilities: list[float]
    policy_version: int | None
    basis: Basis
    mode: Mode | None = "online"
    side: Side | None = None
    agreed: float | None = None
    slot: DecisionSlot | None = None

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
    *,
    own: Own | None = None,
    mode: Mode | None = "online",
    side: Side | None = None,
    beside: Policy | None = None,
    slot: DecisionSlot | None = None,
) -> Decision:
    """Draw one of the actions by the policy, which is of that basis. Without an `impression_id` it gets one of its own.

    Where there is no policy (its version is 0), `own` decides, the app's own rule: an action, or the probability of
    each by which it draws; or chance, where it has none. `beside` is a policy of which it is to be said whether it
    agrees.

    Raises:
        ValueError: there are no actions, or two of the same id, or a feature is a number that is not finite, or `own`
            is none of the actions, or no probabilities of them.
        TypeError: context, actions or one of their features is nothing that an impression can hold, or `own` is
            something else.
    """
    check(context, actions)
    if len({action.id for action in actions}) != len(actions) or not actions:
        ids = [action.id for action in actions]
        raise ValueError(f"nothing can be drawn from {ids}: give at least one action, each with an id of its own")
    # What the app does with its own afterwards, such as using one dictionary for every user, changes no decision.
    context = dict(context)
    actions = [Action(one.id, dict(one.features)) if one.features else one for one in actions]
    of_own = None if own is None else own_probabilities(own, actions)
    if policy.version == 0 and of_own is not None:
        probabilities, basis = of_own, "own"
    else:
        probabilities = policy.probabilities(context, actions)
        if policy.version == 0:
            basis = "uniform"
    index = draw(probabilities, _RANDOM.random())
    return Decision(
        model=model,
        impression_id=impression_id or os.urandom(16).hex(),
        context=context,
        actions=actions,
        index=index,
        probabilities=probabilities,
        policy_version=policy.version or None,
        basis=basis,
        mode=mode,
        side=side,
        agreed=beside.greedy(context, actions)[index] if beside is not None and beside.version else None,
        slot=slot,
    )


class DecidedImpression(Impression, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """An impression that says by which mode it was decided, where that is not `online`, and on which side of a canary.

    Workers let members pass that they do not know: these are part of the interaction, for whoever reads it.
    """

    mode: Mode | None = None
    side: Side | None = None


def impression_of(decision: Decision, occurred_at: int, *, weight: float = 1.0, deferred: bool = False) -> Impression:
    """Return the impression of a decision; `occurred_at` is in milliseconds since 1970 UTC."""
    return DecidedImpression(
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
        mode=None if decision.mode == "online" else decision.mode,
        side=decision.side,
        decision=decision.slot,
    )
