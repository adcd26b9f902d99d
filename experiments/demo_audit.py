"""The demo's audit: what became of every impression and every feedback, counted from the topics alone.

Nothing the worker says about itself enters here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from processors.events import Feedback, Impression, Interaction, Reward


@dataclass(frozen=True)
class Judged:
    """What was inferred about one impression, in the order of the rewards topic."""

    impression_id: str
    action: str
    signal: str
    state: int


@dataclass
class Audit:
    """A fold over the topics of one run. Add every record once, in any order of topics."""

    judged: list[Judged] = field(default_factory=list)
    dead_letters: Counter[str] = field(default_factory=Counter)
    _shown_to: dict[str, str] = field(default_factory=dict)
    _impression_messages: int = 0
    _feedback: Counter[str] = field(default_factory=Counter)
    _joined: Counter[str] = field(default_factory=Counter)
    _learned: Counter[str] = field(default_factory=Counter)
    _feedback_joined: set[str] = field(default_factory=set)
    _feedback_late: set[str] = field(default_factory=set)

    def add_impression(self, impression: Impression) -> None:
        """Enter one message of the impressions topic."""
        self._impression_messages += 1
        self._shown_to[impression.impression_id] = str(impression.context["user"])

    def add_feedback(self, feedback: Feedback) -> None:
        """Enter one message of the feedback topic."""
        self._feedback[feedback.feedback_id] += 1

    def add_interaction(self, interaction: Interaction) -> None:
        """Enter one message of the interactions topic."""
        self._joined[interaction.impression.impression_id] += 1
        self._feedback_joined.update(feedback.feedback_id for feedback in interaction.feedback)

    def add_reward(self, reward: Reward) -> None:
        """Enter one message of the rewards topic."""
        self._learned[reward.impression_id] += 1
        self.judged.append(Judged(reward.impression_id, reward.action, reward.signal, reward.state))

    def add_late(self, feedback: Feedback) -> None:
        """Enter one message of the topic for late feedback."""
        self._feedback_late.add(feedback.feedback_id)

    def add_dead_letter(self, reason: str) -> None:
        """Enter one refused message."""
        self.dead_letters[reason] += 1

    @property
    def joined(self) -> int:
        """How many different impressions have been joined so far."""
        return len(self._joined)

    @property
    def learned(self) -> int:
        """How many different impressions have been learned so far."""
        return len(self._learned)

    def counts(self) -> dict[str, int]:
        """Return the totals, ids counted once unless the name says otherwise."""
        accounted = self._feedback_joined | self._feedback_late
        return {
            "impressions_produced": len(self._shown_to),
            "impressions_repeated": self._impression_messages - len(self._shown_to),
            "feedback_produced": len(self._feedback),
            "feedback_repeated": self._feedback.total() - len(self._feedback),
            "interactions_joined": len(self._joined),
            "joined_twice": self._joined.total() - len(self._joined),
            "interactions_learned": len(self._learned),
            "learned_twice": self._learned.total() - len(self._learned),
            "lost": len(self._shown_to.keys() - self._learned.keys()),
            "feedback_joined": len(self._feedback_joined),
            "feedback_late": len(self._feedback_late),
            "feedback_lost": len(self._feedback.keys() - accounted),
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
