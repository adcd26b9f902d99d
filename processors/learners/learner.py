"""What every learner shares: feedback -> reward -> bandit, one interaction after another (IGL-P(3), Alg. 1)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, ClassVar, Final, Self, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from groundswell.events import Action, FeatureValue, Interaction
from groundswell.exploration import Exploration
from groundswell.features import hashed
from groundswell.policy import PolicySnapshot, Weights
from processors.admission.interaction_records import Stretch
from processors.features.feature_store import FeatureStore
from processors.features.ragged_rows import Arrays
from processors.features.remembered_texts import RememberedTexts
from processors.learners import (
    exploration_kernel,
    exploration_schedule,
    kernel_columns,
    running_totals,
    weight_tables,
)
from processors.learners.kernel_parameters import kernel_parameters
from processors.learners.leaking_signals import DECIDED_EVERY
from processors.learners.reward_columns import RewardColumns
from processors.learners.signal_reading import Leak, Read, SignalReading
from processors.learners.statistics import Assumption, Statistics
from processors.models.config import ModelConfig
from processors.wire.envelopes import Envelope
from processors.wire.packed_arrays import packed, packed_rows, table_of, unpacked, unpacked_rows
from processors.wire.plain_state import Count, StateError, read_as, require

STATES: Final = {1: "the papers' rules or of an earlier release's default", 2: 'the rule "three-state"'}
"""Whose state each version is."""
Number = TypeVar("Number", float, NDArray[np.float64])
Some = TypeVar("Some", Sequence[Interaction], Stretch)


class LearnerState(msgspec.Struct):
    """What every learner's `state()` holds; the arrays are checked by what this learner makes of them."""

    interactions_included: Count
    statistics: Statistics
    tables: dict[str, Any]
    seen: Any
    totals: Any


