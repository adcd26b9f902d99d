"""Records of events that are surely fine, found out of many at once and without an object for anything in them.

Of the others nothing is said: a decoder has to tell what is wrong with them, or that nothing is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from groundswell.events import (
    LARGEST_WEIGHT,
    LATEST,
    LEAST_PROPENSITY,
    LEAST_WEIGHT,
    LIKELY_SECONDS,
    MAX_FEATURES,
    NONE_SIGNAL,
    SCHEMA_VERSION,
    DecisionSlot,
    bad_propensity,
)
from processors.admission.bounds import MAX_CONTEXT_FEATURES, MAX_CROSSES, MAX_FEEDBACK_BYTES, MAX_IMPRESSION_BYTES
from processors.features.action_set_texts import ActionSetTexts
from processors.features.cross_counts import count_crosses_of
from processors.join.entries import BEFORE_TIME, ObservedFeedback, ShownImpression
from processors.models.config import ModelConfig
from processors.wire import member_columns
from processors.wire.envelopes import UNREADABLE
from processors.wire.evidence import NO_EVIDENCE
from processors.wire.laid_out import LaidOut, laid_out
from processors.wire.log_records import LogRecord
from processors.wire.object_members import (
    FEATURES,
    NUMBER,
    NUMBERS,
    OBJECT,
    OBJECTS,
    TEXT,
    TRUTH,
    WHOLE_NUMBER,
    Member,
    ObjectMembers,
)

IDENTIFIER, NAME = 256, 128
"""The bytes that texts may have for their characters to be surely no more than the contract allows."""
IMPRESSION: Final = ObjectMembers([
    Member("schema_version", WHOLE_NUMBER),
    Member("impression_id", TEXT, IDENTIFIER),
    Member("occurred_at", WHOLE_NUMBER),
    Member("model", TEXT, NAME),
    Member("context", FEATURES, MAX_FEATURES),
    Member("actions", OBJECTS),
    Member("chosen", WHOLE_NUMBER),
    Member("probabilities", NUMBERS, required=False, may_be_null=True),
    Member("propensity", NUMBER, required=False, may_be_null=True),
    Member("policy_version", WHOLE_NUMBER, required=False, may_be_null=True),
    Member("weight", NUMBER, required=False),
    Member("deferred", TRUTH, required=False),
    Member("decision", OBJECT, 3, required=False, may_be_null=True),
])  # fmt: skip
FEEDBACK: Final = ObjectMembers([
    Member("schema_version", WHOLE_NUMBER),
    Member("impression_id", TEXT, IDENTIFIER),
    Member("feedback_id", TEXT, IDENTIFIER),
    Member("occurred_at", WHOLE_NUMBER),
    Member("signal", TEXT, NAME),
    Member("value", NUMBER, required=False, may_be_null=True),
])  # fmt: skip
"""`groundswell.events.Impression` and `Feedback`."""

T = TypeVar("T")

_slot: Final = msgspec.json.Decoder(DecisionSlot)


class Found(NamedTuple, Generic[T]):
    """What records are, and of which that is sure; what is made of the others means nothing."""

    fine: NDArray[np.bool_]
    made: Sequence[T]


class _Columns:
    """The members of some records, and what holds for impressions and feedback alike."""

    def __init__(self, records: Sequence[LogRecord], members: ObjectMembers, max_bytes: int, max_ahead_ms: int) -> None:
        self.values = [record.value or b"" for record in records]
        self.laid = laid_out(self.values)
        self._rows, self._places = members.rows, members.find(self.laid)
        self.occurred_at = self.whole_numbers("occurred_at")
        timestamps = np.fromiter([record.timestamp for record in records], np.int64, len(records))
        self.ahead = self.occurred_at - timestamps
        self.fine = (
            self._places.sure
            & (np.diff(self.laid.ends, prepend=0) <= max_bytes)
            & (self.whole_numbers("schema_version") == SCHEMA_VERSION)
            & (self.occurred_at <= LATEST)
            & ((self.occurred_at < LIKELY_SECONDS.start) | (self.occurred_at >= LIKELY_SECONDS.stop))
            & (self.ahead <= max_ahead_ms)
            & (timestamps >= 0)  # or the difference may be beyond 64 bits
            & member_columns.same_as([record.key or b"" for record in records], *self.at("impression_id"))
        )
        self.offsets = [record.offset for record in records]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many features the contexts have."""
        return self._places.counts

    def at(self, name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """Return the bytes of all, and where a member lies in them."""
        row = self._rows[name]
        return self.laid.whole, self._places.begin[row], self._places.end[row]

    def there(self, name: str) -> NDArray[np.bool_]:
        """Return where a member is there."""
        found: NDArray[np.bool_] = self._places.begin[self._rows[name]] >= 0
        return found

    def value(self, name: str, row: int) -> bytes:
        """Return the JSON of a member that is there."""
        whole, begin, end = self.at(name)
        return whole[begin[row] : end[row]].tobytes()

    def texts(self, name: str) -> list[str]:
        """Return the texts of a member."""
        return member_columns.texts(*self.at(name))

    def whole_numbers(self, name: str) -> NDArray[np.int64]:
        """Return the whole numbers of a member, 0 where it is not there."""
        return member_columns.whole_numbers(*self.at(name))

    def numbers(self, name: str, otherwise: float) -> NDArray[np.float64]:
        """Return the numbers of a member."""
        there = self.there(name)
        if not there.any():
            return np.full(len(there), otherwise)
        return np.where(there, member_columns.numbers(*self.at(name)), otherwise)


class _Finder(ABC, Generic[T]):
    """Finds what is surely fine; of nothing it is sure where that raises."""

    def find(self, records: Sequence[LogRecord]) -> Found[T | None]:
        """Return what the records are."""
        try:
            return self._find(records)
        except NO_EVIDENCE:
            raise
        except Exception:
            self._forget()
            return nothing(records)

    @abstractmethod
    def _find(self, records: Sequence[LogRecord]) -> Found[T | None]: ...

    @abstractmethod
    def _forget(self) -> None:
        """Forget what may have been left halfway."""


class FineImpressions(_Finder[ShownImpression]):
    """Finds impressions that are surely fine for these models; `max_ahead_ms` is that of `Admission`."""

    def __init__(self, models: Mapping[str, ModelConfig], max_ahead_ms: int) -> None:
        self._max_ahead_ms = max_ahead_ms
        self._names = [*models, ""]
        self._names_laid_out: LaidOut = laid_out([name.encode() for name in models])
        self._crossed = np.array([*(model.context_crosses for model in models.values()), False], dtype=np.int64)
        self._forget()

    def _forget(self) -> None:
        self._offered = ActionSetTexts()

    def _find(self, records: Sequence[LogRecord]) -> Found[ShownImpression | None]:
        columns = _Columns(records, IMPRESSION, MAX_IMPRESSION_BYTES, self._max_ahead_ms)
        model = member_columns.which_of(self._names_laid_out, *columns.at("model"))
        actions, described = self._offered.count(*columns.at("actions"))
        chosen, weight = columns.whole_numbers("chosen"), columns.numbers("weight", 1.0)
        propensity = columns.numbers("propensity", 0.0)
        contexts, crosses = count_crosses_of(columns.counts, actions, described, self._crossed[model])
        fine = (
            columns.fine
            & (model >= 0)
            & (chosen < actions)
            & (weight >= LEAST_WEIGHT)
            & (weight <= LARGEST_WEIGHT)
            & (contexts <= MAX_CONTEXT_FEATURES)
            & (crosses <= MAX_CROSSES)
        )
        for row in np.flatnonzero(fine & columns.there("decision")).tolist():
            fine[row] = _is_slot(columns.value("decision", row))
        several = columns.there("probabilities")
        fine &= several | ((propensity >= LEAST_PROPENSITY) & (propensity <= 1))
        for row, probabilities in _of(fine & several, columns):
            given = float(propensity[row]) if columns.there("propensity")[row] else None
            fine[row] = bad_propensity(probabilities, given, int(chosen[row]), int(actions[row])) is None
        made = map(
            ShownImpression,
            columns.texts("impression_id"),
            columns.occurred_at.tolist(),
            [self._names[number] for number in model.tolist()],  # one string for each of them will do
            columns.offsets,
            columns.values,
            member_columns.truths(*columns.at("deferred")[:2]).tolist(),
            np.maximum(columns.ahead, 0).tolist(),
        )
        return Found(fine, list(made))


class FineFeedback(_Finder[ObservedFeedback]):
    """Finds feedback that is surely fine; `max_ahead_ms` is that of `Admission`."""

    def __init__(self, max_ahead_ms: int) -> None:
        self._max_ahead_ms = max_ahead_ms

    def _forget(self) -> None:
        """Do nothing: of feedback nothing is remembered."""

    def _find(self, records: Sequence[LogRecord]) -> Found[ObservedFeedback | None]:
        columns = _Columns(records, FEEDBACK, MAX_FEEDBACK_BYTES, self._max_ahead_ms)
        signals = columns.texts("signal")
        fine = columns.fine & np.array([signal != NONE_SIGNAL for signal in signals], dtype=np.bool_)
        made = map(
            ObservedFeedback,
            columns.texts("feedback_id"),
            columns.texts("impression_id"),
            columns.occurred_at.tolist(),
            signals,
            columns.offsets,
            columns.values,
            repeat(BEFORE_TIME),
            np.maximum(columns.ahead, 0).tolist(),
        )
        return Found(fine, list(made))


def _of(rows: NDArray[np.bool_], columns: _Columns) -> Sequence[tuple[int, list[float]]]:
    """Return the probabilities of these rows."""
    whole, begin, end = columns.at("probabilities")
    some = np.flatnonzero(rows)
    return list(zip(some.tolist(), member_columns.lists_of_numbers(whole, begin[some], end[some]), strict=True))


def _is_slot(value: bytes) -> bool:
    try:
        return bool(_slot.decode(value))
    except UNREADABLE:
        return False


def nothing(records: Sequence[LogRecord]) -> Found[Any]:
    """Return that of none of the records it is sure."""
    return Found(np.zeros(len(records), dtype=np.bool_), [None] * len(records))
