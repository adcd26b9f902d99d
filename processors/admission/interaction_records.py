"""Interactions of one batch as they are read: checked and made features of together, in columns.

What is surely fine goes without an object for anything in its context and actions. All else goes through the ordinary
decoder and `admission.unlearnable`, which alone say what is wrong, or that nothing is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Final, NamedTuple, overload

import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from groundswell.events import (
    LARGEST_WEIGHT,
    LEAST_PROPENSITY,
    LEAST_WEIGHT,
    Features,
    Interaction,
    Source,
    bad_propensity,
)
from processors.admission.bounds import MAX_CONTEXT_FEATURES, MAX_CROSSES
from processors.admission.event_records import Reason, Refusal, poison, unlearnable
from processors.features.action_set_features import ActionSetFeatures
from processors.features.action_set_texts import Offered
from processors.features.context_features import ContextFeatures, ContextRows
from processors.features.ragged_rows import Arrays
from processors.models.config import ModelConfig
from processors.wire.envelopes import UNREADABLE, Envelope, SealedImpression, decode_envelope, decode_interaction
from processors.wire.evidence import NO_EVIDENCE

NO_ENVELOPE: Final = Envelope(
    schema_version=1,
    source=Source(0, 0, 0),
    impression=SealedImpression(
        schema_version=1, impression_id="", occurred_at=0, model="", context=Raw(), actions=Raw(), chosen=0
    ),
    feedback=[],
    signals=[],
)
"""Stands where a record is not readable as an envelope; it is never fine."""


class ArrivedInteractions(NamedTuple):
    """What came in a batch, by record."""

    read: Sequence[Envelope | Interaction]
    """An envelope where it surely is fine, the whole interaction where that is needed to tell."""
    refused: Mapping[int, Refusal]
    """Why those records are refused that are; what is read there means nothing."""
    sealed: NDArray[np.bool_]
    """Where an envelope was read. The other columns say something only there."""
    arrays: Arrays
    """Their contexts and action sets; those of record i are the rows i."""
    counts: NDArray[np.int64]
    """How many actions there are."""
    features: NDArray[np.int64]
    """How many features these have together."""
    chosen: NDArray[np.int64]
    """Which of them was shown."""
    ids: Sequence[str]
    """And its id."""
    propensities: NDArray[np.float64]
    weights: NDArray[np.float64]
    """Of the impressions, as they came."""


class InteractionReader:
    """Reads interactions of some models."""

    def __init__(self, models: Mapping[str, ModelConfig]) -> None:
        self._models = models
        self._crosses = {name: model.context_crosses for name, model in models.items()}
        self._contexts, self._action_sets = ContextFeatures(), ActionSetFeatures()

    def read(self, values: Sequence[bytes | None]) -> ArrivedInteractions:
        """Return the interactions in these records. Where that raises they are read whole, one by one."""
        try:
            return self._read(values)
        except NO_EVIDENCE:
            raise
        except Exception:
            self._contexts, self._action_sets = ContextFeatures(), ActionSetFeatures()  # left halfway, perhaps
            nothing = self._read([None] * len(values))
            read, refused = self._looked_into(nothing.read, values, range(len(values)))
            return nothing._replace(read=read, refused=refused)

    def _read(self, values: Sequence[bytes | None]) -> ArrivedInteractions:
        envelopes = _envelopes(values)
        shown = [envelope.impression for envelope in envelopes]
        # 1 where contexts are crossed, 0 where not, -1 where the model is not known.
        crossed = np.array([self._crosses.get(one.model, -1) for one in shown], dtype=np.int8)
        contexts = self._contexts.rows([one.context for one in shown], crossed == 1, MAX_CONTEXT_FEATURES)
        sets = self._action_sets.find([one.actions for one in shown])
        chosen = np.array([one.chosen for one in shown], dtype=np.int64)
        weights = np.array([one.weight for one in shown])
        propensities = _propensities(shown, sets.actions.tolist())
        fine = (
            (crossed >= 0)
            & contexts.fine
            & (chosen < sets.actions)
            & (contexts.most * (sets.actions + sets.features) <= MAX_CROSSES)
            & (propensities >= LEAST_PROPENSITY)
            & (propensities <= 1)
            & (weights >= LEAST_WEIGHT)
            & (weights <= LARGEST_WEIGHT)
        )
        read, refused = self._looked_into(envelopes, values, np.flatnonzero(~fine).tolist())
        ids = self._ids(sets, chosen, fine)
        arrays = self._arrays(contexts, sets)
        return ArrivedInteractions(
            read, refused, fine, arrays, sets.actions, sets.features, chosen, ids, propensities, weights
        )

    def _looked_into(
        self, envelopes: Sequence[Envelope | Interaction], values: Sequence[bytes | None], doubtful: Sequence[int]
    ) -> tuple[list[Envelope | Interaction], dict[int, Refusal]]:
        """Put whole interactions in the place of doubtful envelopes; return also why those are refused that are."""
        read: list[Envelope | Interaction] = list(envelopes)
        refused = {}
        for row in doubtful:
            whole = self._whole(values[row])
            if isinstance(whole, Refusal):
                refused[row] = whole
            else:
                read[row] = whole
        return read, refused

    def _whole(self, value: bytes | None) -> Interaction | Refusal:
        try:
            interaction = decode_interaction(value or b"")
            return unlearnable(interaction.impression, self._models) or interaction
        except UNREADABLE as error:
            return Refusal(Reason.SCHEMA, str(error))
        except NO_EVIDENCE:
            raise
        except Exception as error:
            return poison(error)

    def _arrays(self, contexts: ContextRows, sets: Offered) -> Arrays:
        actions = self._action_sets.actions
        return (
            contexts.start, contexts.hashes, contexts.values, sets.start, sets.numbers.astype(np.uint32),
            actions.start, actions.keys, actions.values,
        )  # fmt: skip

    def _ids(self, sets: Offered, chosen: NDArray[np.int64], fine: NDArray[np.bool_]) -> list[str]:
        """Return the id of the chosen action of each set that is fine, any text for the others."""
        ids = self._action_sets.ids
        numbers = np.zeros(len(fine), dtype=np.int64)
        numbers[fine] = sets.numbers[sets.start[:-1][fine] + chosen[fine]]
        return [ids[number] for number in numbers.tolist()] if ids else [""] * len(fine)


def _envelopes(values: Sequence[bytes | None]) -> list[Envelope]:
    try:
        return [decode_envelope(value or b"") for value in values]
    except UNREADABLE:  # it takes less than looking out for it at each
        return [_envelope(value) for value in values]


def _envelope(value: bytes | None) -> Envelope:
    try:
        return decode_envelope(value or b"")
    except UNREADABLE:
        return NO_ENVELOPE


def _propensities(shown: Sequence[SealedImpression], counts: Sequence[int]) -> NDArray[np.float64]:
    """Return the propensities of the chosen actions, NaN where none is given or what is contradicts itself."""
    propensities = np.array([one.propensity for one in shown], dtype=np.float64)
    for row in [row for row, one in enumerate(shown) if one.probabilities is not None]:
        one, count = shown[row], counts[row]
        consistent = one.chosen < count and not bad_propensity(one.probabilities, one.propensity, one.chosen, count)
        propensities[row] = one.chosen_propensity if consistent else np.nan
    return propensities


class Stretch(Sequence[Interaction]):
    """Some of the interactions of a batch that can be learned, in order. Each is opened when it is asked for."""

    def __init__(self, arrivals: ArrivedInteractions, rows: Sequence[int]) -> None:
        self.arrivals = arrivals
        self.rows = rows

    @property
    def read(self) -> list[Envelope | Interaction]:
        """The interactions as they were read."""
        read = self.arrivals.read
        return [read[row] for row in self.rows]

    @cached_property
    def contexts(self) -> list[Features]:
        """Their contexts; they are decoded once, however many ask."""
        return [one.context if isinstance(one, Envelope) else one.impression.context for one in self.read]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> Interaction: ...
    @overload
    def __getitem__(self, place: slice) -> Stretch: ...
    def __getitem__(self, place: int | slice) -> Interaction | Stretch:
        if isinstance(place, slice):
            return Stretch(self.arrivals, self.rows[place])
        one = self.arrivals.read[self.rows[place]]
        return one.opened() if isinstance(one, Envelope) else one

    def runs(self) -> Iterator[tuple[bool, Stretch]]:
        """Divide it where envelopes and whole interactions meet; say of each part whether it is of envelopes."""
        sealed = self.arrivals.sealed[self.rows]
        ends = [*(np.flatnonzero(sealed[1:] != sealed[:-1]) + 1).tolist(), len(sealed)]
        for begin, end in pairwise([0, *ends]):
            yield bool(sealed[begin]), self[begin:end]


def contexts(interactions: Sequence[Interaction]) -> list[Features]:
    """Return the contexts of interactions; of a stretch nothing else of them is opened."""
    if isinstance(interactions, Stretch):
        return interactions.contexts
    return [one.impression.context for one in interactions]


def signals(interactions: Sequence[Interaction]) -> list[list[str]]:
    """Return the signals of interactions; of a stretch nothing is opened."""
    read: Sequence[Envelope | Interaction] = interactions.read if isinstance(interactions, Stretch) else interactions
    return [one.signals for one in read]
