"""What of the feedback of interactions is learned from: signals with values in buckets, and none that tell the action.

Feedback becomes the one signal that is learned from in this order:

1. Each piece with a value becomes a signal of its own by the bucket of its value, "dwell 35-65%": which quantiles of
   that signal's values it lies between (`value_quantiles.py`). Of a definite or indifferent signal it is known what it
   means, so that its values are not read.
2. Pieces of the model's `ignored_signals`, and of signals that were found to tell the action (`leaking_signals.py`),
   are taken out, as if they had not come. Where nothing else came, that is `none`; but of one that was found to come in
   the place of what else people do it stays that signal, which says nothing (`anchor`), and is not learned from.
3. What is left is reduced to one (`processors/models/signal_reduction.py`).

A definite or an indifferent signal, and one of the model's `trusted_signals`, is never taken out: that it tells the
action is said (`leaking`), and it is learned from still.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from sys import getsizeof
from typing import Any, Final, NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from groundswell.events import NONE_SIGNAL, Interaction
from groundswell.features import hashed
from processors.features.ragged_rows import Arrays
from processors.features.remembered_texts import RememberedTexts
from processors.learners import leaking_signals, reward_decoding, reward_rules, value_quantiles
from processors.models.config import ModelConfig
from processors.models.signal_reduction import reduced_signal
from processors.wire.envelopes import Envelope
from processors.wire.packed_arrays import packed, packed_rows, unpacked_rows
from processors.wire.plain_state import Count, read_as, require

NO_NUMBERS: Final = np.zeros(0, dtype=np.int64)
NO_VALUES: Final = np.zeros(0)


class Leak(NamedTuple):
    """A signal that tells the action.

    `share` is that of its variance that the action explained when it was found; `left_out` says whether it is for that.
    """

    share: float
    left_out: bool


class Piece(NamedTuple):
    """A piece of feedback."""

    signal: str
    value: float | None


@dataclass(slots=True)
class Read:
    """The feedback of some interactions as it is learned from.

    `signals` are those that are learned from, `came` has a bit for each watched signal that came, one entry an
    interaction. `pieces` has the feedback of those that brought a value, until it is in a bucket; of the values
    themselves the other columns say to which interaction and to which watched signal (or -1) they belong, and at last
    between 0 and 1 where among the values of their signal they lie.
    """

    signals: list[str] = field(default_factory=list)
    came: list[int] = field(default_factory=list)
    pieces: dict[int, list[Piece]] = field(default_factory=dict)
    places: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    quantiles: NDArray[np.float64] = field(default_factory=lambda: NO_VALUES)


class ReadingState(msgspec.Struct):
    """What `SignalReading.state` holds; the arrays are checked by whom they belong to."""

    watched: list[str]
    played: Count
    quantiles: Any
    sums: Any
    counts: Any
    value_counts: Any
    found: Any
    pace: Any
    company: Any = None


class SignalReading:
    """Reads the feedback of a model's interactions, in order.

    `learns_values` says whether values are read and leaking signals looked for: by the default rule they are.
    """

    def __init__(self, model: ModelConfig, *, learns_values: bool) -> None:
        self._model = model
        self._learns_values = learns_values
        self._anchors = model.definitely_negative or model.definitely_positive
        self._plain = RememberedTexts[int]()
        """The bit of each signal that has been met and is not taken out, 0 where it is not watched."""
        self._names = RememberedTexts[list[str]]()
        self._left_out = model.ignored_signals
        self.in_place: frozenset[str] = frozenset()
        """Of the signals that are left out, those that come in the place of other feedback."""
        self._watched: list[str] = []
        self._played = 0
        self._quantiles = np.zeros((value_quantiles.SIGNALS, value_quantiles.COLUMNS))
        self._leaks = leaking_signals.nothing_known()

    def read(self, interactions: Sequence[Interaction | Envelope]) -> Read:
        """Return their feedback; where there are values, `put_in_buckets` has to follow."""
        result, plain = Read(), self._plain
        signals, came = result.signals, result.came
        for place, one in enumerate(interactions):
            names = one.signals
            if len(names) == 1:
                feedback = one.feedback
                if not feedback or (len(feedback) == 1 and feedback[0].value is None):
                    signal = names[0]
                    bit = plain.get(signal)
                    if bit is not None:
                        signals.append(signal)
                        came.append(bit)
                        continue
            self._read_one(one, place, result)
        return result

    def _read_one(self, one: Interaction | Envelope, place: int, result: Read) -> None:
        """Read the feedback of an interaction of which not everything is known to be plain."""
        came = 0
        for signal in one.signals:
            came |= self._bit(signal)
        pieces = [Piece(piece.signal, piece.value) for piece in one.feedback if piece.signal in one.signals]
        if len(one.signals) == 1 and len(one.feedback) < 2 and not (pieces and self._has_value(pieces[0])):
            pieces = []  # what the interaction says came is taken at its word
        pieces = pieces or [Piece(signal, None) for signal in one.signals]
        if all(piece.signal in self._left_out for piece in pieces):
            came |= self._bit(NONE_SIGNAL)
        result.came.append(came)
        valued = [piece for piece in pieces if self._has_value(piece)]
        if valued:
            result.pieces[place] = pieces
            result.places += [place] * len(valued)
            result.numbers += [self._number(piece.signal) for piece in valued]
            result.signals.append("")
        else:
            result.signals.append(self._reduced(pieces, [piece.signal for piece in pieces]))

    def _has_value(self, piece: Piece) -> bool:
        return (
            self._learns_values
            and piece.value is not None
            and piece.signal not in self._model.ignored_signals
            and reward_rules.anchor(self._model, piece.signal) == reward_decoding.OTHER
        )

    def _reduced(self, pieces: Sequence[Piece], names: Sequence[str]) -> str:
        """Return the one signal that stands for pieces of feedback with these names, without those taken out."""
        left = [name for piece, name in zip(pieces, names, strict=True) if piece.signal not in self._left_out]
        if not left:
            return next((piece.signal for piece in pieces if piece.signal in self.in_place), NONE_SIGNAL)
        if len(left) == 1:
            return left[0]
        return reduced_signal(left, self._anchors, self._model.several_signals)

    def put_in_buckets(
        self, read: Read, arrays: Arrays, sets: Sequence[int], chosen: Sequence[int], weights: Sequence[float]
    ) -> None:
        """Put the values of what was read in buckets, in order, and name the signals that are learned from then.

        `sets`, `chosen` and `weights` are, of each interaction, the row of its action set, which of it was shown, and
        the importance weight.
        """
        valued = [piece for pieces in read.pieces.values() for piece in pieces if self._has_value(piece)]
        measures = self._model.value_measures
        table = np.array(
            [
                (sets[place], chosen[place], hashed(piece.signal), _hashed(measures.get(piece.signal)))
                for place, piece in zip(read.places, valued, strict=True)
            ],
            dtype=np.int64,
        )
        values = np.array([(piece.value, weights[place]) for place, piece in zip(read.places, valued, strict=True)])
        buckets = np.empty(len(valued), dtype=np.int64)
        value_quantiles.bucket_all(self._quantiles, arrays, table, values, buckets)
        read.quantiles = quantile_of(buckets)
        found = iter(buckets.tolist())
        for place, pieces in read.pieces.items():
            names = [
                self._bucket_names(piece.signal)[next(found)] if self._has_value(piece) else piece.signal
                for piece in pieces
            ]
            read.signals[place] = self._reduced(pieces, names)

    def _bucket_names(self, signal: str) -> list[str]:
        names = self._names.get(signal)
        if names is None:
            names = value_quantiles.bucket_names(signal)
            self._names.keep(signal, names, sum(map(getsizeof, names)))
        return names

    def watching(self, read: Read) -> tuple[Any, ...]:
        """Return by what it is watched which signals tell the action, and what came with a batch that is learned now.

        That is as `three_state_batch.py` takes it.
        """
        count, begin = len(read.signals), self._played
        self._played += count
        if not read.places:
            return self._leaks, begin, NO_NUMBERS, NO_NUMBERS, NO_VALUES
        starts = np.searchsorted(read.places, np.arange(count + 1))
        return self._leaks, begin, starts, np.array(read.numbers, dtype=np.int64), read.quantiles

    def decide(self) -> bool:
        """Say which signals tell the action by what was seen so far; call it every `DECIDED_EVERY` interactions.

        Return whether plays that were learned from until now turned out to say nothing.
        """
        misled = bool(leaking_signals.decide(self._leaks))
        self._take_out()
        return misled

    def anchor(self, signal: str) -> int:
        """Return what is known beforehand of a signal that is learned from, as `three_state.py` numbers it."""
        return reward_decoding.UNSAID if signal in self.in_place else reward_rules.anchor(self._model, signal)

    def _take_out(self) -> None:
        found = [name for name, leak in self.leaking.items() if leak.left_out]
        bits = leaking_signals.in_place(self._leaks) if found else 0
        self.in_place = frozenset(name for number, name in enumerate(self._watched) if bits >> number & 1)
        if (left_out := self._model.ignored_signals.union(found)) != self._left_out:
            self._left_out = left_out
            self._plain.clear()

    @property
    def leaking(self) -> Mapping[str, Leak]:
        """The signals that tell which action was shown whatever the person thinks of it."""
        found: NDArray[np.float64] = self._leaks[3]
        return {
            name: Leak(
                float(found[number, leaking_signals.SHARE]), bool(found[number, leaking_signals.MAY_BE_LEFT_OUT])
            )
            for number, name in enumerate(self._watched)
            if found[number, leaking_signals.SHARE] > 0.0
        }

    def _bit(self, signal: str) -> int:
        """Return the bit of a signal, 0 where it is not watched; keep it where nothing has to be done about it."""
        number = self._number(signal)
        bit = 0 if number < 0 else 1 << number
        if signal not in self._left_out:
            self._plain.keep(signal, bit)
        return bit

    def _number(self, signal: str) -> int:
        """Return the number of a watched signal, -1 where it is not one; the first that come are."""
        if signal in self._watched:
            return self._watched.index(signal)
        if not self._learns_values or signal in self._model.ignored_signals:
            return -1
        if len(self._watched) == leaking_signals.MOST_SIGNALS:
            return -1
        self._watched.append(signal)
        number = len(self._watched) - 1
        self._leaks[3][number, leaking_signals.MAY_BE_LEFT_OUT] = may_be_left_out(self._model, signal)
        return number

    def state(self) -> dict[str, object]:
        """Return everything as plain values."""
        sums, counts, value_counts, found, pace, company = self._leaks
        return {
            "watched": list(self._watched),
            "played": self._played,
            "quantiles": packed_rows(self._quantiles),
            "sums": packed(sums),
            "counts": packed_rows(counts),
            "value_counts": packed_rows(value_counts),
            "found": packed(found),
            "pace": packed(pace),
            "company": packed(company),
        }

    @classmethod
    def restore(cls, model: ModelConfig, state: Mapping[str, Any]) -> Self:
        """Return what goes on as the one whose `state()` this is, to the byte. Raises `MalformedError`."""
        reading, what = cls(model, learns_values=True), f"the state of model {model.name!r}, its reading of signals"
        read = read_as(ReadingState, state, what)
        most = leaking_signals.MOST_SIGNALS
        unique = len(set(read.watched)) == len(read.watched) <= most
        require(unique, f"{what}: {len(read.watched)} watched signals, where {most} different ones may be")
        reading._watched, reading._played = read.watched, read.played
        shape = (value_quantiles.SIGNALS, value_quantiles.COLUMNS)
        unsigned = (value_quantiles.COUNT, value_quantiles.DEVIATION)
        reading._quantiles = unpacked_rows(read.quantiles, shape, f"{what}, quantiles", unsigned=unsigned)
        reading._leaks = leaking_signals.restored(
            read.sums, read.counts, read.value_counts, read.found, read.pace, read.company, what
        )
        reading._take_out()
        return reading


def may_be_left_out(model: ModelConfig, signal: str) -> bool:
    """Return whether a signal is taken out where it tells the action: it is neither named nor trusted."""
    return signal not in model.trusted_signals and reward_rules.anchor(model, signal) == reward_decoding.OTHER


def quantile_of(bucket: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return where among the values of a signal a bucket lies, 0 to 1."""
    return (bucket + 0.5) / value_quantiles.BUCKETS


def _hashed(name: str | None) -> int:
    return value_quantiles.UNMEASURED if name is None else hashed(name)