class Learner(ABC):
    """Learns one model from its interactions; a function of the configuration and their sequence alone.

    A batch is learned exactly as its interactions one at a time. Learning from the logs of another policy and
    from those of one's own is the same: the importance weight 1/(K p) takes the logged propensity.
    """

    state_version: ClassVar[int]
    """Of what `state()` returns. A learner of another kind has another one."""
    totals: ClassVar[int] = running_totals.TOTALS + running_totals.LATER_TOTALS
    """How many running totals it keeps."""
    signed_totals: ClassVar[Sequence[int]] = ()
    """Which of them may be below 0; the others count, or add up what is not."""
    outputs: ClassVar[int] = kernel_columns.OUTPUTS
    """How many columns its step reports."""
    learns_values: ClassVar[bool] = False
    """Whether it learns from the values of feedback, and looks for signals that tell the action."""
    unsigned: ClassVar[Mapping[str, Sequence[int]]] = {}
    """The columns of each table that are sums of squares or sizes: nothing in them is below 0."""

    def __init__(self, model: ModelConfig) -> None:
        self.model = model
        self.interactions_included = 0
        self._skipped = 0
        self._sums = np.zeros(running_totals.SUMS)
        self.configuration = _digest(model)
        self._tables = self._empty_tables(1 << model.hash_bits)
        self._seen = running_totals.nothing_seen()
        self._totals = np.zeros(self.totals)
        self._parameters = kernel_parameters(model)
        self._reading = SignalReading(model, learns_values=self.learns_values)
        self._store = FeatureStore(model.context_crosses)
        self._known = RememberedTexts[tuple[int, int, bool]]()

    @property
    @abstractmethod
    def fewest_actions(self) -> int:
        """Of how many actions on a round is learned."""

    @staticmethod
    @abstractmethod
    def _empty_tables(size: int) -> dict[str, NDArray[np.float64]]:
        """Return the tables of a learner that knows nothing; that of the bandit is called "bandit"."""

    @abstractmethod
    def _learned(
        self, arrays: Arrays, rows: NDArray[np.int64], weights: NDArray[np.float64], read: Read
    ) -> NDArray[np.float64]:
        """Learn a batch, whose columns are those of `kernel_columns.py`, of this feedback; return its outputs."""

    def learn(self, interactions: Sequence[Interaction]) -> RewardColumns:
        """Learn interactions in order and return their rewards; None where there were too few actions."""
        return self._in_parts(interactions, self._learn_opened)

    def learn_stretch(self, stretch: Stretch) -> RewardColumns:
        """Learn interactions as they were read; it comes to the same as `learn`."""
        return self._in_parts(stretch, self._learn_runs)

    def _in_parts(self, some: Some, learn: Callable[[Some], RewardColumns]) -> RewardColumns:
        """Learn parts that end where it is decided anew which signals are left out, so that no batch changes that."""
        rewards: list[RewardColumns] = []
        begin = 0
        while begin < len(some):
            part: Any = some[begin : begin + DECIDED_EVERY - self.interactions_included % DECIDED_EVERY]
            rewards.append(learn(part))
            begin += len(part)
            if self.interactions_included % DECIDED_EVERY == 0:
                self._decide()
        return RewardColumns.joined(rewards) if rewards else self._without_rewards(0)

    def _decide(self) -> bool:
        """Say which signals are left out; return whether plays that were learned from turned out to say nothing."""
        before = self._reading.in_place
        misled = self._reading.decide()
        if self._reading.in_place != before:
            self._known.clear()  # what is known of them beforehand is no longer so
        return misled

    def _learn_opened(self, interactions: Sequence[Interaction]) -> RewardColumns:
        counts, fewest = [len(one.impression.actions) for one in interactions], self.fewest_actions
        places, learned = [i for i, count in enumerate(counts) if count >= fewest], interactions
        if not places:
            return self._without_rewards(len(interactions))
        if len(places) < len(interactions):
            learned, counts = [interactions[i] for i in places], [counts[i] for i in places]
        read, weights, ids = self._reading.read(learned), [], []
        for one, count in zip(learned, counts, strict=True):
            shown = one.impression
            weights.append(importance(shown.weight, count, shown.chosen_propensity))
            ids.append(shown.actions[shown.chosen].id)
        outputs = self._step(learned, read, weights)
        return self._rewards(len(interactions), places, learned, ids, counts, read.signals, outputs)

    def _learn_runs(self, stretch: Stretch) -> RewardColumns:
        return RewardColumns.joined(
            [self._learn_sealed(run) if sealed else self._learn_opened(list(run)) for sealed, run in stretch.runs()]
        )

    def _learn_sealed(self, run: Stretch) -> RewardColumns:
        """Learn envelopes by the columns of their batch."""
        arrivals, rows = run.arrivals, np.array(run.rows, dtype=np.int64)
        counts = arrivals.counts[rows]
        learned = run.read
        places: Sequence[int] = range(len(run))
        if len(enough := np.flatnonzero(counts >= self.fewest_actions)) < len(learned):
            rows, counts, places = rows[enough], counts[enough], enough.tolist()
            learned = [learned[place] for place in places]
        if not learned:
            return self._without_rewards(len(run))
        read, chosen = self._reading.read(learned), arrivals.chosen[rows]
        weights = importance(arrivals.weights[rows], counts.astype(np.float64), arrivals.propensities[rows])
        if read.pieces:
            self._reading.put_in_buckets(read, arrivals.arrays, rows.tolist(), chosen.tolist(), weights.tolist())
        table = np.empty((len(rows), kernel_columns.COLUMNS), dtype=np.int64)
        table[:, kernel_columns.CONTEXT] = table[:, kernel_columns.ACTIONS] = rows
        table[:, kernel_columns.SIGNAL : kernel_columns.NEGATIVE + 1] = self._looked_up(read.signals)
        table[:, kernel_columns.CHOSEN], table[:, kernel_columns.CAME] = chosen, read.came
        outputs = self._learned(arrivals.arrays, table, weights, read)
        ids = [arrivals.ids[row] for row in rows.tolist()]
        return self._rewards(len(run), places, learned, ids, counts.tolist(), read.signals, outputs)

    def _without_rewards(self, count: int) -> RewardColumns:
        """Take in interactions none of which has enough actions."""
        return self._rewards(count, [], [], [], [], [], np.empty((0, self.outputs)))

    def scores(self, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> NDArray[np.float64]:
        """Return the predicted reward of each action, as the snapshot of this moment would."""
        self._store.trim()
        row, actions_row = self._store.context(context), self._store.actions(actions)
        result = np.empty(len(actions))
        self._score(self._store.arrays, row, actions_row, result)
        return result

    def _score(self, arrays: Arrays, context: int, actions: int, out: NDArray[np.float64]) -> None:
        """Write the score of each action of a set in a context, both given by their rows."""
        exploration_kernel.action_scores(
            self._tables["bandit"], arrays, self._parameters[kernel_columns.SHARED], context, actions, out
        )

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
    def violated(self) -> Mapping[Assumption, bool]:
        """Of each assumption of the rule that can be checked: whether it fails now.

        The papers' rules assume that extremes are rare: most of what would come back if all actions were shown alike
        is not (ICLR 2023, section 4).
        """
        if self.model.reward.extreme == "meaning":
            return {}
        now = self.statistics
        return {"rare_extremes": now.extreme_weights > now.weights / 2}

    @property
    def forgotten(self) -> Mapping[str, int]:
        """How often something gave way to what was new, by the setting that bounds how many are kept."""
        return {}

    @property
    def leaking(self) -> Mapping[str, Leak]:
        """The signals that were found to tell which action was shown whatever the person thinks of it."""
        return self._reading.leaking

    @property
    def version(self) -> int:
        """How many interactions the policy of this moment includes."""
        return self.interactions_included

    @property
    def exploration(self) -> Exploration:
        """The exploration of this moment. Until something is learned it is uniform for epsilon-greedy."""
        learned, seen, features = self._totals[: running_totals.TOTALS].tolist()
        actions = seen / learned if learned else 0.0
        # The constant feature is in every context; it counts only where it is alone.
        features = max(1.0, features - 1)
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
            bandit=sparse(self._tables["bandit"]),
            inverse_kinematics=None,
            configuration=self.configuration,
        )

    def state(self) -> dict[str, object]:
        """Return everything as plain values (integers, floats, text, bytes, lists, dictionaries)."""
        return {
            "state_version": self.state_version,
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
            StateError: the state is of another version or of another configuration, or not what a learner writes.
        """
        learner = cls(model)
        learner._check(state)
        what = f"the state of model {model.name!r}"
        whole = read_as(LearnerState, state, what)
        learner.interactions_included = whole.interactions_included
        learner._skipped, learner._sums = whole.statistics.skipped, whole.statistics.sums()
        learner._tables = {
            name: unpacked_rows(
                table_of(whole.tables, name, what),
                table.shape,
                f"{what}, table {name}",
                unsigned=cls.unsigned.get(name, ()),
            )
            for name, table in learner._tables.items()
        }
        learner._seen = restored_seen(whole.seen, f"{what}, seen")
        # Those that came since begin at 0.
        totals = unpacked(whole.totals, np.float64, (None,), f"{what}, totals")[: learner.totals]
        require(len(totals) >= running_totals.TOTALS, f"{what}, totals: there are {len(totals)}")
        counted = np.delete(totals, [one for one in cls.signed_totals if one < len(totals)])
        require(bool((counted >= 0.0).all()), f"{what}, totals: one is below 0")
        learner._totals[: len(totals)] = totals
        return learner

    def _check(self, state: Mapping[str, Any]) -> None:
        """Raise `StateError` where this learner cannot continue from a state."""
        name, version = self.model.name, state.get("state_version")
        relearn = f"`groundswell redecode --model {name}` relearns it from the interactions log"
        require(isinstance(version, int), f"the state of model {name!r}: its version is no number")
        if version != self.state_version and version in STATES:
            raise StateError(
                f"the state of model {name!r} is that of {STATES[version]}, and the model is configured for "
                f"{STATES[self.state_version]}, which cannot continue from it: what the one has learned of signals and "
                f"actions means nothing to the other. {relearn}"
            )
        if version != self.state_version:
            raise StateError(
                f"the state of model {name!r} is of version {version!r}, this release reads {self.state_version}: run "
                f"the release that wrote it. {relearn}"
            )
        require("configuration" in state, f"the state of model {name!r}: it names no configuration")
        if state["configuration"] != self.configuration:
            raise StateError(
                f"the state of model {name!r} was learned under another configuration: restore the old one, or give "
                f"the model a new name, under which it begins anew. {relearn}"
            )

    def _step(self, interactions: Sequence[Interaction], read: Read, weights: Sequence[float]) -> NDArray[np.float64]:
        """Learn and return, for each interaction, the outputs named in `kernel_columns.py`."""
        store = self._store
        store.trim()
        shown = [one.impression for one in interactions]
        found = [(store.context(one.context), store.actions(one.actions), one.chosen) for one in shown]
        arrays = store.arrays
        if read.pieces:
            _, sets, chosen = zip(*found, strict=True)
            self._reading.put_in_buckets(read, arrays, sets, chosen, weights)
        rows = [
            (context, actions, *(self._known.get(signal) or self._look_up(signal)), chosen, came)
            for (context, actions, chosen), signal, came in zip(found, read.signals, read.came, strict=True)
        ]
        return self._learned(arrays, np.array(rows, dtype=np.int64), np.array(weights), read)

    def _looked_up(self, signals: Sequence[str]) -> NDArray[np.int64]:
        """Return of many signals, of which few are different, what `_look_up` does; shape (signals, 3)."""
        number_of = {signal: number for number, signal in enumerate(dict.fromkeys(signals))}
        found = np.array([self._known.get(signal) or self._look_up(signal) for signal in number_of], dtype=np.int64)
        return found[[number_of[signal] for signal in signals]]

    def _look_up(self, signal: str) -> tuple[int, int, bool]:
        """Return a signal's hash, its anchor and whether it is definitely negative; keep them for the next time."""
        found = hashed(signal), self._reading.anchor(signal), signal in self.model.definitely_negative
        return self._known.keep(signal, found)

    def _rewards(
        self,
        count: int,
        places: Sequence[int],
        interactions: Sequence[Interaction | Envelope],
        ids: Sequence[str],
        counts: Sequence[int],
        signals: Sequence[str],
        outputs: NDArray[np.float64],
    ) -> RewardColumns:
        """Take in `count` interactions; return the rewards of those at `places`, which are these `interactions`.

        Their chosen actions have these `ids`, among so many (`counts`).
        """
        version = self.version
        self._skipped += count - len(places)
        self.interactions_included += count
        return RewardColumns(
            self.model.name,
            version,
            count,
            places,
            interactions,
            ids,
            signals,
            outputs[:, kernel_columns.WEIGHT].tolist(),
            self._thresholds(counts),
            outputs,
        )

    def _thresholds(self, counts: Sequence[int]) -> Sequence[float | None]:
        """Return the posterior over which an interaction among so many actions is extreme, where the rule asks that."""
        return [None] * len(counts)


def restored_seen(packed_bits: object, what: str) -> NDArray[np.uint8]:
    """Return the bits of the features that were packed. Raises `MalformedError`, which calls them `what`."""
    seen: NDArray[np.uint8] = running_totals.nothing_seen()
    shape = packed_bits.get("shape") if isinstance(packed_bits, dict) else None
    if not (isinstance(shape, list) and len(shape) == 1):
        return unpacked(packed_bits, np.uint8, seen.shape, what)
    # An earlier release counted whatever had come.
    seen[: running_totals.CAME_NOW] = unpacked(packed_bits, np.uint8, seen.shape[1:], what)
    seen[running_totals.COUNTED] = 0
    return seen


def importance(weight: Number, actions: Number, propensity: Number) -> Number:
    """Return the importance weight 1/(K p), times the impression's own."""
    return weight / (actions * propensity)


def sparse(table: NDArray[np.float64]) -> Weights:
    """Return the first column of a table of weights as a policy lists it."""
    index, value = np.empty(len(table), dtype=np.int64), np.empty(len(table))
    count = weight_tables.list_weights(table, index, value)
    return Weights(index[:count].tolist(), value[:count].tolist())


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
