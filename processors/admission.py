"""What is let in: raw records become impressions and feedback, or are refused with a reason.

A refusal never raises: a log holds whatever producers write, and the good records beside a bad one must live.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from sys import intern
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from processors.events import (
    MAX_ACTIONS,
    Features,
    Feedback,
    Identifier,
    Impression,
    Watermark,
    contradiction,
)
from processors.features import count_crosses
from processors.join import ObservedFeedback, ShownImpression
from processors.model import ModelConfig

MAX_IMPRESSION_BYTES = 600_000
MAX_FEEDBACK_BYTES = 4_096
"""The largest values let in. An interaction carries an impression with all its feedback
(`join.MAX_FEEDBACK` pieces), and must stay below the 1 MB that brokers take by default."""
MAX_CONTEXT_FEATURES, MAX_CROSSES = 2_000, 2_000_000
"""The most that is learned from one impression: a few tens of milliseconds' work."""
FEW = 14
"""With so many context features, crossed with one another, and so many actions that have all the features they may, an
impression is within these bounds still."""
NESTING_TO_SPARE = 100
"""How many levels deeper than it came a value must still decode: an interaction wraps it, and is decoded elsewhere."""


class Refusal(Struct, frozen=True):
    """Why a record was refused. `reason` is one of a fixed set, fit for a metric's label."""

    reason: str
    detail: str


