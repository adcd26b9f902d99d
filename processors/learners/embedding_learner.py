"""The learner for many users with many signals: what a signal means hangs on who gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from groundswell.events import Impression, Interaction
from groundswell.features import feature, hashed
from groundswell.policy import PolicySnapshot
from processors.admission.interaction_records import Stretch
from processors.learners import kernel_columns, running_totals, spectral_embedding
from processors.learners.papers_learner import PapersLearner
from processors.learners.recent_names import RecentNames
from processors.learners.reward_columns import RewardColumns
from processors.learners.signal_reading import Read
from processors.models.config import ModelConfig
from processors.wire.packed_arrays import packed_rows, unpacked_rows
from processors.wire.plain_state import read_as, require

FIRST_REFRESH: Final = 2_500
LONGEST_WAIT: Final = 25_000


def wait(learned: int) -> int:
    """Return how many interactions after so many the embedding is refreshed: a quarter more, within bounds."""
    return min(max(learned // 4, FIRST_REFRESH), LONGEST_WAIT)


class EmbeddingState(msgspec.Struct):
    """What an embedding's part of the state holds; the arrays are checked by the configuration."""

    users: Any
    signals: Any
    moments: Any
    weights: Any
    squares: Any
    meanings: Any
    until_refresh: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_WAIT)]


