"""What is let in: raw records become impressions and feedback, or are refused with a reason.

A refusal never raises: a log holds whatever producers write, and the good records beside a bad one must live. Where
looking into a record raises all the same, that record is refused as `poison`, and those beside it are let in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from itertools import chain
from sys import intern
from typing import Annotated, Final, NamedTuple, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from groundswell.events import (
    LARGEST_WEIGHT,
    LEAST_PROPENSITY,
    LEAST_WEIGHT,
    LIKELY_SECONDS,
    MAX_ACTIONS,
    NONE_IS_NO_FEEDBACK,
    NONE_SIGNAL,
    Feedback,
    Impression,
    Watermark,
    bad_propensity,
    contradiction,
)
from groundswell.misfits import named
from processors.admission.as_meant import as_meant
from processors.admission.repeated_names import may_repeat, repeated_names
from processors.features.action_set_texts import ActionSetTexts, Candidate
from processors.features.cross_counts import count_crosses, count_crosses_of
from processors.features.nesting import NESTING_TO_SPARE, odd_ones, opened_by
from processors.join.entries import ObservedFeedback, ShownImpression
from processors.models.config import ModelConfig
from processors.wire.envelopes import UNREADABLE
from processors.wire.evidence import NO_EVIDENCE, in_words
from processors.wire.laid_out import laid_out
from processors.wire.log_records import LogRecord, UnreadRecords, parts

MAX_IMPRESSION_BYTES = 600_000
MAX_FEEDBACK_BYTES = 4_096
"""The largest values let in. An interaction carries an impression with all its feedback
(`join.MAX_FEEDBACK` pieces), and must stay below the 1 MB that brokers take by default."""
MAX_CONTEXT_FEATURES, MAX_CROSSES = 2_000, 2_000_000
"""The most that is learned from one impression: a few tens of milliseconds' work."""
FEW = 14
"""With so many context features, crossed with one another, and so many actions that have all the features they may, an
impression is within these bounds still."""


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
HOUR_MS: Final = 3_600_000
ZONE_TOLERANCE_MS: Final = 60_000
MOST_ZONE_HOURS: Final = 14
"""How far local time may be ahead of UTC, and how near to that many hours an event time has to be to look like it."""
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


class _Envelope(Impression, frozen=True, kw_only=True, gc=False):
    """An impression whose actions are as they came."""

    actions: msgspec.Raw  # type: ignore[assignment]


class _Part(NamedTuple):
    """Records that are looked into together, and of each what was found out of all of them at once."""

    records: Sequence[LogRecord]
    values: Sequence[bytes]
    odd: Sequence[bool]
    may_repeat: NDArray[np.bool_]


T = TypeVar("T")

