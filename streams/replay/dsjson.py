"""VowpalWabbit's decision-service JSON (DSJSON): what Personalizer and RLClientLib users have on disk.

One line per decision: `c` holds the context's namespaces and, in `_multi`, those of each action; `a` ranks the
actions from 1, the first one shown; `p` are their probabilities in the order of `a`; `o` are the observations.
Format: VowpalWabbit's `parse_example_json.h` and RLClientLib's interaction log.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping as Lookup
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
from msgspec import Struct, field
from pydantic import Field, model_validator

from groundswell.events import NONE_SIGNAL, Action, FeatureValue, Feedback, Impression
from streams.replay.cell_values import number
from streams.replay.mapped_rows import Interpreted, RowError, checked_feedback, checked_impression
from streams.replay.mapping import Declaration, MappingError, Name
from streams.replay.time_columns import iso_milliseconds


class SignalRule(Declaration):
    """The signal that a number in an observation means: one above or below a bound, or between the two."""

    signal: Name
    above: float | None = None
    below: float | None = None

    def means(self, value: float) -> bool:
        """Return whether `value` lies within the bounds."""
        return (self.above is None or value > self.above) and (self.below is None or value < self.below)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError(f"signal {self.signal!r} has no bound: give above, below or both")
        if self.signal == NONE_SIGNAL:
            raise ValueError(f"signal: {NONE_SIGNAL!r} means that nothing came back, the join writes it itself")
        return self


class DsjsonMapping(Declaration):
    """The declaration for a log of VowpalWabbit's decision-service JSON (`format = "dsjson"`).

    `action_id` is the dotted name of the feature that identifies an action. Observations that are text or
    objects name their signals; numbers are told apart by `signals`, and one that fits no rule is no feedback.
    """

    format: Literal["dsjson"]
    model: Name
    action_id: str
    signals: tuple[SignalRule, ...] = ()
    delay_ms: int = Field(default=0, ge=0)
    bad_rows: Literal["stop", "skip"] = "stop"


class _Decision(Struct):
    event_id: str | None = field(default=None, name="EventId")
    timestamp: str | None = field(default=None, name="Timestamp")
    context: dict[str, Any] | None = field(default=None, name="c")
    ranking: list[int] = field(default_factory=list, name="a")
    probabilities: list[float] = field(default_factory=list, name="p")
    observations: list[dict[str, Any]] = field(default_factory=list, name="o")
    not_shown: bool = field(default=False, name="_skipLearn")
    dropped: float = field(default=0.0, name="pdrop")


@dataclass(frozen=True)
class DecisionLog:
    """The decisions of a DSJSON file.

    `rows` counts the file's lines; `left_out` those without a decision (a reward whose decision is not known)
    and those of a deferred decision that was never shown. `lines` holds the rest with an event id of their own,
    as (time in ms, line number, text): they are logged in the order in which rewards arrived, not in their own.
    """

    rows: int
    left_out: Lookup[str, int]
    lines: list[tuple[int, int, bytes]]
    mapping: DsjsonMapping

    @property
    def distinct_rows(self) -> int:
        """How many decisions are left after those with a known event id are dropped."""
        return len(self.lines) + sum(self.left_out.values())

    def outcomes(self, limit: int | None) -> Iterator[tuple[int, Interpreted | RowError]]:
        """Yield (line number, what it says or what is wrong with it) of the first `limit` in time order."""
        decode = msgspec.json.Decoder(_Decision).decode
        for _, number_in_file, line in self.lines[:limit]:
            try:
                yield number_in_file, _interpreted(decode(line), self.mapping)
            except RowError as error:
                yield number_in_file, error


def open_decisions(path: Path, mapping: DsjsonMapping) -> DecisionLog:
    """Read a DSJSON file (or `.gz`) and sort it by time; of repeated event ids the first line counts.

    A line without a time comes first, to be refused when it is read. Raises MappingError if it is not DSJSON.
    """
    decode = msgspec.json.Decoder(_Decision).decode
    seen: set[str] = set()
    left_out: Counter[str] = Counter()
    lines: list[tuple[int, int, bytes]] = []
    position = rows = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for position, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                rows += 1
                decision = decode(line)
                if decision.context is None:
                    left_out["without a decision"] += 1
                elif decision.not_shown:
                    left_out["never shown"] += 1
                elif decision.event_id is None or decision.event_id not in seen:
                    seen.add(decision.event_id or "")
                    lines.append((iso_milliseconds(decision.timestamp) or 0, position, line))
    except OSError as error:
        raise MappingError(f"{path}: cannot be read: {error}") from error
    except msgspec.DecodeError as error:
        raise MappingError(f"{path}: line {position} is not DSJSON: {error}") from error
    lines.sort(key=lambda line: line[:2])
    return DecisionLog(rows, left_out, lines, mapping)


def _interpreted(decision: _Decision, mapping: DsjsonMapping) -> Interpreted:
    """Return the impression of one decision and its feedback. Raises RowError."""
    context = decision.context or {}
    actions = [_action(features, mapping.action_id) for features in context.get("_multi", [])]
    order = [rank - 1 for rank in decision.ranking]
    if sorted(order) != list(range(len(actions))) or len(decision.probabilities) != len(actions):
        raise RowError("a", f"{decision.ranking} with p {decision.probabilities} for {len(actions)} actions")
    probabilities = [p for _, p in sorted(zip(order, decision.probabilities, strict=True))]
    occurred_at = iso_milliseconds(decision.timestamp)
    if decision.event_id is None or occurred_at is None:
        raise RowError("EventId, Timestamp", f"{decision.event_id!r} at {decision.timestamp!r}")
    if not 0 <= decision.dropped < 1:
        raise RowError("pdrop", f"{decision.dropped}, expected within [0, 1)")
    impression = checked_impression(
        Impression(
            schema_version=1,
            impression_id=decision.event_id,
            occurred_at=occurred_at,
            model=mapping.model,
            context=_flat(context),
            actions=actions,
            chosen=order[0],
            probabilities=probabilities,
            weight=1 / (1 - decision.dropped),
        )
    )
    signals = dict.fromkeys(s for observed in decision.observations for s in _signals(observed.get("v"), mapping))
    feedback = [
        checked_feedback(
            Feedback(
                schema_version=1,
                impression_id=impression.impression_id,
                feedback_id=f"{impression.impression_id}/{signal}",
                occurred_at=occurred_at + mapping.delay_ms,
                signal=signal,
            ),
            "o",
        )
        for signal in signals
        if signal != NONE_SIGNAL
    ]
    return impression, feedback


def _action(namespaces: dict[str, Any], identifier: str) -> Action:
    features = _flat(namespaces)
    if identifier not in features:
        raise RowError("action_id", f"no {identifier!r} among {', '.join(features) or 'no features'}")
    return Action(str(features[identifier]), features)


def _flat(nested: dict[str, Any], prefix: str = "") -> dict[str, FeatureValue]:
    """Return the features of all namespaces by their dotted names; names that begin with _ are VW's own."""
    features: dict[str, FeatureValue] = {}
    for name, value in nested.items():
        if name.startswith("_"):
            continue
        match value:
            case dict():
                features |= _flat(value, f"{prefix}{name}.")
            case list():
                features |= _flat({str(i): v for i, v in enumerate(value)}, f"{prefix}{name}.")
            case str() | bool() | int() | float():
                features[f"{prefix}{name}"] = value
    return features


def _signals(observed: object, mapping: DsjsonMapping) -> Iterator[str]:
    """Yield the signals of one observation: a name, the features of an object (`v=skip`), or by the rules."""
    if isinstance(observed, dict):
        yield from (str(name).removeprefix("v=") for name, weight in observed.items() if weight)
        return
    try:
        value = number(observed)
    except ValueError:
        yield str(observed)
        return
    if value is not None:
        yield from (rule.signal for rule in mapping.signals if rule.means(value))
