"""The rewards of a stretch in columns: each is made when it is asked for, and written without being kept.

A worker makes millions that nobody looks at, and what is counted of them are a few columns.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, repeat
from typing import Final, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from groundswell.events import Doubt, Interaction, Reward, RewardState
from processors.learners import kernel_columns, three_state
from processors.wire.envelopes import Envelope

DOUBTS: Final[Mapping[float, Doubt | None]] = {
    three_state.SURE: None,
    three_state.NO_ANCHOR: "no_definite_signal",
    three_state.NO_INFORMATION: "uninformative_feedback",
    three_state.NO_INDIFFERENCE: "no_indifference",
    three_state.UNDETERMINED: "undetermined_signal",
    three_state.NOT_SAID: "undetermined_signal",
}
"""Why a state is unknown."""
_BY_CODE: Final = np.array([DOUBTS[code] for code in range(len(DOUBTS))], dtype=object)
_STATES: Final = np.array([-1, 0, 1, None], dtype=object)
_UNKNOWN: Final = 3
"""The place of an unknown state among them."""
_encode_lines: Final = msgspec.json.Encoder().encode_lines


@dataclass(eq=False)
class RewardColumns(Sequence[Reward | None]):
    """What came of `size` interactions of a model, which had learned `version` before the first of them.

    The columns have an entry for each that has a reward, and `places` says which of the interactions it is; the others
    had too few actions, and stand as None among the rewards. `outputs` are what the step reported of each, in the
    columns of `kernel_columns.py` and, by the rule that tells how likely the states are, of `three_state.py`.
    """

    model: str
    version: int
    size: int
    places: Sequence[int]
    interactions: Sequence[Interaction | Envelope]
    actions: Sequence[str]
    signals: Sequence[str]
    weights: Sequence[float]
    thresholds: Sequence[float | None]
    outputs: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence[RewardColumns]) -> RewardColumns:
        """Return what came of stretches that follow one another."""
        first = parts[0]
        if len(parts) == 1:
            return first
        return cls(
            first.model,
            first.version,
            sum(one.size for one in parts),
            _places(parts),
            list(chain.from_iterable(one.interactions for one in parts)),
            list(chain.from_iterable(one.actions for one in parts)),
            list(chain.from_iterable(one.signals for one in parts)),
            list(chain.from_iterable(one.weights for one in parts)),
            list(chain.from_iterable(one.thresholds for one in parts)),
            np.concatenate([one.outputs for one in parts]),
        )

    @cached_property
    def states(self) -> list[RewardState | None]:
        """The inferred states, None where data cannot tell."""
        named: list[RewardState | None] = _STATES[self._state_places].tolist()
        return named

    @cached_property
    def _state_places(self) -> NDArray[np.int64]:
        """Of each state its place among `_STATES`."""
        places: NDArray[np.int64] = self.outputs[:, kernel_columns.STATE].astype(np.int64) + 1
        if _has_doubt(self.outputs):
            places[self.outputs[:, three_state.DOUBT] != three_state.SURE] = _UNKNOWN
        return places

    def counted(self) -> dict[tuple[str, RewardState | None], int]:
        """Return how often each signal came with each state, where it did."""
        number_of = {signal: number for number, signal in enumerate(dict.fromkeys(self.signals))}
        numbers = np.array([number_of[signal] for signal in self.signals], dtype=np.int64)
        counts = np.bincount(len(_STATES) * numbers + self._state_places, minlength=len(_STATES) * len(number_of))
        pairs = [(signal, state) for signal in number_of for state in _STATES.tolist()]
        return {pair: count for pair, count in zip(pairs, counts.tolist(), strict=True) if count}

    @property
    def rewards(self) -> NDArray[np.float64]:
        """What the bandit was trained on, of each that has a reward."""
        amounts: NDArray[np.float64] = self.outputs[:, kernel_columns.REWARD]
        return amounts

    @property
    def probabilities(self) -> NDArray[np.float64] | None:
        """The probabilities of the states -1, 0 and +1, a row each; None where the rule has none."""
        return self.outputs[:, three_state.MINUS : three_state.PLUS + 1] if _has_doubt(self.outputs) else None

    @cached_property
    def doubts(self) -> list[Doubt | None]:
        """Why the state is unknown, None where it is known."""
        if not _has_doubt(self.outputs):
            return [None] * len(self.outputs)
        named: list[Doubt | None] = _BY_CODE[self.outputs[:, three_state.DOUBT].astype(np.int64)].tolist()
        return named

    @property
    def uninformed(self) -> NDArray[np.bool_]:
        """Whether feedback told nothing then."""
        if not _has_doubt(self.outputs):
            return np.zeros(len(self.outputs), dtype=np.bool_)
        told_nothing: NDArray[np.bool_] = self.outputs[:, three_state.DOUBT] == three_state.NO_INFORMATION
        return told_nothing

    def encoded(self) -> Iterator[tuple[bytes, bytes]]:
        """Return the key and the JSON of each reward that there is, once."""
        made = list(self._made(slice(None)))
        # All at once is quicker by a quarter. In JSON a line's end is escaped, so that none is torn apart.
        lines = _encode_lines(made).split(b"\n")
        lines.pop()
        return zip([one.impression_id.encode() for one in made], lines, strict=True)

    def __len__(self) -> int:
        """Return how many interactions there were."""
        return self.size

    def __iter__(self) -> Iterator[Reward | None]:
        """Yield the reward of each interaction."""
        made = self._made(slice(None))
        if len(self.places) == self.size:
            yield from made
            return
        rewarded = set(self.places)
        for place in range(self.size):
            yield next(made) if place in rewarded else None

    @overload
    def __getitem__(self, place: int) -> Reward | None: ...
    @overload
    def __getitem__(self, place: slice) -> list[Reward | None]: ...
    def __getitem__(self, place: int | slice) -> Reward | list[Reward | None] | None:
        if isinstance(place, slice):
            return list(self._made(place)) if len(self.places) == self.size else list(self)[place]
        place = range(self.size)[place]
        row = bisect_left(self.places, place)
        if row == len(self.places) or self.places[row] != place:
            return None
        return next(self._made(slice(row, row + 1)))

    def __eq__(self, other: object) -> bool:
        """Say whether the rewards are the same as those of another sequence."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as lists

    def _made(self, part: slice) -> Iterator[Reward]:
        """Make the rewards of these rows."""
        outputs, interactions, places = self.outputs[part], self.interactions[part], self.places[part]
        _, amounts, posteriors = outputs[:, kernel_columns.REPORTED].T.tolist()
        probabilities = [None] * len(outputs)
        if _has_doubt(outputs):
            probabilities = outputs[:, three_state.MINUS : three_state.PLUS + 1].tolist()
        shown = [one.impression for one in interactions]
        seen = [self.version + place for place in places]
        # In columns, and by position in the order of the fields: by name it takes eight times as long to make one.
        return map(
            Reward,
            repeat(1, len(shown)),
            [one.impression_id for one in shown],
            repeat(self.model),
            [one.occurred_at for one in shown],
            [one.source for one in interactions],
            self.actions[part],
            self.signals[part],
            self.states[part],
            amounts,
            posteriors,
            self.weights[part],
            seen,
            seen,
            self.thresholds[part],
            probabilities,
            [one.policy_version for one in shown],
            self.doubts[part],
        )


def _places(parts: Sequence[RewardColumns]) -> Sequence[int]:
    """Return the places of all parts, counted from the beginning of the first."""
    if all(len(one.places) == one.size for one in parts):
        return range(sum(one.size for one in parts))
    first = parts[0].version
    return [one.version - first + place for one in parts for place in one.places]


def _has_doubt(outputs: NDArray[np.float64]) -> bool:
    """Say whether the rule whose outputs these are tells how likely the states are, and when it cannot tell."""
    return int(outputs.shape[1]) > kernel_columns.OUTPUTS