_MEMBER: Final = re.compile(r"(?:\$\.|required field `)(\w+)")
_UNKNOWN_FEATURE: Final = re.compile(r"got `null` - at `\$\.(context|actions\[\d+\]\.features)\[")
_impression = msgspec.json.Decoder(_Applicant)
_envelope = msgspec.json.Decoder(_Envelope)
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
        self._offered = ActionSetTexts()

    def impressions(self, records: Sequence[LogRecord]) -> list[ShownImpression | Watermark | Refusal]:
        """Return what each record of a stretch of the impressions topic is.

        Which ones are surely fine is found out of many at once. Only the others have all their actions decoded.
        """
        return list(
            chain.from_iterable(self._each(self._impressions, self._impression, part) for part in parts(records))
        )

    def _impressions(self, part: _Part) -> list[ShownImpression | Watermark | Refusal]:
        opened = _opened(_envelope, part, MAX_IMPRESSION_BYTES)
        counts = zip(*self._offered.count([one.actions for one in opened if one is not None]), strict=True)
        return [
            _shown(one, record.offset, value, one.occurred_at - record.timestamp)
            if one is not None and self._surely_fine(record, one, *next(counts)) and not repeats
            else self._impression(record)
            for record, value, one, repeats in zip(
                part.records, part.values, opened, part.may_repeat.tolist(), strict=True
            )
        ]

    def feedback(self, records: Sequence[LogRecord]) -> list[ObservedFeedback | Watermark | Refusal]:
        """Return what each record of a stretch of the feedback topic is."""
        return self._each(self._feedback, self._one_of_feedback, records)

    def _each(
        self,
        together: Callable[[_Part], list[T]],
        alone: Callable[[LogRecord], T],
        records: Sequence[LogRecord],
    ) -> list[T | Refusal]:
        """Return what records are, looked into together, or one by one where that raises.

        One in which a name has two values is refused.
        """
        values = [record.value or b"" for record in records]
        laid = laid_out(values)
        part = _Part(records, values, odd_ones(laid), may_repeat(laid))
        judged: list[T | Refusal]
        try:
            judged = [*together(part)]
        except NO_EVIDENCE:
            raise
        except Exception:
            self._offered = ActionSetTexts()  # it may have been left halfway
            judged = [_alone(alone, record) for record in records]
        for place, wrong in repeated_names(values, part.may_repeat).items():
            one = judged[place]
            if not isinstance(one, Refusal) or one.reason not in {Reason.TOO_LARGE, Reason.POISON}:
                judged[place] = Refusal(Reason.SCHEMA, wrong)
        return judged

    def _feedback(self, part: _Part) -> list[ObservedFeedback | Watermark | Refusal]:
        opened = _opened(_feedback, part, MAX_FEEDBACK_BYTES)
        return [
            _observed(one, record.offset, value, ahead)
            if one is not None
            and record.key == one.impression_id.encode()
            and (ahead := one.occurred_at - record.timestamp) <= self._max_ahead_ms
            and one.occurred_at not in LIKELY_SECONDS
            and one.signal != NONE_SIGNAL
            else self._one_of_feedback(record)
            for record, value, one in zip(part.records, part.values, opened, strict=True)
        ]

    def _surely_fine(self, record: LogRecord, opened: _Envelope, actions: int, described: int) -> bool:
        """Say whether nothing is wrong with an impression of well-formed actions that have `described` features.

        That its members fit their types was seen when it was opened.
        """
        model = self._models.get(opened.model)
        return (
            model is not None
            and opened.chosen < actions
            and record.key == opened.impression_id.encode()
            and opened.occurred_at - record.timestamp <= self._max_ahead_ms
            and opened.occurred_at not in LIKELY_SECONDS
            and LEAST_WEIGHT <= opened.weight <= LARGEST_WEIGHT
            and (
                (opened.probabilities is None and LEAST_PROPENSITY <= (opened.propensity or 0.0) <= 1.0)
                or bad_propensity(opened.probabilities, opened.propensity, opened.chosen, actions) is None
            )
            and (
                (len(opened.context) <= FEW and actions <= FEW)  # whatever features the actions have
                or _bounded(len(opened.context), actions, described, model)
            )
        )

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
            return Refusal(Reason.KEY, f"{told}; make it its plain bytes in UTF-8")
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
    hours, off = divmod(ahead + ZONE_TOLERANCE_MS, HOUR_MS)
    if 1 <= hours <= MOST_ZONE_HOURS and off <= 2 * ZONE_TOLERANCE_MS:
        return f"in UTC: this is about {hours} h ahead, as local time is that was written for UTC"
    return "set the clock"


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


def _bounded(context: int, actions: int, described: int, model: ModelConfig) -> bool:
    """Say whether learning from so many features takes no longer than it may."""
    contexts, crosses = count_crosses_of(context, actions, described, model.context_crosses)
    return contexts <= MAX_CONTEXT_FEATURES and crosses <= MAX_CROSSES


def _opened(decoder: msgspec.json.Decoder[T], part: _Part, max_bytes: int) -> list[T | None]:
    """Return what is in each record that has a key, or None where it cannot be read on its own or is too large."""
    decode, opened = decoder.decode, list[T | None]()
    for record, value, odd in zip(part.records, part.values, part.odd, strict=True):
        try:
            decoded = decode(value) if len(value) <= max_bytes and record.key is not None else None
            if odd:
                _check_what_is_skipped(value)
        except UNREADABLE:
            decoded = None
        opened.append(decoded)
    return opened


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
        if decoder is _feedback and _envelope.decode(value):
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
