"""The papers' simulated people with three latent states (ICLR 2023, section 5.1; ORSUM 2022, section 4).

Each user enjoys one action, hates another and is indifferent to the rest, unless more of them are asked for. An
enjoyed action is answered by a click (.75) or a like (.25), a hated one by a dislike (`p_dislike`) or a skip, any
other by nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from groundswell.events import NONE_SIGNAL, RewardState

SIGNALS = ("click", "like", "dislike", "skip", NONE_SIGNAL)


class ThreeStateUsers:
    """People whose latent reward state is known to nobody but the simulator.

    `states` has shape (users, actions) and holds -1, 0 or +1: `enjoyed` and `hated` are how many of each a user has.
    `noise` is the probability that a signal is replaced by one drawn uniformly from all signals (an accidental one).
    """

    def __init__(
        self,
        users: int,
        actions: int,
        p_dislike: float,
        seed: int,
        *,
        enjoyed: int = 1,
        hated: int = 1,
        noise: float = 0.0,
    ) -> None:
        if actions <= enjoyed + hated:
            raise ValueError(
                f"{actions} actions: {enjoyed} enjoyed, {hated} hated and an indifferent one need at least "
                f"{enjoyed + hated + 1}"
            )
        self.users = users
        self.actions = actions
        self.p_dislike = p_dislike
        self.noise = noise
        self._rng = np.random.default_rng(seed)
        self.states: NDArray[np.int8] = np.zeros((users, actions), dtype=np.int8)
        for user in range(users):
            liked = self._rng.choice(actions, size=enjoyed + hated, replace=False)
            self.states[user, liked[:enjoyed]] = 1
            self.states[user, liked[enjoyed:]] = -1

    def arrive(self) -> int:
        """Return the user who comes next."""
        return int(self._rng.integers(self.users))

    def state(self, user: int, action: int) -> RewardState:
        """Return the latent reward state of `action` for `user`."""
        return int(self.states[user, action])  # type: ignore[return-value]  # the array holds nothing else

    def signal(self, user: int, action: int) -> str:
        """Return what the user is seen to do when shown `action`."""
        if self.noise and self._rng.random() < self.noise:
            return str(self._rng.choice(SIGNALS))
        match self.state(user, action):
            case 1:
                return "click" if self._rng.random() < 0.75 else "like"
            case -1:
                return "dislike" if self._rng.random() < self.p_dislike else "skip"
            case _:
                return NONE_SIGNAL
