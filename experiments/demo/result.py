"""What one run of the demo found, complete: the summary is written from it, and the report drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from experiments.demo.audit import UNKNOWN, Judged
from experiments.demo.findings import LeakFigure, SignalFigure, Unknown
from experiments.people.truth_log import PolicyTruth

STATES = (-1, 0, 1)
INFERRED = (UNKNOWN, *STATES)
WARM_UP = 4
"""Accuracy and rates are taken after the first quarter of the run, when the learner has seen something."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one run, as they are written to summary.json.

    Ids are counted once, except where the name says otherwise. `greedy_value` is the mean over the users of the
    true reward of what the last policy ranks first, ties averaged; `policy_value` that of the policy as it
    explores; both are 1 at best and 0 for a uniform choice. `state_accuracy` is the share of inferred states
    that equal the latent ones (an unknown one does not), and the rates are those of the states, both after the first
    quarter of the run.
    """

    interactions: int
    seed: int
    impressions_produced: int
    impressions_repeated: int
    impressions_deferred: int
    feedback_produced: int
    feedback_repeated: int
    interactions_joined: int
    joined_twice: int
    interactions_learned: int
    learned_twice: int
    lost: int
    feedback_joined: int
    feedback_late: int
    feedback_lost: int
    dead_letters: int
    greedy_value: float
    policy_value: float
    state_accuracy: float
    reward_state_rates: dict[str, float]
    true_state_rates: dict[str, float]
    unknown: Unknown
    signal_worth: list[SignalFigure]
    leaking_signals: list[LeakFigure]
    policies_published: int
    policy_version: int
    seconds: float

    @property
    def sound(self) -> bool:
        """Whether everything was learned and is in the policy, once, and nothing was lost or refused."""
        missing = self.lost or self.feedback_lost or self.dead_letters
        twice = self.joined_twice or self.learned_twice
        return not (missing or twice) and self.policy_version == self.interactions_learned


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """A run of the demo.

    `states` and `probabilities` (of the last policy) have shape (users, actions); `users`, `truths` and
    `inferred` hold user, latent and inferred state for each of `judged`, in the order of learning.
    """

    summary: Summary
    judged: Sequence[Judged]
    users: NDArray[np.int64]
    truths: NDArray[np.int8]
    inferred: NDArray[np.int8]
    states: NDArray[np.int8]
    probabilities: NDArray[np.float64]
    policies: Sequence[PolicyTruth]

    @property
    def warm(self) -> slice:
        """The part of the run over which accuracy and rates are taken."""
        return slice(len(self.judged) // WARM_UP, None)


def state_rates(states: NDArray[np.int8]) -> dict[str, float]:
    """Return the share of each reward state, by its name in JSON."""
    counted = Counter(states.tolist())
    names = {UNKNOWN: "unknown", **{state: str(state) for state in STATES}}
    return {name: counted[state] / max(len(states), 1) for state, name in names.items()}
