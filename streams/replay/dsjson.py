"""VowpalWabbit's decision-service JSON (DSJSON): what Personalizer and RLClientLib users have on disk.

One line per decision: `c` holds the context's namespaces and, in `_multi`, those of each action; `a` ranks the
actions from 1, the first one shown; `p` are their probabilities in the order of `a`; `o` are the observations.
VowpalWabbit's own files for interaction-grounded learning list the actions from 0 in `a` without ranking them, say in
`_labelIndex` which was shown, and have neither ids nor times. A line over several slots is a decision for each
(`dsjson_slots.py`).
Format: VowpalWabbit's `parse_example_json.h` and RLClientLib's interaction log.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Lookup
from pathlib import Path
from typing import Any, Final, Literal, Self

import msgspec
from msgspec import Struct, field, structs
from pydantic import Field, model_validator

from groundswell.client.slots import SLOT
from groundswell.events import (
    NONE_SIGNAL,
    PROBABILITY_TOLERANCE,
    Action,
    DecisionSlot,
    FeatureValue,
    Feedback,
    Impression,
)
from streams.declared_settings import missing_file
from streams.replay.cell_values import name, number, shortened, without_rounding
from streams.replay.dsjson_slots import OUTCOMES, decision_of, rows_of, slot_features, without_slots
from streams.replay.event_times import iso_milliseconds
from streams.replay.file_lines import plain_name
from streams.replay.json_rows import objects, parsed_object
from streams.replay.left_out import LeftOut, Place, RowError
from streams.replay.log_files import FeedbackFile
from streams.replay.mapped_rows import Interpreted, Told
from streams.replay.mapping import Declaration, MappingError, Name

FIRST_TIME_MS: Final = 946_684_800_000
"""2000-01-01, when the first decision of a file without times counts as made: one a second from then on."""
BETWEEN_MS: Final = 1_000


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

    `action_id` is the dotted name of the feature that identifies an action, which is one of its features unless
    `id_as_feature` is false. Observations that are text or
    objects name their signals; numbers are told apart by `signals`, and one that fits no rule is no feedback.
    """

    format: Literal["dsjson"]
    model: Name
    action_id: str
    id_as_feature: bool = True
    signals: tuple[SignalRule, ...] = ()
    delay_ms: int = Field(default=0, ge=0)
    bad_rows: Literal["stop", "skip"] = "stop"


class _Decision(Struct):
    ranking: list[int] | None = field(default=None, name="a")
    probabilities: list[float] | None = field(default=None, name="p")
    observations: list[dict[str, Any]] | None = field(default=None, name="o")
    dropped: float | None = field(default=None, name="pdrop")
    label_index: int | None = field(default=None, name="_labelIndex")
    label_action: int | None = field(default=None, name="_label_Action")
    label_probability: float | None = field(default=None, name="_label_probability")


class _Line(Struct):
    """A decision that is kept: a line, or one slot of it. The time (ms) and the id are the line's, None without any."""

    row: int
    number: int
    text: bytes
    occurred_at: int | None
    event_id: str | None
    slot: int | None = None


class DecisionLog:
    """The decisions of a DSJSON file, sorted by time: they are logged in the order in which rewards arrived.

    `rows` counts the file's lines, and each slot of one over several; `duplicates` those whose event id came before.
    `left_out` are lines that are wrong, and those without a decision (a reward whose decision is not known) or of a
    deferred decision that was never shown.
    A file in which no decision has an id takes them from its name and the lines' numbers; one in which none has a time
    takes the order of its lines. Raises MappingError where the file cannot be read to its end.
    """

    def __init__(self, path: Path, mapping: DsjsonMapping) -> None:
        if not path.is_file():
            raise MappingError(missing_file(path))
        if plain_name(path).endswith((".csv", ".tsv", ".parquet")):
            raise MappingError(f'{path}: is no DSJSON by its name; leave format = "dsjson" out of the mapping')
        self.path = path
        self.mapping = mapping
        self.left_out = LeftOut()
        self.duplicates = 0
        self._numbers: list[int] = []
        """Of each row the line."""
        self.feedback_files: Lookup[str, FeedbackFile] = {}
        self.side_tables: Iterable[tuple[Path, int, LeftOut]] = ()
        self._lines = self._whole(list(self._read()))
        self._lines.sort(key=lambda line: (line.occurred_at, line.row))

    @property
    def rows(self) -> int:
        """How many lines there are, each slot of one over several for itself."""
        return len(self._numbers)

    def place(self, number: int) -> Place:
        """Return where the row of that number stands."""
        return Place(self.path, "line", self._numbers[number])

    def outcomes(self, limit: int | None) -> Iterator[tuple[int, Interpreted | RowError]]:
        """Yield (row number, what it says or what is wrong with it) of the first `limit` in time order."""
        for line in self._lines[:limit]:
            try:
                yield line.row, _interpreted(line, self.mapping)
            except RowError as error:
                yield line.row, error

    def _read(self) -> Iterator[_Line]:
        known: set[str] = set()
        for place, text, record in objects(self.path):
            row = self._one_more(place)
            try:
                if isinstance(record, RowError):
                    raise record
                if record.get("c") is None:
                    self.left_out.set_aside(self.place(row), "without a decision")
                elif record.get("_skipLearn") is True:
                    self.left_out.set_aside(self.place(row), "never shown")
                else:
                    line = _Line(row, place, text, _time(record.get("Timestamp")), _event_id(record.get("EventId")))
                    repeats = line.event_id is not None and line.event_id in known
                    known.add(line.event_id or "")
                    slots = rows_of(record)
                    for slot in range(slots or 1):
                        line = structs.replace(
                            line,
                            row=row if slot == 0 else self._one_more(place),
                            slot=None if slots is None else slot,
                        )
                        if repeats:
                            self.duplicates += 1
                        else:
                            yield line
            except RowError as error:
                self.left_out.add(self.place(row), error)

    def _one_more(self, number: int) -> int:
        """Return the number of one more row, of this line."""
        self._numbers.append(number)
        return len(self._numbers) - 1

    def _whole(self, lines: Sequence[_Line]) -> list[_Line]:
        """Return the lines that have an id and a time, as all have if none had."""
        identified = any(line.event_id is not None for line in lines)
        timed = any(line.occurred_at is not None for line in lines)
        whole = []
        order = -1
        for line in lines:
            order += not line.slot  # slots are shown at the same time
            if line.event_id is None and not identified:
                line.event_id = f"{self.path.name}:{line.number}"
            if line.occurred_at is None and not timed:
                line.occurred_at = FIRST_TIME_MS + order * BETWEEN_MS
            if line.event_id is None:
                self.left_out.add(self.place(line.row), RowError("EventId", "missing, though other lines have one"))
            elif line.occurred_at is None:
                self.left_out.add(self.place(line.row), RowError("Timestamp", "missing, though other lines have one"))
            else:
                whole.append(line)
        return whole