class EmbeddingLearner(PapersLearner):
    """Learns from what a signal means for its user, z(u, y) in [-1, 1], in the place of the signal itself.

    `processors/learners/spectral_embedding.py` has the embedding. It is refreshed after 2,500 interactions,
    then each quarter more, then each 25,000. The inverse kinematics is a softmax over the actions on the features of
    context and action times z. Where z is 0, because there is no embedding yet, the user or the signal came after the
    last refresh, or the context does not name the user, the state is 0, the posterior 1/K, and neither classifier nor
    bandit learns.

    Memory is at most users x signals x half a kilobyte, whatever comes: beyond the configured numbers, the user (or
    signal) that was not seen for longest is forgotten and its row given to the new one.
    """

    def __init__(self, model: ModelConfig) -> None:
        super().__init__(model)
        config = model.inverse_kinematics
        assert config.user_feature is not None  # the configuration refuses an embedding without it
        self._user_feature = config.user_feature
        self._users, self._signals = RecentNames(config.users), RecentNames(config.signals)
        shape = (config.users, config.signals)
        self._moments = np.zeros((*shape, spectral_embedding.SKETCH), dtype=np.float32)
        self._weights, self._squares, self._meanings = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self._until_refresh = wait(0)

    def learn_stretch(self, stretch: Stretch) -> RewardColumns:
        """Learn interactions as they were read."""
        return self.learn(list(stretch))

    def _step(self, interactions: Sequence[Interaction], read: Read, weights: Sequence[float]) -> NDArray[np.float64]:
        """Learn in stretches that end where a refresh is due, so that it does not depend on the batches."""
        outputs = []
        begin = 0
        while begin < len(interactions):
            stretch = slice(begin, begin + self._until_refresh)
            learned = self._stretch(interactions[stretch], read.signals[stretch], weights[stretch])
            outputs.append(learned)
            begin += len(learned)
            self._until_refresh -= len(learned)
            if not self._until_refresh:
                self.refresh()
        return np.concatenate(outputs)

    def _stretch(
        self, interactions: Sequence[Interaction], signals: Sequence[str], weights: Sequence[float]
    ) -> NDArray[np.float64]:
        store = self._store
        store.trim()
        rows = np.empty((len(interactions), kernel_columns.COLUMNS), dtype=np.int64)
        cells = np.empty((len(interactions), 7), dtype=np.int64)
        users = np.empty(len(interactions), dtype=np.int64)
        meanings = np.empty(len(interactions))
        for i, (interaction, signal) in enumerate(zip(interactions, signals, strict=True)):
            shown = interaction.impression
            context, actions = store.context(shown.context), store.actions(shown.actions)
            of_signal, _, negative = self._known.get(signal) or self._look_up(signal)
            users[i], cell, new, meanings[i] = self._place(shown, of_signal)
            rows[i] = context, actions, -1, 0, negative, shown.chosen, 0
            cells[i] = *cell, context, actions, shown.chosen, *new
        outputs = self._learned_as(store.arrays, rows, meanings, np.array(weights))
        spectral_embedding.add_batch(
            self._moments,
            self._weights,
            self._squares,
            store.arrays,
            users,
            cells,
            outputs[:, kernel_columns.WEIGHT].copy(),
        )
        return outputs

    def _place(self, shown: Impression, signal: int) -> tuple[int, tuple[int, int], tuple[bool, bool], float]:
        """Return the hash of the user's feature, the cell of user and signal, which of the two are new, and z.

        Hash and cell are -1 where the context does not name the user.
        """
        value = shown.context.get(self._user_feature)
        if value is None:
            return -1, (-1, -1), (False, False), 0.0
        user, new_user = self._users.take(hashed(f"{self._user_feature}={value}"))
        column, new_signal = self._signals.take(signal)
        if new_user:
            self._meanings[user] = 0.0
        if new_signal:
            self._meanings[:, column] = 0.0
        of_user, _ = feature(self._user_feature, value)
        return of_user, (user, column), (new_user, new_signal), float(self._meanings[user, column])

    @property
    def forgotten(self) -> Mapping[str, int]:
        """How many users and signals gave way to new ones."""
        return {"users": self._users.given_anew, "signals": self._signals.given_anew}

    def refresh(self) -> None:
        """Read the embedding anew from all that was learned."""
        learned = float(self._totals[running_totals.LEARNED])
        spectral_embedding.embedding(
            self._moments,
            self._weights,
            self._squares,
            float(self._totals[running_totals.ACTIONS_SEEN]) / learned,
            self._meanings,
        )
        self._until_refresh = wait(int(learned))

    def snapshot(self, parent: int | None) -> PolicySnapshot:
        """Return the policy of this moment. The classifier says nothing without the embedding, and is left out."""
        return msgspec.structs.replace(super().snapshot(parent), inverse_kinematics=None)

    def state(self) -> dict[str, object]:
        """Return everything as plain values."""
        cells = {"weights": self._weights, "squares": self._squares, "meanings": self._meanings}
        return {
            **super().state(),
            "embedding": {
                "users": self._users.state(),
                "signals": self._signals.state(),
                "moments": packed_rows(self._moments.reshape(-1, spectral_embedding.SKETCH)),
                **{name: packed_rows(cell) for name, cell in cells.items()},
                "until_refresh": self._until_refresh,
            },
        }

    @classmethod
    def restore(cls, model: ModelConfig, state: Mapping[str, Any]) -> Self:
        """Return a learner that continues as the one whose `state()` this is. Raises `StateError` if it cannot."""
        learner = super().restore(model, state)
        what = f"the state of model {model.name!r}, its embedding"
        of = read_as(EmbeddingState, state.get("embedding"), what)
        config = model.inverse_kinematics
        learner._users = RecentNames.restore(config.users, of.users)
        learner._signals = RecentNames.restore(config.signals, of.signals)
        shape = (config.users, config.signals)
        moments = unpacked_rows(
            of.moments, (config.users * config.signals, spectral_embedding.SKETCH), f"{what}, moments", dtype=np.float32
        )
        learner._moments = moments.reshape(learner._moments.shape)
        unsigned = range(config.signals)
        learner._weights = unpacked_rows(of.weights, shape, f"{what}, weights", unsigned=unsigned)
        learner._squares = unpacked_rows(of.squares, shape, f"{what}, squares", unsigned=unsigned)
        learner._meanings = unpacked_rows(of.meanings, shape, f"{what}, meanings")
        require(bool((np.abs(learner._meanings) <= 1.0).all()), f"{what}, meanings: one is beyond 1")
        learner._until_refresh = of.until_refresh
        return learner
