"""The policies that are asked about: each says how likely it would have shown what, on decisions in columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from groundswell import policy
from groundswell.policy import Policy, PolicyError, PolicySnapshot
from processors.evaluation.logged_decisions import Floats
from streams.evaluation.batches import Batch

MOST_REMEMBERED: Final = 50_000
"""Contexts whose probabilities are kept: people come again."""


class AskedPolicy(ABC):
    """A policy and what it is called."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def probabilities(self, batch: Batch) -> Floats:
        """Return the probability of each action of each decision (n, K), 0 where none was offered."""


class Random(AskedPolicy):
    """Shows all actions alike."""

    def __init__(self) -> None:
        super().__init__("random")

    def probabilities(self, batch: Batch) -> Floats:
        """Return 1/K of each."""
        offered = batch.decisions.offered
        shares: Floats = offered / offered.sum(axis=1, keepdims=True)
        return shares


class Snapshot(AskedPolicy):
    """A policy that was published: as it decides, its exploration included, or what it ranks first alone (`greedy`)."""

    def __init__(self, name: str, snapshot: PolicySnapshot, *, greedy: bool = False) -> None:
        super().__init__(name)
        self.snapshot = snapshot
        self._policy = Policy(snapshot)
        self._decide = self._policy.greedy if greedy else self._policy.probabilities
        self._remembered: dict[tuple[object, ...], list[float]] = {}

    def probabilities(self, batch: Batch) -> Floats:
        """Return what the policy says of each decision."""
        found = np.zeros(batch.decisions.offered.shape)
        distinct = {id(one.actions): one.actions for one in batch.impressions}  # most share one list
        featured = {key: any(action.features for action in actions) for key, actions in distinct.items()}
        for row, (impression, numbers) in enumerate(zip(batch.impressions, batch.actions, strict=True)):
            actions = impression.actions
            if featured[id(actions)]:
                found[row, : len(actions)] = self._decide(impression.context, actions)
                continue
            key = (numbers.tobytes(), len(actions), *impression.context.items())
            known = self._remembered.get(key)
            if known is None:
                if len(self._remembered) >= MOST_REMEMBERED:
                    self._remembered.clear()
                known = self._remembered[key] = self._decide(impression.context, actions)
            found[row, : len(actions)] = known
        return found


def read_snapshot(path: Path) -> PolicySnapshot:
    """Return the policy that `policy show --json` wrote to a file, or an app kept.

    Raises PolicyError where the file holds none.
    """
    content = path.read_bytes()
    try:
        unchecked = msgspec.json.decode(content, type=PolicySnapshot)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise PolicyError(
            f"{path}: holds no policy ({error}); `groundswell policy show --model NAME --json` writes one"
        ) from error
    # What was printed has no checksum any more; what was kept as it lay on the topic has.
    try:
        return policy.decode(content if unchecked.checksum else policy.encode(unchecked))
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from error
