"""The policy snapshot: weights as plain JSON that any language can evaluate; docs/policy-format.md specifies it.

How to evaluate one, for a context (name -> value) and a list of actions (id, name -> value):

1. Features, hashes and crosses are those of `groundswell/features.py`; `features` in the snapshot repeats the recipe.
2. The score of an action is the sum, over all pairs of a context feature (hash g, value x) and an action
   feature (hash h, value y), of bandit[cross(g, h) mod 2^bits] * x * y, where an index that is not listed
   weighs 0.
3. `exploration` turns scores into probabilities (`groundswell/exploration.py` has the three formulas).
4. Where there is `in_doubt`, and the hash of a context feature, the constant's 0 included, is among its `features`:
   with l = K times the least of the K probabilities, if l < `floor`, each p becomes (1 - m) p + m / K,
   m = (`floor` - l) / (1 - l). So each action has `floor` / K at least.

A worked example, bits 8: context {"user": "ann"} has the one feature "user=ann" (the constant is left out
where others exist, unless `shared_weights`), h = 2965408903; action a1 has "=a1", h = 3553094021; their cross
is 650745031, whose low 8 bits are 199. With bandit {"indices": [199], "values": [0.75]} action a1 scores 0.75,
any other 0. tests/unit/groundswell/test_policy.py evaluates snapshots by an independent reading of this text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Annotated, Final, Literal, Self

import msgspec
import numpy as np
from msgspec import UNSET, Meta, Struct, UnsetType

from groundswell import exploration
from groundswell.events import Action, FeatureValue
from groundswell.exploration import Exploration
from groundswell.features import Feature, context_features
from groundswell.scoring import WeightTable

RECIPE = (
    'text and booleans: "name=value", 1; numbers of 1e-9 and more: "name", the number clamped to +-1e9; '
    'action id: "=id", 1; '
    "h = fmix32(crc32(utf8)); cross(g, h) = fmix32((g * 2654435761 + h) mod 2^32); index = cross mod 2^bits; "
    "context_crosses: also cross(g, h), x * y of each pair of context features in the order of their names; "
    'shared_weights, or no other feature, or with constant_beside_numbers one whose value is not 1: also "", 1 in the '
    'context; in_doubt, where the h of a feature of the context or of "" is among its features: '
    "each p becomes (1 - m) p + m / K with the least m >= 0 that gives each floor / K"
)


MOST_WEIGHT: Final = 1e100
"""What a weight is at the most: no score of any context is infinite."""
Hash = Annotated[int, Meta(ge=0, le=(1 << 32) - 1)]
Version = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]


class PolicyError(Exception):
    """A snapshot that cannot be used; the message says what to do."""


class Weights(Struct, frozen=True):
    """A sparse vector: the weights that are not 0, by ascending index."""

    indices: list[Hash]
    values: list[Annotated[float, Meta(ge=-MOST_WEIGHT, le=MOST_WEIGHT)]]


class InDoubt(Struct, frozen=True):
    """Where data cannot tell what people feel: contexts with one of these features are explored at least so much.

    `features` are hashes of context features, ascending, 0 (that of the constant) for all contexts; `floor` is the
    least share of the decisions that explores.
    """

    floor: Annotated[float, Meta(ge=0, le=1)]
    features: list[Hash]


class PolicySnapshot(Struct, frozen=True, kw_only=True):
    """A policy as of `version` interactions, with the inverse kinematics it was learned from.

    `parent` is the version published before. `constant_beside_numbers` says that the constant feature counts also in
    contexts in which another feature has a value that is not 1. `in_doubt` is left out where nothing is.
    `inverse_kinematics` is the classifier of the papers' rules, None where there is none or it has no linear weights.
    `configuration` is the SHA-256 of the model's configuration. `lineage` names the redecoding from which the
    model comes, and is left out of others. `checksum` is empty but on the wire: there it is the SHA-256 of the JSON
    with an empty one.
    """

    schema_version: Literal[1] = 1
    kind: Literal["policy"] = "policy"
    model: str
    version: Version
    parent: Version | None
    features: str = RECIPE
    bits: Annotated[int, Meta(ge=1, le=32)]
    context_crosses: bool
    shared_weights: bool
    constant_beside_numbers: bool | UnsetType = UNSET  # left out of older snapshots, whose checksums are without it
    exploration: Exploration
    in_doubt: InDoubt | UnsetType = UNSET
    bandit: Weights
    inverse_kinematics: Weights | None
    configuration: str
    lineage: str | UnsetType = UNSET
    checksum: str = ""

    @property
    def occupancy(self) -> float:
        """The share of the fuller weight table that is in use: features that share a row spoil one another."""
        tables = (self.bandit, self.inverse_kinematics)
        return max(len(table.indices) for table in tables if table is not None) / (1 << self.bits)


def encode(snapshot: PolicySnapshot) -> bytes:
    """Return the snapshot as JSON, with its checksum: the same snapshot gives the same bytes."""
    text = msgspec.json.encode(msgspec.structs.replace(snapshot, checksum=""))
    # A policy may take megabytes: it is copied once.
    return b"".join((memoryview(text)[:-2], sha256(text).hexdigest().encode(), b'"}'))


def decode(content: bytes) -> PolicySnapshot:
    """Return the snapshot in `content`.

    Raises:
        PolicyError: it is no snapshot of a known schema, not the one that was published, or nothing could be decided
            by it: indices beyond its bits, weights that are none, an exploration that gives no probabilities.
    """
    try:
        snapshot = msgspec.json.decode(content, type=PolicySnapshot)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise PolicyError(f"not a policy snapshot of schema 1 ({error}): update the reader, or the topic") from error
    unchecked = msgspec.structs.replace(snapshot, checksum="")
    if snapshot.checksum != sha256(msgspec.json.encode(unchecked)).hexdigest():
        raise PolicyError(
            f"checksum of {snapshot.model!r} version {snapshot.version} does not fit its content: "
            "keep the policy you have and wait for the next one"
        )
    if why := _unusable(unchecked):
        raise PolicyError(
            f"{snapshot.model!r} version {snapshot.version} is not what a worker publishes, {why}: keep the policy you "
            "have, and see who may write the topic"
        )
    return unchecked


def _unusable(snapshot: PolicySnapshot) -> str | None:
    """Return why nothing can be decided by a snapshot, or None."""
    for table in (snapshot.bandit, snapshot.inverse_kinematics):
        if table is not None:
            if len(table.indices) != len(table.values):
                return f"{len(table.indices)} indices of {len(table.values)} weights"
            if not _ascends(table.indices):
                return "indices do not ascend"
            if table.indices and table.indices[-1] >> snapshot.bits:
                return f"the index {table.indices[-1]} is beyond its {snapshot.bits} bits"
    if isinstance(snapshot.in_doubt, InDoubt) and not _ascends(snapshot.in_doubt.features):
        return "the features in doubt do not ascend"
    if why := snapshot.exploration.impossible():
        return why
    return None


def _ascends(numbers: list[int]) -> bool:
    return len(numbers) < 2 or bool((np.diff(np.array(numbers, dtype=np.int64)) > 0).all())


class Policy:
    """Decides by a snapshot; without one, uniformly at random."""

    def __init__(self, snapshot: PolicySnapshot | None) -> None:
        self.version = 0 if snapshot is None else snapshot.version
        self._recipe: PolicySnapshot | None = None
        self._doubtful: frozenset[int] = frozenset()
        self._floor = 0.0
        if snapshot is not None:
            # All but the weights, which take a third of the memory as a table.
            self._recipe = msgspec.structs.replace(snapshot, bandit=Weights([], []), inverse_kinematics=None)
            self._weights = WeightTable(snapshot.bandit.indices, snapshot.bandit.values, snapshot.bits)
            if isinstance(snapshot.in_doubt, InDoubt):
                self._doubtful, self._floor = frozenset(snapshot.in_doubt.features), snapshot.in_doubt.floor

    @classmethod
    def uniform(cls) -> Self:
        """Return the policy to act by until a snapshot arrives."""
        return cls(None)

    def scores(self, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> list[float]:
        """Return the predicted reward of each action."""
        if self._recipe is None:
            return [0.0] * len(actions)
        return self._scores(context_features(context, self._recipe.context_crosses), actions)

    def probabilities(self, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> list[float]:
        """Return the probability with which to show each action: log that of the one shown."""
        if self._recipe is None:
            return [1 / len(actions)] * len(actions)
        features = context_features(context, self._recipe.context_crosses)
        found = exploration.probabilities(self._scores(features, actions), self._recipe.exploration)
        in_doubt = self._doubtful and any(key in self._doubtful for key, _ in features)
        return exploration.raised(found, self._floor) if in_doubt else found

    def greedy(self, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> list[float]:
        """Return the probabilities without exploration, ties averaged."""
        return exploration.greedy(self.scores(context, actions))

    def _scores(self, features: Sequence[Feature], actions: Sequence[Action]) -> list[float]:
        assert self._recipe is not None
        return self._weights.scores(active_features(self._recipe, features), actions)


def active_features(snapshot: PolicySnapshot, features: Sequence[Feature]) -> Sequence[Feature]:
    """Return those of a context's features, the constant first, by which this policy decides."""
    if len(features) > 1 and not snapshot.shared_weights:
        beside_numbers = snapshot.constant_beside_numbers is True and any(value != 1.0 for _, value in features)
        if not beside_numbers:
            return features[1:]
    return features
