"""Faults that can be planted in the simulated apps, for alarms to find: what goes wrong in real products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groundswell.events import RewardState


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What is wrong with the simulated apps from their impression number `after` on; by default nothing.

    `sarcastic` is the share of users (the first ones) for whom a like means that they hated what they saw.
    `uniform_propensities` makes the apps log 1/K whatever they did. `no_dislike_button` turns every dislike
    into a skip. `feedback_delay` (milliseconds) is added to the delay of all feedback.
    """

    sarcastic: float = 0.0
    uniform_propensities: bool = False
    no_dislike_button: bool = False
    feedback_delay: int = 0
    after: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.sarcastic <= 1:
            raise ValueError(f"sarcastic is {self.sarcastic}: a share of the users lies between 0 and 1")
        if self.feedback_delay < 0 or self.after < 0:
            raise ValueError("feedback_delay and after count from 0 upwards")

    def seen(self, signal: str, state: RewardState, user: int, users: int) -> str:
        """Return what is observed where an honest user, in this reward state, would have given `signal`."""
        if user < self.sarcastic * users:
            if state == -1:
                return "like"
            if signal == "like":
                return "click"
        if self.no_dislike_button and signal == "dislike":
            return "skip"
        return signal

    def logged(self, probabilities: Sequence[float]) -> list[float]:
        """Return the probabilities that the app writes down when it acted by `probabilities`."""
        if self.uniform_propensities:
            return [1 / len(probabilities)] * len(probabilities)
        return list(probabilities)


NO_FAULTS = Faults()
