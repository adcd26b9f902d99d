"""What each signal is worth: the log odds of satisfied against not where it came, by segment, with an interval.

What is asked is P = P(r = +1 | y), r the state and y the signal, if all actions were shown alike. Under the policy
that happened to show it, even an accidental dislike soon comes from what people enjoy, since nothing else is shown:
that would say what the policy does, not what the signal means, and change with it. So each play i counts by its
importance weight w_i = 1/(K p), and by how long ago it was, f_i:

    P = sum(f w q) / sum(f w),    q_i = P(r_i = +1 | x_i, a_i, y_i) as it was decoded,
    n = sum(f w)^2 / sum((f w)^2)                                                     (Kish 1965)

Two things are not known. One is chance, of n plays: Wilson's bounds (1927), 95 %. The other is the decoder, which errs
in one direction for all plays of a signal, however many they are: likelihoods grow as z-scores and know no truth. Its
odds are taken to be off by a factor of e^d at the most (`OFF`; more where next to no `none` comes, `OFF_WITHOUT_NONE`):

    P- = sum(f w s(logit q - d)) / sum(f w),   P+ with + d,   s the logistic function;
    the interval is Wilson's lower bound at (P-, n) to his upper one at (P+, n), as log odds.

So it is wide where each play is in doubt and narrow where plays are decoded for sure, although they differ: where half
of the people mean joy by a signal, P is .5 and known well. `groundswell evaluate worth` measures how often the truth
of simulated people lies within; d is what it takes there, on people that d was not chosen on.

Early plays are decoded badly: f falls with a power of the share of plays that came since, (t_i / t)^4 (polynomial-decay
averaging: Shamir & Zhang 2013), so that always about the last fifth counts, and 20,000 plays at the most. It falls in
steps of `BLOCK` plays, and each sum is that of its plays in order: the result does not depend on how they were cut.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from typing import Annotated, Any, Final, Self

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from groundswell.worth import Worth, WorthDoubt
from processors.learners import reward_rules, three_state
from processors.learners.worth_sums import ALL, SQUARED, SUMS, WEIGHT, add_plays
from processors.models.config import ModelConfig
from processors.wire.packed_arrays import packed, unpacked
from processors.wire.plain_state import Amount, Count, read_as, require

BLOCK: Final = 250
"""Plays between two fadings."""
MEMORY: Final = 20_000
"""Plays after which one counts 1/e of the newest, at the latest."""
POWER: Final = 3.0
OFF: Final = 3.0
"""Log odds by which decoded states may be wrong in one direction."""
OFF_WITHOUT_NONE: Final = 4.5
Z: Final = 1.96
"""Of the normal distribution: 95 % lie within so many standard deviations."""
MOST_SAID: Final = 4.6
"""Log odds beyond which nothing is bounded: 99 to 1."""
FEWEST: Final = 10.0
"""Effective plays below which no number is given."""
MOST_UNSURE: Final = 0.25
"""Share of plays without a likeliest state from which on the signal is undetermined."""
MOST_UNINFORMED: Final = 0.25
"""Share of plays that were decoded while feedback told nothing, from which on no number is given: it would be that of
what was presumed."""
MOST_ASSUMED: Final = 0.25
"""Share of plays whose state the decoder was told, or assumed, from which on nothing was learned of a signal: no play
that it judges is ever certain."""
MOST_SIGNALS, MOST_SEGMENTS = 50, 52
MOST_ROWS: Final = 500
"""Of a table, the commonest; the signals over all segments are always among them."""
NO_SEGMENTS: Final = np.zeros(0, dtype=np.int64)


class WorthState(msgspec.Struct):
    """What `SignalWorth.state` holds; the sums are checked by how many signals and segments there are."""

    blocks: Count
    definite: bool
    off: Annotated[float, msgspec.Meta(ge=0.0, le=OFF_WITHOUT_NONE)]
    signals: list[tuple[str, Count]]
    segments: list[str]
    sums: Any
    plays: Annotated[int, msgspec.Meta(ge=0, lt=BLOCK)]
    newcomers: list[tuple[str, Amount]]


class SignalWorth:
    """Sums over the plays of one model, of a bounded number of signals and segments, whatever comes.

    Where there is no room, the commonest newcomer of a block takes the place of the rarest signal, if it came more
    often than that.
    """

    def __init__(self, model: ModelConfig) -> None:
        self._model = model
        self._blocks = 0
        self._plays = 0
        """Since the last fading: fewer than `BLOCK`."""
        self._newcomers: dict[str, float] = {}
        """The weights, since then, of signals for which there is no room."""
        self._definite = False
        self._off = OFF
        self._signals: dict[str, int] = {}
        self._segments: dict[str, int] = {}
        self._sums = np.zeros((MOST_SIGNALS, 1, SUMS))

    def add(
        self,
        signals: Sequence[str],
        segments: Sequence[str] | None,
        probabilities: ArrayLike,
        uninformed: ArrayLike,
        weights: Sequence[float],
    ) -> None:
        """Take in plays in order: signals, segments if there are any, P(-1, 0, +1), whether feedback told nothing then,
        importance weights."""
        count = len(signals)
        states = np.ascontiguousarray(probabilities, dtype=np.float64)
        nothing_told = np.asarray(uninformed, dtype=np.bool_)
        importance = np.array(weights, dtype=np.float64)
        begin = 0
        while begin < count:
            part = slice(begin, begin + BLOCK - self._plays)
            self._add(
                signals[part],
                None if segments is None else segments[part],
                states[part],
                nothing_told[part],
                importance[part],
            )
            begin = part.stop
            if self._plays == BLOCK:
                self._end_block()

    def _add(
        self,
        signals: Sequence[str],
        segments: Sequence[str] | None,
        states: NDArray[np.float64],
        uninformed: NDArray[np.bool_],
        weights: NDArray[np.float64],
    ) -> None:
        """Add plays between two fadings to the sums."""
        row_of = {signal: self._row(signal) for signal in dict.fromkeys(signals)}
        rows = np.array([row_of[signal] for signal in signals], dtype=np.int64)
        columns = NO_SEGMENTS
        if segments is not None:
            column_of = {segment: self._column(segment) for segment in dict.fromkeys(segments)}
            columns = np.array([column_of[segment] for segment in segments], dtype=np.int64)
        add_plays(self._sums, rows, columns, states, uninformed, weights, math.exp(self._off))
        for place in np.flatnonzero(rows < 0).tolist():
            newcomer = signals[place]
            self._newcomers[newcomer] = self._newcomers.get(newcomer, 0.0) + float(weights[place])
        self._plays += len(signals)

    def _row(self, signal: str) -> int:
        row = self._signals.get(signal, -1)
        if row < 0 and len(self._signals) < MOST_SIGNALS:
            row = self._signals[signal] = len(self._signals)
            self._know(signal)
        return row

    def _know(self, signal: str) -> None:
        kind = reward_rules.anchor(self._model, signal)
        self._definite = self._definite or kind in {three_state.ANCHORED, three_state.OPPOSITE}

    def _column(self, segment: str) -> int:
        column = self._segments.get(segment, -1)
        if column < 0 and len(self._segments) < MOST_SEGMENTS:
            column = self._segments[segment] = len(self._segments) + 1
            self._sums = np.concatenate((self._sums, np.zeros((MOST_SIGNALS, 1, SUMS))), axis=1)
        return column

    def _end_block(self) -> None:
        """Let a common newcomer in, let all that was so far count less, and see whether `none` comes."""
        if self._newcomers:
            newcomer, weight = min(self._newcomers.items(), key=lambda one: (-one[1], one[0]))
            rarest = min(self._signals, key=lambda one: (self._sums[self._signals[one], ALL, WEIGHT], one))
            row = self._signals[rarest]
            if self._sums[row, ALL, WEIGHT] < weight:
                del self._signals[rarest]
                self._signals[newcomer] = row
                self._sums[row] = 0.0
                self._know(newcomer)
        self._plays, self._newcomers, self._blocks = 0, {}, self._blocks + 1
        kept = 1.0 - max(BLOCK / MEMORY, (POWER + 1.0) / (self._blocks + POWER + 1.0))
        self._sums *= kept
        self._sums[:, :, SQUARED] *= kept
        weights = self._sums[:, ALL, WEIGHT]
        none = sum(
            weights[row] for signal, row in self._signals.items() if self._kind(signal) == three_state.INDIFFERENT
        )
        self._off = OFF if none >= three_state.RARE * weights.sum() else OFF_WITHOUT_NONE

    def _kind(self, signal: str) -> int:
        return reward_rules.anchor(self._model, signal)

    def rows(self, others: Sequence[SignalWorth] = (), left_out: Container[str] = ()) -> tuple[list[Worth], int]:
        """Return the rows of the table, and how many there is no room for.

        `others` are what the other shards of the model saw: their sums are added. Of the signals `left_out`, which were
        found to tell the action, no number is given: it would be what they were wrongly taken for before.
        """
        sums: dict[tuple[str | None, str], NDArray[np.float64]] = {}
        shards = (self, *others)
        for shard in shards:
            for key, row in shard._named():
                sums[key] = sums[key] + row if key in sums else row
        whole: dict[str | None, float] = {}
        for (segment, _), row in sums.items():
            whole[segment] = whole.get(segment, 0.0) + float(row[WEIGHT])
        definite = any(one._definite for one in shards)
        wide = any(one._off > OFF for one in shards)
        ordered = sorted(
            sums.items(), key=lambda one: (one[0][0] is not None, -one[1][WEIGHT], one[0][0] or "", one[0][1])
        )
        rows = [
            self._worth(
                signal,
                segment,
                row,
                float(row[WEIGHT]) / whole[segment],
                left_out=signal in left_out,
                definite=definite,
                wide=wide,
            )
            for (segment, signal), row in ordered[:MOST_ROWS]
        ]
        return rows, max(0, len(ordered) - MOST_ROWS)

    def _named(self) -> list[tuple[tuple[str | None, str], NDArray[np.float64]]]:
        columns: list[tuple[str | None, int]] = [(None, ALL), *self._segments.items()]
        return [
            ((segment, signal), self._sums[row, column])
            for signal, row in self._signals.items()
            for segment, column in columns
            if self._sums[row, column, SQUARED] > 0.0  # which fades to nothing before the weight does
        ]

    def _worth(
        self,
        signal: str,
        segment: str | None,
        row: NDArray[np.float64],
        share: float,
        *,
        left_out: bool,
        definite: bool,
        wide: bool,
    ) -> Worth:
        weight, squared, satisfied, less, more, unsure, assumed, uninformed = row.tolist()
        plays = weight * weight / squared
        doubt: WorthDoubt | None = "no_indifference" if wide else None
        if self._kind(signal) != three_state.OTHER:
            doubt = "by_definition"
        elif left_out:
            doubt = "tells_action"
        elif not definite:
            doubt = "no_definite_signal"
        elif uninformed > MOST_UNINFORMED * weight:
            doubt = "uninformative_feedback"
        elif assumed > MOST_ASSUMED * weight:
            doubt = "stands_for_none"
        elif plays < FEWEST:
            doubt = "few"
        elif unsure > MOST_UNSURE * weight:
            doubt = "undetermined_signal"
        log_odds = low = high = None
        if doubt in {None, "no_indifference"}:
            log_odds = round(logit(satisfied / weight), 4)
            low = lower(logit(wilson(less / weight, plays, -1)))
            high = upper(logit(wilson(more / weight, plays, 1)))
        return Worth(
            signal=signal,
            segment=segment,
            log_odds=log_odds,
            low=low,
            high=high,
            plays=round(plays, 1),
            share=round(min(share, 1.0), 6),
            doubt=doubt,
        )

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments that were met."""
        return tuple(self._segments)

    def state(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "blocks": self._blocks,
            "plays": self._plays,
            "newcomers": list(self._newcomers.items()),
            "definite": self._definite,
            "off": self._off,
            "signals": list(self._signals.items()),
            "segments": list(self._segments),
            "sums": packed(self._sums[: len(self._signals)]),
        }

    @classmethod
    def restore(cls, model: ModelConfig, state: Mapping[str, Any]) -> Self:
        """Return one that goes on as the one whose `state()` this is, to the bit. Raises `MalformedError`."""
        found, what = cls(model), f"what the signals of model {model.name!r} are worth"
        read = read_as(WorthState, state, what)
        found._blocks, found._definite, found._off = read.blocks, read.definite, read.off
        found._plays, found._newcomers = read.plays, dict(read.newcomers)
        found._signals = dict(read.signals)
        found._segments = {segment: number + 1 for number, segment in enumerate(read.segments)}
        count, segments = len(read.signals), len(read.segments)
        one_row_each = len(found._signals) == count <= MOST_SIGNALS
        one_row_each = one_row_each and sorted(found._signals.values()) == list(range(count))
        require(one_row_each, f"{what}: its {count} signals have not a row each")
        require(len(found._segments) == segments <= MOST_SEGMENTS, f"{what}: its {segments} segments are not different")
        sums = unpacked(read.sums, np.float64, (count, segments + 1, SUMS), f"{what}, sums", signed=False)
        found._sums = np.zeros((MOST_SIGNALS, segments + 1, SUMS))
        found._sums[:count] = sums
        return found


def wilson(share: float, plays: float, side: int) -> float:
    """Return the lower (`side` -1) or upper (1) bound of a share that was seen in so many plays (Wilson 1927)."""
    centre = share + Z * Z / (2.0 * plays)
    margin = Z * math.sqrt(max(share * (1.0 - share), 0.0) / plays + Z * Z / (4.0 * plays * plays))
    return (centre + side * margin) / (1.0 + Z * Z / plays)


def logit(share: float) -> float:
    """Return the log odds of a share."""
    kept = min(max(share, 1e-9), 1.0 - 1e-9)
    return math.log(kept / (1.0 - kept))


def lower(log_odds: float) -> float | None:
    """Return a lower bound, None where there is none that means anything."""
    return None if log_odds < -MOST_SAID else round(min(log_odds, MOST_SAID), 4)


def upper(log_odds: float) -> float | None:
    """Return an upper bound, None where there is none that means anything."""
    return None if log_odds > MOST_SAID else round(max(log_odds, -MOST_SAID), 4)
