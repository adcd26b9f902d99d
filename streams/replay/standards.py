"""What the worker would refuse is found before anything is sent: the same admission judges the same bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final, NamedTuple, Self, TypeVar

import msgspec

from groundswell.events import Feedback, Impression
from processors.admission.event_records import Admission, Reason, Refusal
from processors.join.entries import MAX_FEEDBACK
from processors.models.config import ModelConfig
from streams.replay.left_out import RowError
from streams.replay.mapped_rows import Interpreted, Told
from streams.replay.mapping import MappingError
from streams.settings import Settings
from streams.words import nearest

BATCH = 500
T = TypeVar("T")

_FIELDS: Final = {
    "bad_propensity": "propensity",
    "bad_probabilities": "propensity",
    "no_propensity": "propensity",
    "probabilities_length": "propensity",
    "bad_weight": "weight",
    "duplicate_actions": "action.set",
    "chosen_out_of_range": "action",
    Reason.UNKNOWN_MODEL: "model",
    Reason.TOO_MANY_FEATURES: "context",
}
_MEMBER: Final = re.compile(r"at `(?:key in )?\$\.(\w+)")
_OF_MEMBERS: Final = {"actions": "action.set", "probabilities": "propensity", "chosen": "action"}


class _Record(NamedTuple):
    """A message as the broker would hold it."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes


@dataclass(frozen=True)
class Standards:
    """What a worker takes: the settings that bear on it.

    `models` are those of the configuration, None where it has none yet: then any will do. Times in ms.
    """

    models: Mapping[str, ModelConfig] | None = None
    max_ahead_ms: int = 90_000
    backward_ms: int = 60_000
    wait_ms: int = 600_000

    @classmethod
    def of(cls, settings: Settings, *, configured: bool) -> Self:
        """Return what a worker with these settings takes. It need have no models yet where it is not `configured`."""
        return cls(
            settings.models if settings.models or configured else None,
            settings.max_ahead_ms,
            round(settings.join.backward * 1_000),
            round(settings.join.wait * 1_000),
        )

    def check_model(self, model: str) -> None:
        """Raise MappingError where the configuration lacks the model."""
        if self.models is not None and model not in self.models:
            there = ", ".join(sorted(self.models)) or "none"
            close = nearest(model, self.models)
            raise MappingError(
                f"model: the configuration has no model {model!r}, it has {there}: "
                f"{'' if close is None else f'did you mean {close!r}? Else '}add a section [models.{model}] to "
                "it (with --config), or name another in the mapping; the worker would refuse every impression"
            )

    def definite_signals(self, model: str) -> frozenset[str]:
        """Return the signals by which the configuration tells satisfied from dissatisfied; none without models."""
        if self.models is None:
            return frozenset()
        return self.models[model].definitely_negative | self.models[model].definitely_positive

    def judged(
        self, outcomes: Iterable[tuple[int, Interpreted | RowError]], model: str, now_ms: int
    ) -> Iterator[tuple[int, Interpreted | RowError]]:
        """Yield the outcomes with what a worker would refuse at `now_ms` turned into what is wrong with it."""
        models = self.models
        if models is None:
            models = {model: ModelConfig(name=model, definitely_negative=frozenset({"-"}))}
        admission = Admission(models, self.max_ahead_ms)
        encode = msgspec.json.Encoder().encode
        for batch in _batches(outcomes, BATCH):
            found = [one for _, one in batch if isinstance(one, Interpreted)]
            shown = iter(admission.impressions([_record(one.impression, encode, now_ms) for one in found]))
            pieces = [piece for one in found for told in one.told for _, piece in told.pieces]
            observed = iter(admission.feedback([_record(piece, encode, now_ms) for piece in pieces]))
            for number, one in batch:
                yield number, one if isinstance(one, RowError) else self._judged(one, next(shown), observed)

    def _judged(self, one: Interpreted, shown: object, observed: Iterator[object]) -> Interpreted | RowError:
        told = [self._told(told, one.impression, observed) if told.pieces else told for told in one.told]
        if isinstance(shown, Refusal):
            return _error(shown, one.impression)
        own = [one.error for one in told if one.place is None and one.error is not None]
        if own:
            return own[0]
        return Interpreted(one.impression, told)

    def _told(self, told: Told, impression: Impression, observed: Iterator[object]) -> Told:
        # All of them are taken from the iterator, also where the first is wrong.
        judged = [(field, piece, next(observed)) for field, piece in told.pieces]
        for field, piece, outcome in judged:
            ahead = impression.occurred_at - piece.occurred_at
            if isinstance(outcome, Refusal):
                detail = _ahead(piece.occurred_at) if outcome.reason == Reason.FUTURE else outcome.detail
                return told._replace(pieces=[], error=RowError(field, detail))
            if ahead > self.backward_ms:
                detail = f"{ahead} ms before the impression, and the join takes {self.backward_ms} (join.backward)"
                return told._replace(pieces=[], error=RowError(f"{field}.at", detail))
        return told


def without_repeats(interpreted: Interpreted) -> tuple[list[Feedback], list[Told], list[Told]]:
    """Return the different pieces of an impression by time, those told before, and what was told in excess.

    The join takes so many pieces of one impression and no more.
    """
    if len(interpreted.told) == 1 and len(interpreted.told[0].pieces) < 2:
        return [piece for _, piece in interpreted.told[0].pieces], [], []
    pieces: dict[str, Feedback] = {}
    repeats: list[Told] = []
    excess: list[Told] = []
    for told in interpreted.told:
        new = {piece.feedback_id: piece for _, piece in reversed(told.pieces) if piece.feedback_id not in pieces}
        repeats += [told] * (len(told.pieces) - len(new))
        if len(pieces) + len(new) > MAX_FEEDBACK:
            detail = f"the join takes {MAX_FEEDBACK} pieces of feedback for one impression, and no more"
            excess.append(told._replace(pieces=[], error=RowError(told.pieces[0][0], detail)))
        else:
            pieces.update(reversed(new.items()))
    return sorted(pieces.values(), key=lambda piece: piece.occurred_at), repeats, excess


def _record(message: Impression | Feedback, encode: Callable[[object], bytes], now_ms: int) -> _Record:
    return _Record(0, now_ms, message.impression_id.encode(), encode(message))


def _ahead(occurred_at: int) -> str:
    told = datetime.fromtimestamp(occurred_at / 1_000, UTC).isoformat(timespec="seconds")
    return f"{told} lies in the future, which the worker refuses: shift the log's times into the past, or mend its unit"


def _error(refusal: Refusal, impression: Impression) -> RowError:
    """Return what the worker would say as what is wrong with the row."""
    if refusal.reason == Reason.FUTURE:
        return RowError("occurred_at", _ahead(impression.occurred_at))
    member = _MEMBER.search(refusal.detail)
    field = _FIELDS.get(refusal.reason, "impression")
    if member is not None and refusal.reason == Reason.SCHEMA:
        field = _OF_MEMBERS.get(member[1], member[1])
    return RowError(field, refusal.detail)


def _batches(items: Iterable[T], most: int) -> Iterator[list[T]]:
    remaining = iter(items)
    while batch := list(islice(remaining, most)):
        yield batch
