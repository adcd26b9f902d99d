"""What is let in: raw records become impressions and feedback, or are refused with a reason.

A refusal never raises: a log holds whatever producers write, and the good records beside a bad one must live. Where
looking into a record raises all the same, that record is refused as `poison`, and those beside it are let in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from sys import intern
from typing import Annotated, Any, Final, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Struct

from groundswell.events import (
    LIKELY_SECONDS,
    MAX_ACTIONS,
    NONE_IS_NO_FEEDBACK,
    NONE_SIGNAL,
    Feedback,
    Impression,
    Watermark,
    contradiction,
)
from groundswell.misfits import named
from processors.admission.as_meant import as_meant
from processors.admission.bounds import FEW, MAX_CONTEXT_FEATURES, MAX_CROSSES, MAX_FEEDBACK_BYTES, MAX_IMPRESSION_BYTES
from processors.admission.local_times import in_words as in_words_of_zone
from processors.admission.local_times import zone_hours
from processors.admission.surely_fine import FineFeedback, FineImpressions
from processors.features.action_set_texts import Candidate
from processors.features.cross_counts import count_crosses
from processors.features.nesting import NESTING_TO_SPARE, opened_by
from processors.join.entries import ObservedFeedback, ShownImpression
from processors.models.config import ModelConfig
from processors.wire.envelopes import UNREADABLE
from processors.wire.evidence import NO_EVIDENCE, in_words
from processors.wire.log_records import LogRecord, UnreadRecords, parts
from processors.wire.repeated_names import repeated_names


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
    LATE_IMPRESSION = "late_impression"
    TOPIC_MADE_AGAIN = "topic_made_again"
    NOT_LOGGED = "impression_not_logged"
    POISON = "poison"


def poison(error: Exception) -> Refusal:
    """Return the refusal of a record that raised where none should."""
    return Refusal(Reason.POISON, in_words(error))


def unread(records: UnreadRecords) -> Refusal:
    """Return the refusal of records that were not unpacked, or not looked into: the detail says where and why."""
    if records.came is not None:
        return Refusal(Reason.POISON, records.why)
    return Refusal(
        Reason.TOO_LARGE if records.too_large else Reason.POISON,
        f"the batch at offsets {records.first_offset} to {records.offset} is passed over: {records.why}",
    )


MENDABLE: Final = frozenset({Reason.SCHEMA, "bad_probabilities", "bad_propensity"})
"""What an impression is refused for that may be read as it was meant."""
EXAMPLES: Final = {
    "schema_version": 1,
    "impression_id": "session-17-page-3",
    "occurred_at": 1_795_310_400_000,
    "model": "news",
    "context": {"user": "ann", "age": 31},
    "actions": [{"id": "a"}, {"id": "b", "features": {"price": 1.5}}],
    "chosen": 0,
    "probabilities": [0.75, 0.25],
    "propensity": 0.75,
    "policy_version": 12,
    "weight": 1.0,
    "deferred": True,
    "feedback_id": "session-17-page-3/click",
    "signal": "click",
    "value": 2.5,
    "watermark": 1_795_310_400_000,
}
"""Each member as it may be written."""


MEANT: Final = {
    "occurred_at": "in milliseconds since 1970",
    "context": "text, numbers, true and false under names",
    "chosen": "the index of the action that was shown, from 0",
    "probabilities": "one for each of the actions, in their order",
    "signal": "one in each message",
    "watermark": "in milliseconds since 1970",
}
"""What an example does not say by itself."""


class _Outline(Struct, gc=False):
    """Of an impression that was let in before, what the join needs."""

    impression_id: str
    occurred_at: int
    model: str
    deferred: bool = False


class _Applicant(Impression, frozen=True, kw_only=True, gc=False):
    """An impression as it is checked."""

    actions: Annotated[list[Candidate], Meta(min_length=1, max_length=MAX_ACTIONS)]  # type: ignore[assignment]


T = TypeVar("T")

_MEMBER: Final = re.compile(r"(?:\$\.|required field `)(\w+)")
_UNKNOWN_FEATURE: Final = re.compile(r"got `null` - at `\$\.(context|actions\[\d+\]\.features)\[")
_impression = msgspec.json.Decoder(_Applicant)
_feedback = msgspec.json.Decoder(Feedback)
_watermark = msgspec.json.Decoder(Watermark)
_outline = msgspec.json.Decoder(_Outline)
_undecoded = msgspec.json.Decoder(msgspec.Raw)


class Admission:
    """Decides which records are let in.

    `models` are the known models; `max_ahead_ms` is how far an event time may lie ahead of the time at which
    the broker (or the producer) stamped the record. What is let in says by how much it is ahead: it moves the time of
    its log no further than that stamp, or one wrong clock would close the windows of all.
    """

    def __init__(self, models: Mapping[str, ModelConfig], max_ahead_ms: int) -> None:
        self._models = models
        self._max_ahead_ms = max_ahead_ms
        self._fine_impressions = FineImpressions(models, max_ahead_ms)
        self._fine_feedback = FineFeedback(max_ahead_ms)

    def impressions(self, records: Sequence[LogRecord]) -> list[ShownImpression | Watermark | Refusal]:
        """Return what each record of a stretch of the impressions topic is."""
        return self._each(self._fine_impressions, self._impression, records)

    def feedback(self, records: Sequence[LogRecord]) -> list[ObservedFeedback | Watermark | Refusal]:
        """Return what each record of a stretch of the feedback topic is."""
        return self._each(self._fine_feedback, self._one_of_feedback, records)

    @staticmethod
    def _each(
        surely: FineImpressions | FineFeedback, look_into: Callable[[LogRecord], T], records: Sequence[LogRecord]
    ) -> list[Any | T | Refusal]:
        """Return what records are: which ones are surely fine is found out of many at once, the others one by one.

        One in which a name has two values is refused.
        """
        judged: list[Any | T | Refusal] = []
        for part in parts(records):
            found = surely.find(part)
            made: list[Any | T | Refusal] = [*found.made]
            doubtful = np.flatnonzero(~found.fine).tolist()
            for place in doubtful:
                made[place] = _alone(look_into, part[place])
            for place, wrong in repeated_names([part[place].value or b"" for place in doubtful]).items():
                one = made[doubtful[place]]
                if not isinstance(one, Refusal) or one.reason not in {Reason.TOO_LARGE, Reason.POISON}:
                    made[doubtful[place]] = Refusal(Reason.SCHEMA, wrong)
            judged += made
        return judged

    def _impression(self, record: LogRecord) -> ShownImpression | Watermark | Refusal:
        """Return what a record is that is not surely a good impression."""
        if record.key is None:
            return self._marker(record)
        judged = self._judged(record, record.value)
        if isinstance(judged, Refusal) and judged.reason in MENDABLE:
            meant = as_meant(record.value)
            if meant is not None and len(record.value or b"") <= MAX_IMPRESSION_BYTES:
                return self._judged(record, meant)
        return judged

    def _judged(self, record: LogRecord, value: bytes | None) -> ShownImpression | Refusal:
        decoded = _decode(_impression, value, MAX_IMPRESSION_BYTES)
        if isinstance(decoded, Refusal):
            return decoded
        refusal = self._refusal(record, decoded) or unlearnable(decoded, self._models)
        if refusal is not None:
            return refusal
        return _shown(decoded, record.offset, value or b"", decoded.occurred_at - record.timestamp)

    def _one_of_feedback(self, record: LogRecord) -> ObservedFeedback | Watermark | Refusal:
        """Return what a record is that is not surely good feedback."""
        if record.key is None:
            return self._marker(record)
        decoded = _decode(_feedback, record.value, MAX_FEEDBACK_BYTES)
        if isinstance(decoded, Refusal):
            return decoded
        refusal = self._refusal(record, decoded)
        if refusal is not None:
            return refusal
        if decoded.signal == NONE_SIGNAL:
            return Refusal(Reason.SCHEMA, NONE_IS_NO_FEEDBACK)
        return _observed(decoded, record.offset, record.value or b"", decoded.occurred_at - record.timestamp)

    def _refusal(self, record: LogRecord, decoded: Impression | Feedback) -> Refusal | None:
        key, impression_id = record.key or b"", decoded.impression_id
        if key != impression_id.encode():
            told = f"key {key[:64]!r} is not the impression_id, {impression_id[:64]!r}"
            quoted = key.strip(b"\"'") == impression_id.encode()
            return Refusal(Reason.KEY, f"{told}; make it its plain bytes in UTF-8{', without quotes' * quoted}")
        if decoded.occurred_at in LIKELY_SECONDS:
            told = f"occurred_at, {decoded.occurred_at}, looks like seconds; write milliseconds, as"
            return Refusal(Reason.SCHEMA, f"{told} {decoded.occurred_at}000")
        return self._from_the_future(decoded.occurred_at, record.timestamp)

    def _from_the_future(self, occurred_at: int, timestamp_ms: int) -> Refusal | None:
        ahead = occurred_at - timestamp_ms
        if ahead > self._max_ahead_ms:
            return Refusal(
                Reason.FUTURE,
                f"event time, {occurred_at}, is {ahead} ms ahead of the record's own time, {timestamp_ms}; write "
                f"milliseconds since 1970, and {_remedy(ahead)}",
            )
        return None

    def _marker(self, record: LogRecord) -> Watermark | Refusal:
        if isinstance(record, UnreadRecords):
            return unread(record)
        marker = _decode(_watermark, record.value, MAX_FEEDBACK_BYTES)
        if isinstance(marker, Refusal):
            return Refusal(
                Reason.KEY,
                "no key: give the record its impression_id as the key (without one it would have to be a watermark)",
            )
        return self._from_the_future(marker.watermark, record.timestamp) or marker


def _alone(look_into: Callable[[LogRecord], T], record: LogRecord) -> T | Refusal:
    try:
        return look_into(record)
    except NO_EVIDENCE:
        raise
    except Exception as error:
        return poison(error)


def _remedy(ahead: int) -> str:
    """Return what to do about an event time that is so many ms ahead."""
    hours = zone_hours(ahead)
    return "set the clock" if hours is None else f"in UTC: this is {in_words_of_zone(hours)}"


def unlearnable(impression: Impression, models: Mapping[str, ModelConfig]) -> Refusal | None:
    """Return why none of these models can learn from an impression that fits the types, or None if one can."""
    model = models.get(impression.model)
    if model is None:
        there = ", ".join(sorted(models)) or "none"
        return Refusal(
            Reason.UNKNOWN_MODEL,
            f"model {impression.model!r} is not configured; there is: {there}. Add a section [models.NAME], or mend it",
        )
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
            f"{contexts} features of the context, {crosses} crosses with those of the actions; at most "
            f"{MAX_CONTEXT_FEATURES} and {MAX_CROSSES}: leave some out, or set context_crosses = false",
        )
    return None


def readmit_impression(value: bytes, offset: int) -> ShownImpression:
    """Return an impression that was let in before. Raises `msgspec.DecodeError` if it never was."""
    return _shown(_outline.decode(value), offset, value, 0)


def readmit_feedback(value: bytes, offset: int, log_time: int) -> ObservedFeedback:
    """Return feedback that was let in before. Raises `msgspec.DecodeError` if it never was."""
    observed = _observed(_feedback.decode(value), offset, value, 0)
    observed.log_time = log_time
    return observed


def _observed(decoded: Feedback, offset: int, value: bytes, ahead: int) -> ObservedFeedback:
    observed = ObservedFeedback(
        decoded.feedback_id, decoded.impression_id, decoded.occurred_at, decoded.signal, offset, value
    )
    if ahead > 0:
        observed.ahead = ahead
    return observed


def _shown(decoded: Impression | _Outline, offset: int, value: bytes, ahead: int) -> ShownImpression:
    # There are millions of impressions and few models: one string for each of them will do.
    model = intern(decoded.model)
    shown = ShownImpression(decoded.impression_id, decoded.occurred_at, model, offset, value, decoded.deferred)
    if ahead > 0:
        shown.ahead = ahead
    return shown


def _decode(decoder: msgspec.json.Decoder[T], value: bytes | None, max_bytes: int) -> T | Refusal:
    if not value:
        return Refusal(Reason.EMPTY, "the record has no value: write the message as JSON (docs/schemas)")
    if len(value) > max_bytes:
        return Refusal(
            Reason.TOO_LARGE,
            f"{len(value)} bytes, more than {max_bytes}: log fewer or shorter features, or fewer actions",
        )
    try:
        decoded = decoder.decode(value)
        _check_what_is_skipped(value)
    except msgspec.ValidationError as error:
        said = named(error, value)
        return Refusal(Reason.SCHEMA, f"{said}{_of_the_other(decoder, value) or example_of(said)}")
    except UNREADABLE as error:
        return Refusal(Reason.NOT_JSON, f"{error}; write JSON in UTF-8, {{…}}; it begins with {value[:60]!r}")
    return decoded


def _of_the_other(decoder: msgspec.json.Decoder[T], value: bytes) -> str | None:
    """Return what to do about a message that would do on the other topic."""
    try:
        if decoder is _impression and _feedback.decode(value):
            return "; it is feedback: write it to the topic of feedback"
        if decoder is _feedback and _impression.decode(value):
            return "; it is an impression: write it to the topic of impressions"
    except UNREADABLE:
        pass  # it would do nowhere
    return None


def example_of(complaint: str) -> str:
    """Return how the member that is complained of may be written, to be added to what msgspec says; it may be empty."""
    member = _MEMBER.search(complaint)
    if member is None and complaint.startswith("Expected `object`, got"):
        nested = "JSON within JSON: encode it once" if complaint.endswith("`str`") else "one record is one message, {…}"
        return f"; {nested}"
    if _UNKNOWN_FEATURE.search(complaint):
        return "; leave out what is not known"
    if member is None or member[1] not in EXAMPLES:
        return ""
    if member[1] == "occurred_at" and "<=" in complaint:
        return f"; it looks like microseconds or nanoseconds: write milliseconds, as {EXAMPLES['occurred_at']}"
    meant = f", {MEANT[member[1]]}" if member[1] in MEANT else ""
    return f'; for example "{member[1]}": {msgspec.json.encode(EXAMPLES[member[1]]).decode()}{meant}'


def _check_what_is_skipped(value: bytes) -> None:
    """Raise where fields that no type names would make the interaction unreadable: they travel on with the rest."""
    if not value.isascii():
        value.decode()
    if len(value) > 2 * NESTING_TO_SPARE and opened_by(value) > NESTING_TO_SPARE:
        _undecoded.decode(b"[" * NESTING_TO_SPARE + value + b"]" * NESTING_TO_SPARE)