def _event_id(value: object) -> str | None:
    try:
        return name(value)
    except ValueError as error:
        raise RowError("EventId", str(error)) from error


def _time(value: object) -> int | None:
    if value is None:
        return None
    try:
        return iso_milliseconds(str(value))
    except ValueError as error:
        raise RowError("Timestamp", str(error)) from error


def _interpreted(line: _Line, mapping: DsjsonMapping) -> Interpreted:
    """Return the impression of one decision and its feedback. Raises RowError."""
    record = parsed_object(line.text)
    if isinstance(record, RowError):
        raise record
    assert line.event_id is not None  # lines without were left out
    assert line.occurred_at is not None
    in_slot, impression_id, of = None, line.event_id, None
    if line.slot is None:
        without_slots(record)
    else:
        in_slot = decision_of(record, line.slot)
        impression_id = f"{line.event_id}/{line.slot}"
        of = DecisionSlot(line.event_id, line.slot, len(record[OUTCOMES]))
        record = in_slot.record
    context = _context(record)
    try:
        decision = msgspec.convert(record, _Decision)
        actions = [_action(features, mapping) for features in context["_multi"]]
        features = _flat(context)
        if in_slot is not None:
            features = slot_features(in_slot, features, _flat(in_slot.features, f"{SLOT}."))
    except msgspec.ValidationError as error:
        found = re.search(r"at `\$\.(\w+)", str(error))
        raise RowError(found[1] if found else "line", str(error)) from error
    except UnicodeEncodeError as error:
        raise _half_a_pair(str(error.object)) from error
    except RecursionError as error:
        raise RowError("c", "is nested too deeply") from error
    chosen, probabilities = _choice(decision, len(actions))
    dropped = decision.dropped or 0.0
    if not 0 <= dropped < 1:
        raise RowError("pdrop", f"{dropped}, expected within [0, 1)")
    impression = Impression(
        schema_version=1,
        impression_id=impression_id,
        occurred_at=line.occurred_at,
        model=mapping.model,
        context=features,
        actions=actions,
        chosen=chosen,
        probabilities=probabilities,
        weight=1 / (1 - dropped),
        decision=of,
    )
    signals = dict.fromkeys(s for one in decision.observations or () for s in _signals(one.get("v"), mapping))
    feedback = [
        (
            "o",
            Feedback(
                schema_version=1,
                impression_id=impression_id,
                feedback_id=f"{impression_id}/{signal}",
                occurred_at=line.occurred_at + mapping.delay_ms,
                signal=signal,
            ),
        )
        for signal in signals
        if signal not in {"", NONE_SIGNAL}
    ]
    for text in (line.event_id, *signals, *_texts(features), *(one for a in actions for one in _texts(a.features))):
        if not _is_sendable(text):
            raise _half_a_pair(text)
    return Interpreted(impression, [Told(feedback)])


