"""The learner: inverse kinematics -> reward -> bandit, one interaction after another (IGL-P(3), Alg. 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, Self, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from groundswell.events import Action, FeatureValue, Interaction, Reward
from groundswell.exploration import Exploration
from groundswell.features import hashed
from groundswell.policy import PolicySnapshot, Weights
from processors.admission.interaction_records import Stretch
from processors.features.feature_store import FeatureStore
from processors.features.ragged_rows import Arrays
from processors.learners import (
    exploration_kernel,
    exploration_schedule,
    kernel,
    kernel_columns,
    reward_rules,
    running_totals,
)
from processors.learners.kernel_parameters import kernel_parameters
from processors.learners.statistics import Statistics
from processors.models.config import ModelConfig
from processors.models.signal_reduction import occurrences, reduced_signal
from processors.wire.envelopes import Envelope
from processors.wire.packed_arrays import packed, packed_rows, unpacked, unpacked_rows

FEWEST_ACTIONS: Final = 3
"""With two actions K * P > 2 cannot happen: no interaction would ever be extreme."""
STATE_VERSION: Final = 1
MOST_KNOWN: Final = 100_000
"""Signals whose hash is kept."""
Number = TypeVar("Number", float, NDArray[np.float64])


class StateError(Exception):
    """A state that this learner cannot continue from; the message says why."""


class Learner:
    """Learns one model from its interactions; a function of the configuration and their sequence alone.

    A batch is learned exactly as its interactions one at a time. Learning from the logs of another policy and
    from those of one's own is the same: the importance weight 1/(K p) takes the logged propensity.
    """

    def __init__(self, model: ModelConfig) -> None:
        self.model = model
        self.interactions_included = 0
        self._skipped = 0
        self._sums = np.zeros(running_totals.SUMS)
        self.configuration = _digest(model)
        size = 1 << model.hash_bits
        self._tables = {
            "inverse_kinematics": np.zeros((size, 3)),
            "bandit": np.zeros((size, 3)),
            "own": np.zeros((size, 2)),
            "pooled": np.zeros((size, 2)),
        }
        self._seen = np.zeros((1 << running_totals.SEEN_BITS) // 8, dtype=np.uint8)
        self._totals = np.zeros(running_totals.TOTALS)
        self._parameters = kernel_parameters(model)
        self._anchors = model.definitely_negative or model.definitely_positive
        self._store = FeatureStore(model.context_crosses)
        self._known: dict[str, tuple[int, int, bool]] = {}

    def learn(self, interactions: Sequence[Interaction]) -> list[Reward | None]:
        """Learn interactions in order and return their rewards; None where there were fewer than 3 actions."""
        places = [i for i, one in enumerate(interactions) if len(one.impression.actions) >= FEWEST_ACTIONS]
        if not places:
            return self._with_skipped([], places, len(interactions))
        learned = [interactions[i] for i in places]
        signals = [self._signal(one) for one in learned]
        counts = [len(one.impression.actions) for one in learned]
        weights = [
            importance(shown.weight, count, shown.chosen_propensity)
            for count, shown in zip(counts, [one.impression for one in learned], strict=True)
        ]
        outputs = self._step(learned, signals, weights)
        ids = [shown.actions[shown.chosen].id for shown in [one.impression for one in learned]]
        return self._with_skipped(
            self._rewards(places, learned, ids, counts, signals, weights, outputs), places, len(interactions)
        )

    def learn_stretch(self, stretch: Stretch) -> list[Reward | None]:
        """Learn interactions as they were read; it comes to the same as `learn`."""
        rewards: list[Reward | None] = []
        for sealed, run in stretch.runs():
            rewards += self._learn_sealed(run) if sealed else self.learn(list(run))
        return rewards

    def _learn_sealed(self, run: Stretch) -> list[Reward | None]:
        """Learn envelopes by the columns of their batch."""
        arrivals, rows = run.arrivals, np.array(run.rows, dtype=np.int64)
        counts = arrivals.counts[rows]
        places = np.flatnonzero(counts >= FEWEST_ACTIONS)
        rows, counts = rows[places], counts[places]
        read = run.read
        learned = [read[place] for place in places.tolist()]
        if not learned:
            return self._with_skipped([], [], len(run))
        signals = [self._signal(one) for one in learned]
        known = [self._known.get(signal) or self._look_up(signal) for signal in signals]
        names, anchors, negatives = zip(*known, strict=True)
        weights = importance(arrivals.weights[rows], counts.astype(np.float64), arrivals.propensities[rows])
        table = np.column_stack((rows, rows, names, anchors, arrivals.chosen[rows], negatives))
        outputs = self._learned(arrivals.arrays, table, np.ones(len(rows)), weights)
        ids = [arrivals.ids[row] for row in rows.tolist()]
        rewards = self._rewards(places.tolist(), learned, ids, counts.tolist(), signals, weights.tolist(), outputs)
        return self._with_skipped(rewards, places.tolist(), len(run))

    def _with_skipped(self, rewards: Sequence[Reward], places: Sequence[int], count: int) -> list[Reward | None]:
        """Take in `count` interactions, those at `places` with `rewards`; return them with None for the others."""
        self._skipped += count - len(places)
        self.interactions_included += count
        if len(places) == count:
            return list(rewards)
        every: list[Reward | None] = [None] * count
        for place, one in zip(places, rewards, strict=True):
            every[place] = one
        return every

    def scores(self, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> NDArray[np.float64]:
        """Return the predicted reward of each action, as the snapshot of this moment would."""
        self._store.trim()
        row, actions_row = self._store.context(context), self._store.actions(actions)
        result = np.empty(len(actions))
        exploration_kernel.action_scores(
            self._tables["bandit"],
            self._store.arrays,
            self._parameters[kernel_columns.SHARED],
            row,
            actions_row,
            result,
        )
        return result

    def probabilities(self, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> list[float]:
        """Return the probability with which to show each action, as the snapshot of this moment would."""
        scores = self.scores(context, actions)
        result = np.empty(len(actions))
        now = self.exploration
        exploration_kernel.explore(scores, exploration_schedule.KINDS[now.kind], now.parameter, result)
        return list(result.tolist())

    @property
    def statistics(self) -> Statistics:
        """What was counted so far."""
        return Statistics.of(self._skipped, self._sums)

    @property
    def forgotten(self) -> Mapping[str, int]:
        """How often something gave way to what was new, by the setting that bounds how many are kept."""
        return {}

    @property
    def version(self) -> int:
        """How many interactions the policy of this moment includes."""
        return self.interactions_included

    @property
    def exploration(self) -> Exploration:
        """The exploration of this moment. Until something is learned it is uniform for epsilon-greedy."""
        learned = float(self._totals[running_totals.LEARNED])
        actions = float(self._totals[running_totals.ACTIONS_SEEN]) / learned if learned else 0.0
        # The constant feature is in every context; it counts only where it is alone.
        features = max(1.0, float(self._totals[running_totals.CONTEXT_FEATURES]) - 1)
        return exploration_schedule.at(self.model.exploration, learned, features * actions)

    def snapshot(self, parent: int | None) -> PolicySnapshot:
        """Return the policy of this moment; `parent` is the version published before it."""
        return PolicySnapshot(
            model=self.model.name,
            version=self.version,
            parent=parent,
            bits=self.model.hash_bits,
            context_crosses=self.model.context_crosses,
            shared_weights=self.model.shared_weights,
            exploration=self.exploration,
            bandit=_sparse(self._tables["bandit"]),
            inverse_kinematics=_sparse(self._tables["inverse_kinematics"]),
            configuration=self.configuration,
        )

    def state(self) -> dict[str, object]:
        """Return everything as plain values (integers, floats, text, bytes, lists, dictionaries)."""
        return {
            "state_version": STATE_VERSION,
            "configuration": self.configuration,
            "interactions_included": self.interactions_included,
            "statistics": msgspec.to_builtins(self.statistics),
            "tables": {name: packed_rows(table) for name, table in self._tables.items()},
            "seen": packed(self._seen),
            "totals": packed(self._totals),
        }

    @classmethod
    def restore(cls, model: ModelConfig, state: Mapping[str, Any]) -> Self:
        """Return a learner that continues as the one whose `state()` this is, to the byte.

        Raises:
            StateError: the state is of another version or of another configuration.
        """
        learner = cls(model)
        if state.get("state_version") != STATE_VERSION:
            raise StateError(f"state version {state.get('state_version')!r}, this program reads {STATE_VERSION}")
        if state["configuration"] != learner.configuration:
            raise StateError(
                f"the state of model {model.name!r} was learned under another configuration: restore the old one, or "
                "give the model a new name, under which it begins anew"
            )
        learner.interactions_included = state["interactions_included"]
        statistics = msgspec.convert(state["statistics"], Statistics)
        learner._skipped, learner._sums = statistics.skipped, statistics.sums()
        learner._tables = {name: unpacked_rows(table) for name, table in state["tables"].items()}
        learner._seen = unpacked(state["seen"])
        learner._totals = unpacked(state["totals"])
        return learner

    def _signal(self, interaction: Interaction | Envelope) -> str:
        if len(interaction.signals) == 1 and len(interaction.feedback) < 2:
            return interaction.signals[0]
        return reduced_signal(
            occurrences(interaction.signals, interaction.feedback), self._anchors, self.model.several_signals
        )

    def _step(
        self, interactions: Sequence[Interaction], signals: Sequence[str], weights: Sequence[float]
    ) -> NDArray[np.float64]:
        """Learn and return, for each interaction, the outputs named in `kernel_columns.py`."""
        store = self._store
        store.trim()
        rows: list[int] = []
        for interaction, signal in zip(interactions, signals, strict=True):
            shown = interaction.impression
            name, anchor, negative = self._known.get(signal) or self._look_up(signal)
            rows += store.context(shown.context), store.actions(shown.actions), name, anchor, shown.chosen, negative
        table = np.array(rows, dtype=np.int64).reshape(len(interactions), -1)
        return self._learned(store.arrays, table, np.ones(len(interactions)), np.array(weights))

    def _look_up(self, signal: str) -> tuple[int, int, bool]:
        """Return a signal's hash, its anchor and whether it is definitely negative; keep them for the next time."""
        if len(self._known) == MOST_KNOWN:
            self._known.clear()
        found = hashed(signal), reward_rules.anchor(self.model, signal), signal in self.model.definitely_negative
        self._known[signal] = found
        return found

    def _learned(
        self, arrays: Arrays, rows: NDArray[np.int64], meanings: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        outputs = np.empty((len(rows), kernel_columns.OUTPUTS))
        kernel.learn_batch(
            *self._tables.values(),
            self._seen,
            self._totals,
            self._sums,
            self._parameters,
            arrays,
            rows,
            meanings,
            weights,
            outputs,
        )
        return outputs

    def _rewards(
        self,
        places: Sequence[int],
        interactions: Sequence[Interaction | Envelope],
        ids: Sequence[str],
        counts: Sequence[int],
        signals: Sequence[str],
        weights: Sequence[float],
        outputs: NDArray[np.float64],
    ) -> list[Reward]:
        """Return the rewards of interactions whose chosen actions have these `ids`, among so many (`counts`)."""
        model, threshold, version = self.model.name, self.model.reward.threshold, self.version
        states: list[Any] = outputs[:, kernel_columns.STATE].astype(int).tolist()
        inferred, posteriors = outputs[:, [kernel_columns.REWARD, kernel_columns.POSTERIOR]].T.tolist()
        return [
            Reward(
                schema_version=1,
                impression_id=(shown := one.impression).impression_id,
                model=model,
                occurred_at=shown.occurred_at,
                source=one.source,
                action=action,
                signal=signal,
                state=state,
                reward=amount,
                posterior=posterior,
                threshold=threshold / count,
                weight=weight,
                ik_version=(seen := version + place),
                policy_version=seen,
                logged_policy_version=shown.policy_version,
            )
            for place, one, action, count, signal, weight, state, amount, posterior in zip(
                places, interactions, ids, counts, signals, weights, states, inferred, posteriors, strict=True
            )
        ]


def importance(weight: Number, actions: Number, propensity: Number) -> Number:
    """Return the importance weight 1/(K p), times the impression's own."""
    return weight / (actions * propensity)


def _sparse(table: NDArray[np.float64]) -> Weights:
    indices = np.flatnonzero(table[:, 0] != 0.0)  # comparing first takes a fifth
    return Weights(indices.tolist(), table[indices, 0].tolist())


def _digest(model: ModelConfig) -> str:
    """Return the SHA-256 of what decides how the model learns.

    Defaults are left out, so that a release that adds a setting takes over what was learned before; so is the
    exploration, which shapes the policy and not what is learned.
    """
    decisive = model.model_dump(mode="json", exclude_defaults=True, exclude={"name", "exploration"})
    return sha256(msgspec.json.encode(_canonical(decisive))).hexdigest()


def _canonical(value: Any) -> Any:
    # Sets become lists in no particular order; the digest must not depend on it.
    if isinstance(value, dict):
        return {key: _canonical(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return sorted((_canonical(item) for item in value), key=repr)
    return value
