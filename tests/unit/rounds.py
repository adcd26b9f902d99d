"""Interactions for tests of the learner: people who enjoy one action and hate another."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from experiments.people.three_state import ThreeStateUsers
from groundswell.events import Action, Features, Feedback, Impression, Interaction, Reward, Source
from processors.learners import kernel_columns, three_state
from processors.learners.reward_columns import RewardColumns

ACTIONS = [Action(f"a{i}") for i in range(5)]


def interaction(
    number: int,
    *,
    context: Features | None = None,
    actions: Sequence[Action] = ACTIONS,
    chosen: int = 0,
    propensity: float | None = None,
    signals: Sequence[str] = ("none",),
    weight: float = 1.0,
    values: Sequence[tuple[str, float | None]] = (),
) -> Interaction:
    """Return one interaction; by default the action was drawn uniformly.

    `values` are pieces of feedback, signal and value, in the place of `signals`.
    """
    return Interaction(
        schema_version=1,
        source=Source(0, number, number),
        impression=Impression(
            schema_version=1,
            impression_id=f"i{number}",
            occurred_at=number,
            model="feed",
            context={"user": "ann"} if context is None else context,
            actions=list(actions),
            chosen=chosen,
            propensity=1 / len(actions) if propensity is None else propensity,
            weight=weight,
        ),
        feedback=[
            Feedback(
                schema_version=1,
                impression_id=f"i{number}",
                feedback_id=f"f{number}-{place}",
                occurred_at=number,
                signal=signal,
                value=value,
            )
            for place, (signal, value) in enumerate(values)
        ],
        signals=list(dict.fromkeys(signal for signal, _ in values)) if values else list(signals),
    )


def uniform_log(count: int, *, users: int = 3, seed: int = 0, p_dislike: float = 0.3) -> list[Interaction]:
    """Return interactions of the papers' three-state users with a uniformly random policy."""
    people = ThreeStateUsers(users, len(ACTIONS), p_dislike, seed)
    rng = random.Random(seed)
    log = []
    for number in range(count):
        user, chosen = people.arrive(), rng.randrange(len(ACTIONS))
        log.append(
            interaction(number, context={"user": f"u{user}"}, chosen=chosen, signals=[people.signal(user, chosen)])
        )
    return log


def in_columns(rewards: Sequence[Reward]) -> RewardColumns:
    """Return rewards as a learner tells them; one without a state is in doubt."""
    outputs = np.zeros((len(rewards), three_state.OUTPUTS))
    for row, one in zip(outputs, rewards, strict=True):
        row[kernel_columns.REPORTED] = one.state or 0, one.reward, one.posterior
        row[three_state.MINUS : three_state.PLUS + 1] = one.state_probabilities or (0.0, 0.0, 0.0)
        row[three_state.DOUBT] = three_state.UNDETERMINED if one.state is None else three_state.SURE
    return RewardColumns(
        model="feed",
        version=0,
        size=len(rewards),
        places=range(len(rewards)),
        interactions=[interaction(number) for number in range(len(rewards))],
        actions=[one.action for one in rewards],
        signals=[one.signal for one in rewards],
        weights=[one.weight for one in rewards],
        thresholds=[one.threshold for one in rewards],
        outputs=outputs,
    )