class Reason(StrEnum):
    """The reasons for which a record is refused, beside those of `events.contradiction`."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    SCHEMA = "schema"
    KEY = "key_is_not_impression_id"
    UNKNOWN_MODEL = "unknown_model"
    FUTURE = "from_the_future"
    TOO_MANY_FEATURES = "too_many_features"
    EVICTED = "evicted"


class _Outline(Struct, gc=False):
    """Of an impression that was let in before, what the join needs."""

    impression_id: str
    occurred_at: int
    model: str
    deferred: bool = False


class _Candidate(Struct, gc=False):
    """An action as `events.Action` has it; one without features gets no dictionary for them."""

    id: Identifier
    features: Features | UnsetType = UNSET


class _Applicant(Impression, frozen=True, kw_only=True, gc=False):
    """An impression as it is checked."""

    actions: Annotated[list[_Candidate], Meta(min_length=1, max_length=MAX_ACTIONS)]  # type: ignore[assignment]


T = TypeVar("T")

_impression = msgspec.json.Decoder(_Applicant)
_feedback = msgspec.json.Decoder(Feedback)
_watermark = msgspec.json.Decoder(Watermark)
_outline = msgspec.json.Decoder(_Outline)
_undecoded = msgspec.json.Decoder(msgspec.Raw)


class Admission:
    """Decides which records are let in.

    `models` are the known models; `max_ahead_ms` is how far an event time may lie ahead of the time at which
    the broker (or the producer) stamped the record. Without it one wrong clock would close every window.
    """

    def __init__(self, models: Mapping[str, ModelConfig], max_ahead_ms: int) -> None:
        self._models = models
        self._max_ahead_ms = max_ahead_ms

    def impression(
        self, key: bytes | None, value: bytes | None, offset: int, timestamp_ms: int
    ) -> ShownImpression | Watermark | Refusal:
        """Return the impression in a record of the impressions topic."""
        if key is None:
            return self._marker(value, timestamp_ms)
        decoded = _decode(_impression, value, MAX_IMPRESSION_BYTES)
        if isinstance(decoded, Refusal):
            return decoded
        refusal = self._refusal(key, decoded, timestamp_ms) or unlearnable(decoded, self._models)
        if refusal is not None:
            return refusal
        assert value is not None
        return _shown(decoded, offset, value)

    def feedback(
        self, key: bytes | None, value: bytes | None, offset: int, timestamp_ms: int
    ) -> ObservedFeedback | Watermark | Refusal:
        """Return the feedback in a record of the feedback topic."""
        if key is None:
            return self._marker(value, timestamp_ms)
        decoded = _decode(_feedback, value, MAX_FEEDBACK_BYTES)
        if isinstance(decoded, Refusal):
            return decoded
        refusal = self._refusal(key, decoded, timestamp_ms)
        if refusal is not None:
            return refusal
        assert value is not None
        return ObservedFeedback(
            decoded.feedback_id, decoded.impression_id, decoded.occurred_at, decoded.signal, offset, value
        )

    def _refusal(self, key: bytes, decoded: Impression | Feedback, timestamp_ms: int) -> Refusal | None:
        if key != decoded.impression_id.encode():
            return Refusal(Reason.KEY, f"key {key[:64]!r} is not the impression_id, {decoded.impression_id[:64]!r}")
        return self._from_the_future(decoded.occurred_at, timestamp_ms)

    def _from_the_future(self, occurred_at: int, timestamp_ms: int) -> Refusal | None:
        ahead = occurred_at - timestamp_ms
        if ahead > self._max_ahead_ms:
            return Refusal(Reason.FUTURE, f"event time is {ahead} ms ahead of the record's own time")
        return None

    def _marker(self, value: bytes | None, timestamp_ms: int) -> Watermark | Refusal:
        marker = _decode(_watermark, value, MAX_FEEDBACK_BYTES)
        if isinstance(marker, Refusal):
            return Refusal(Reason.KEY, "no key, and not a watermark: " + marker.detail)
        return self._from_the_future(marker.watermark, timestamp_ms) or marker


def unlearnable(impression: Impression, models: Mapping[str, ModelConfig]) -> Refusal | None:
    """Return why none of these models can learn from an impression that fits the types, or None if one can."""
    model = models.get(impression.model)
    if model is None:
        return Refusal(Reason.UNKNOWN_MODEL, f"model {impression.model!r} is not configured")
    wrong = contradiction(impression) or _too_many_features(impression, model)
    return None if wrong is None else Refusal(*wrong)


def _too_many_features(impression: Impression, model: ModelConfig) -> tuple[str, str] | None:
    """Return (reason, detail) if learning from the impression would take too long, else None."""
    if len(impression.context) <= FEW and len(impression.actions) <= FEW:
        return None  # whatever features the actions have
    contexts, crosses = count_crosses(impression.context, impression.actions, model.context_crosses)
    if contexts > MAX_CONTEXT_FEATURES or crosses > MAX_CROSSES:
        return (
            Reason.TOO_MANY_FEATURES,
            f"{contexts} features of the context, {crosses} crosses with those of the actions",
        )
    return None


def readmit_impression(value: bytes, offset: int) -> ShownImpression:
    """Return an impression that was let in before. Raises `msgspec.DecodeError` if it never was."""
    return _shown(_outline.decode(value), offset, value)


def readmit_feedback(value: bytes, offset: int, log_time: int) -> ObservedFeedback:
    """Return feedback that was let in before. Raises `msgspec.DecodeError` if it never was."""
    decoded = _feedback.decode(value)
    return ObservedFeedback(
        decoded.feedback_id, decoded.impression_id, decoded.occurred_at, decoded.signal, offset, value, log_time
    )


def _shown(decoded: Impression | _Outline, offset: int, value: bytes) -> ShownImpression:
    # There are millions of impressions and few models: one string for each of them will do.
    model = intern(decoded.model)
    return ShownImpression(decoded.impression_id, decoded.occurred_at, model, offset, value, decoded.deferred)


def _decode(decoder: msgspec.json.Decoder[T], value: bytes | None, max_bytes: int) -> T | Refusal:
    if not value:
        return Refusal(Reason.EMPTY, "the record has no value")
    if len(value) > max_bytes:
        return Refusal(Reason.TOO_LARGE, f"{len(value)} bytes, more than {max_bytes}")
    try:
        decoded = decoder.decode(value)
        _check_what_is_skipped(value)
    except msgspec.ValidationError as error:
        return Refusal(Reason.SCHEMA, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Refusal(Reason.NOT_JSON, str(error))
    return decoded


def _check_what_is_skipped(value: bytes) -> None:
    """Raise where fields that no type names would make the interaction unreadable: they travel on with the rest."""
    if not value.isascii():
        value.decode()
    if len(value) > 2 * NESTING_TO_SPARE and value.count(b"[") + value.count(b"{") > NESTING_TO_SPARE:
        _undecoded.decode(b"[" * NESTING_TO_SPARE + value + b"]" * NESTING_TO_SPARE)