def _context(record: dict[str, Any]) -> dict[str, Any]:
    """Return the namespaces of a decision over one set of actions. Raises RowError for decisions of other kinds."""
    context = record["c"]
    if not isinstance(context, dict):
        raise RowError("c", f"{shortened(context)}, expected the context's namespaces")
    multi = context.get("_multi")
    if "_label_ca" in record or "_ca" in record:
        raise RowError("_label_ca", "a decision over a continuous range, which is not supported; it has no actions")
    if not multi:
        raise RowError("c._multi", "no actions to choose from")
    if not isinstance(multi, list) or not all(isinstance(one, dict) for one in multi):
        raise RowError("c._multi", f"{shortened(multi)}, expected a list with the namespaces of each action")
    return context


def _choice(decision: _Decision, count: int) -> tuple[int, list[float]]:
    """Return the position of the action that was shown, and the probability of each. Raises RowError."""
    ranking, logged = decision.ranking or [], decision.probabilities or []
    first = min(ranking, default=1)
    order = [rank - first for rank in ranking]
    if first not in {0, 1} or sorted(order) != list(range(count)) or len(logged) != count:
        raise RowError("a", f"{shortened(ranking)} with p {shortened(logged)} for {count} actions")
    probabilities = without_rounding([p for _, p in sorted(zip(order, logged, strict=True))])
    chosen = order[0]
    labels = {
        "_labelIndex": decision.label_index,
        "_label_Action": None if decision.label_action is None else decision.label_action - 1,
    }
    for label, said in labels.items():
        if said is None:
            continue
        if not 0 <= said < count:
            raise RowError(label, f"says that action {said}, counted from 0, was shown, of {count}")
        if said != chosen and order != sorted(order):
            raise RowError(label, f"says that action {said}, counted from 0, was shown, but `a` ranks {chosen} first")
    told = [said for said in labels.values() if said is not None]
    if len(set(told)) > 1:
        raise RowError("_labelIndex", f"says that action {told[0]} was shown, and _label_Action {told[1]}, from 0")
    # A list of actions in their own order need not be a ranking.
    chosen = told[0] if told else chosen
    expected = decision.label_probability
    if expected and abs(expected - probabilities[chosen]) > 10 * PROBABILITY_TOLERANCE:
        raise RowError(
            "_label_probability", f"{expected}, but by `a` and `p` the action shown had {probabilities[chosen]}"
        )
    return chosen, probabilities


def _action(namespaces: dict[str, Any], mapping: DsjsonMapping) -> Action:
    features = _flat(namespaces)
    found = _identity(features, mapping.action_id)
    if not mapping.id_as_feature:
        features.pop(mapping.action_id, None)
    return Action(found, features)


def _identity(features: Lookup[str, FeatureValue], identifier: str) -> str:
    """Return the id of an action: a feature's value, or the rest of the name of one that is 1 (`dish=soup`)."""
    if identifier in features:
        return _non_empty(features[identifier], identifier)
    found = {}
    for feature, value in features.items():
        plain, equals, rest = _PLACES.sub("", feature).partition("=")
        if plain == identifier and (value if equals else True):
            found[feature] = rest if equals else _non_empty(value, identifier)
    if len(found) > 1:
        raise RowError("action_id", f"{identifier!r} is told by several features, {', '.join(found)}")
    if not found:
        raise RowError(
            "action_id", f"no {identifier!r} among {shortened(', '.join(features)) if features else 'no features'}"
        )
    return next(iter(found.values()))


_PLACES: Final = re.compile(r"\.\d+(?=\.)")
"""The places of elements of lists within a dotted name."""


def _non_empty(value: FeatureValue, identifier: str) -> str:
    found = name(value)
    if found is None:
        raise RowError("action_id", f"{identifier!r} is empty")
    return found


def _flat(nested: dict[str, Any], prefix: str = "") -> dict[str, FeatureValue]:
    """Return the features of all namespaces by their dotted names; names that begin with _ are VW's own."""
    features: dict[str, FeatureValue] = {}
    for feature, value in nested.items():
        if feature.startswith("_"):
            continue
        match value:
            case dict():
                features |= _flat(value, f"{prefix}{feature}.")
            case list():
                features |= _flat({str(i): v for i, v in enumerate(value)}, f"{prefix}{feature}.")
            case float() if not math.isfinite(value):
                continue
            case str() | bool() | int() | float():
                features[f"{prefix}{feature}"] = value
    return features


def _texts(features: Lookup[str, FeatureValue]) -> Iterator[str]:
    yield from features
    yield from (value for value in features.values() if isinstance(value, str))


def _half_a_pair(text: str) -> RowError:
    return RowError("line", f"{shortened(text)} holds half of a surrogate pair, which is no character in UTF-8")


def _is_sendable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _signals(observed: object, mapping: DsjsonMapping) -> Iterator[str]:
    """Yield the signals of one observation: a name, the features of an object (`v=skip`), or by the rules."""
    match observed:
        case dict():
            yield from (str(feature).removeprefix("v=") for feature, weight in observed.items() if weight)
            return
        case list():
            yield from (signal for one in observed for signal in _signals(one, mapping))
            return
        case bool():
            observed = int(observed)
    try:
        value = number(observed)
    except ValueError:
        yield str(observed)
        return
    if value is not None:
        yield from (rule.signal for rule in mapping.signals if rule.means(value))
