"""The demo's audit: what became of every impression and every feedback, counted from the topics alone.

Nothing the worker says about itself enters here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from groundswell.events import SHOWN_SIGNAL, Doubt, Feedback, Impression, Interaction, Reward

UNKNOWN: Final = -2
"""Stands among states for the unknown one."""


@dataclass(frozen=True)
class Judged:
    """What was inferred about one impression, in the order of the rewards topic."""

    impression_id: str
    action: str
    signal: str
    state: int
    doubt: Doubt | None
    """Why the state is unknown, where it is."""
    weight: float
    """By which the impression counts as if all actions were shown alike."""


@dataclass
class Ids:
    """The ids in a topic: which, and how many messages repeated one."""

    seen: set[str] = field(default_factory=set)
    repeated: int = 0

    def add(self, identifier: str) -> None:
        """Enter one message."""
        self.repeated += identifier in self.seen
        self.seen.add(identifier)


@dataclass
class Audit:
    """A fold over the topics of one run. Add every record once, in any order of topics."""

    judged: list[Judged] = field(default_factory=list)
    dead_letters: Counter[str] = field(default_factory=Counter)
    _shown_to: dict[str, str] = field(default_factory=dict)
    _impressions: Ids = field(default_factory=Ids)
    _deferred: set[str] = field(default_factory=set)
    _joined: Ids = field(default_factory=Ids)
    _learned: Ids = field(default_factory=Ids)
    _feedback: Ids = field(default_factory=Ids)
    _feedback_joined: Ids = field(default_factory=Ids)
    _feedback_late: Ids = field(default_factory=Ids)

    def add_impression(self, impression: Impression) -> None:
        """Enter one message of the impressions topic."""
        self._impressions.add(impression.impression_id)
        self._shown_to[impression.impression_id] = str(impression.context["user"])
        if impression.deferred:
            self._deferred.add(impression.impression_id)

    def add_feedback(self, feedback: Feedback) -> None:
        """Enter one message of the feedback topic; an activation is none, and tells by its impression being joined."""
        if feedback.signal != SHOWN_SIGNAL:
            self._feedback.add(feedback.feedback_id)

    def add_interaction(self, interaction: Interaction) -> None:
        """Enter one message of the interactions topic."""
        self._joined.add(interaction.impression.impression_id)
        for feedback in interaction.feedback:
            if feedback.signal == SHOWN_SIGNAL:
                continue
            self._feedback_joined.add(feedback.feedback_id)

    def add_reward(self, reward: Reward) -> None:
        """Enter one message of the rewards topic."""
        self._learned.add(reward.impression_id)
        state = UNKNOWN if reward.state is None else reward.state
        self.judged.append(
            Judged(reward.impression_id, reward.action, reward.signal, state, reward.doubt, reward.weight)
        )

    def add_late(self, feedback: Feedback) -> None:
        """Enter one message of the topic for late feedback."""
        self._feedback_late.add(feedback.feedback_id)

    def add_dead_letter(self, reason: str) -> None:
        """Enter one refused message."""
        self.dead_letters[reason] += 1

    @property
    def joined(self) -> int:
        """How many different impressions have been joined so far."""
        return len(self._joined.seen)

    @property
    def learned(self) -> int:
        """How many different impressions have been learned so far."""
        return len(self._learned.seen)

    def counts(self) -> dict[str, int]:
        """Return the totals, ids counted once unless the name says otherwise."""
        accounted = self._feedback_joined.seen | self._feedback_late.seen
        return {
            "impressions_produced": len(self._impressions.seen),
            "impressions_repeated": self._impressions.repeated,
            "impressions_deferred": len(self._deferred),
            "feedback_produced": len(self._feedback.seen),
            "feedback_repeated": self._feedback.repeated,
            "interactions_joined": len(self._joined.seen),
            "joined_twice": self._joined.repeated,
            "interactions_learned": len(self._learned.seen),
            "learned_twice": self._learned.repeated,
            "lost": len(self._impressions.seen - self._learned.seen),
            "feedback_joined": len(self._feedback_joined.seen),
            "feedback_late": len(self._feedback_late.seen),
            "feedback_lost": len(self._feedback.seen - accounted),
            "dead_letters": self.dead_letters.total(),
        }

    def users(self) -> NDArray[np.int64]:
        """Return the number of the user to whom each of `judged` was shown."""
        return np.array([_number(self._shown_to[judged.impression_id]) for judged in self.judged], dtype=np.int64)

    def actions(self) -> NDArray[np.int64]:
        """Return the number of the action that was shown in each of `judged`."""
        return np.array([_number(judged.action) for judged in self.judged], dtype=np.int64)

    def inferred(self) -> NDArray[np.int8]:
        """Return the inferred state of each of `judged`."""
        return np.array([judged.state for judged in self.judged], dtype=np.int8)


def _number(name: str) -> int:
    """Return the index in a simulated name such as `user-3`."""
    return int(name.rsplit("-", 1)[1])
