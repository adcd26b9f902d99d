"""How a log of decisions is to be read as impressions and feedback: a declaration in TOML, checked before use.

Nothing is guessed: a time has a unit, and a propensity that was not logged has to be asked for by name.
Columns of a side table are written `table.column`; fields of nested JSON are written with dots too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from groundswell.events import NONE_SIGNAL
from streams.replay.columns_used_twice import Role, Use, misread

TimeUnit = Literal["s", "ms", "us", "ns", "iso"]
FeatureType = Literal["category", "number", "boolean"]
ColumnName = str
Name = Annotated[str, Field(min_length=1, max_length=128)]


class MappingError(ValueError):
    """A mapping that cannot be used, or does not fit its log. Says in which field, and what to do."""


def _column_shorthand(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


def _one_or_several(value: object) -> object:
    return [value] if isinstance(value, str) else value


Columns = Annotated[tuple[ColumnName, ...], BeforeValidator(_one_or_several), Field(min_length=1)]


class Declaration(BaseModel):
    """Part of a mapping: what it does not know it refuses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def _require_one_of(self, *names: str) -> None:
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of {', '.join(names)}, got {', '.join(given) or 'none'}")


class Moment(Declaration):
    """A column that holds a time since 1970 in `unit`, or ISO 8601 (UTC where it names no zone)."""

    column: ColumnName
    unit: TimeUnit


class Duration(Declaration):
    """A column that holds a length of time; a longer one than `at_most_ms` counts as `at_most_ms`."""

    column: ColumnName
    unit: Literal["s", "ms", "us", "ns"]
    at_most_ms: int | None = Field(default=None, ge=0)


class FeatureColumn(Declaration):
    """A column that becomes a feature, of the log's own type if none is given; a missing value is left out."""

    column: ColumnName
    type: FeatureType | None = None


FeatureDeclaration = Annotated[FeatureColumn, BeforeValidator(_column_shorthand)]


class ActionSet(Declaration):
    """What could have been shown.

    Written `"distinct"` (every action that occurs in the log), as a list of actions, as
    `{ table = "items" }` (every key of that side table), or as `{ column = "candidates" }` (a set of its own in
    each row: a list, or text cut at `separator`).
    """

    distinct: Literal[True] | None = None
    listed: tuple[str, ...] | None = Field(default=None, min_length=1)
    table: str | None = None
    column: ColumnName | None = None
    separator: str = Field(default=",", min_length=1)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        self._require_one_of("distinct", "listed", "table", "column")
        return self


def _action_set_shorthand(value: object) -> object:
    match value:
        case "distinct":
            return {"distinct": True}
        case list():
            return {"listed": [str(action) for action in value]}
        case _:
            return value


class ChosenAction(Declaration):
    """The column that names what was shown, and the set it was chosen from.

    `first_of` takes the first of several names that the separator divides; `missing` stands for an empty value. With
    `index_from` the column holds the action's place in the set, counted from 0 or from 1. `features` are columns of
    side tables whose key is the action.
    """

    column: ColumnName
    index_from: Literal[0, 1] | None = None
    first_of: str | None = Field(default=None, min_length=1)
    missing: Name | None = None
    set: Annotated[ActionSet, BeforeValidator(_action_set_shorthand)] = ActionSet(distinct=True)
    features: dict[Name, FeatureDeclaration] = {}

    @model_validator(mode="after")
    def _places_are_in_an_order(self) -> Self:
        if self.index_from is not None:
            if self.set.listed is None and self.set.column is None:
                raise ValueError("index_from: needs a set in an order of its own: a list, or { column = … }")
            if self.first_of is not None or self.missing is not None:
                raise ValueError("index_from: takes neither first_of nor missing, which are about names")
        return self


def _propensity_shorthand(value: object) -> object:
    if isinstance(value, float | int):
        return {"constant": value}
    return _column_shorthand(value)


class Propensity(Declaration):
    """The probability with which the shown action was chosen.

    Written as the name of a column; as a number where the log was made uniformly at random; as
    `{ probabilities = "column" }` where each row holds a list with one probability per action of a per-row set;
    or as `{ estimate = "action_frequency" }`: the action's share of all rows. That estimate is wrong wherever
    the choice depended on the context, so it has to be asked for by name.
    """

    column: ColumnName | None = None
    probabilities: ColumnName | None = None
    constant: float | None = Field(default=None, gt=0, le=1)
    estimate: Literal["action_frequency"] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        self._require_one_of("column", "probabilities", "constant", "estimate")
        return self


class FeedbackColumn(Declaration):
    """A column whose value says whether a signal came back, and when.

    `signal` came back where `column` is true (a number other than 0, or a word such as yes), `above` or `below`
    a number, `equals` a text, or `present` at all. Where the log names the signal itself, `signal_from` is the
    column that holds the name, empty where nothing came back, or several: a list, or a text cut at `separator`. The
    time of the feedback is `delay_ms` after the impression, or `delay` after it, or `at` a time of its own. `value` is
    a column for the feedback's value. `id` is one for its id, by which a retry is known.
    """

    signal: Name | None = None
    signal_from: ColumnName | None = None
    separator: str | None = Field(default=None, min_length=1)
    id: ColumnName | None = None
    column: ColumnName | None = None
    above: float | None = None
    below: float | None = None
    equals: str | None = None
    present: Literal[True] | None = None
    delay_ms: int | None = Field(default=None, ge=0)
    delay: Duration | None = None
    at: Moment | None = None
    value: ColumnName | None = None

    @property
    def field(self) -> str:
        """What to call this declaration in an error."""
        return f"feedback.{self.signal or self.signal_from}"

    def columns(self) -> Iterator[tuple[str, ColumnName]]:
        """Yield (field of the mapping, column that it reads)."""
        optional: dict[str, ColumnName | None] = {
            self.field: self.column or self.signal_from,
            f"{self.field}.delay": self.delay.column if self.delay else None,
            f"{self.field}.at": self.at.column if self.at else None,
            f"{self.field}.value": self.value,
            f"{self.field}.id": self.id,
        }
        yield from ((field, column) for field, column in optional.items() if column is not None)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._require_one_of("signal", "signal_from")
        self._require_one_of("delay_ms", "delay", "at")
        conditions = [name for name in ("above", "below", "equals", "present") if getattr(self, name) is not None]
        if len(conditions) > 1:
            raise ValueError(f"expected at most one condition, got {', '.join(conditions)}")
        if self.signal is not None and self.column is None:
            raise ValueError("column: missing, it says whether the signal came back")
        if self.signal_from is not None and (self.column is not None or conditions):
            raise ValueError("signal_from: takes neither column nor condition, an empty value is no feedback")
        if self.separator is not None and self.signal_from is None:
            raise ValueError("separator: divides the signals of signal_from, which is not given")
        if self.signal == NONE_SIGNAL:
            raise ValueError(f"signal: {NONE_SIGNAL!r} means that nothing came back, the join writes it itself")
        return self


class SideTable(Declaration):
    """A second file, found relative to the log; `on` is the log's name for its `key`.

    It has one row per key, unless nothing but feedback is read from it: then each row is a piece of feedback.
    """

    path: Path
    key: ColumnName
    on: ColumnName | None = None


class Mapping(Declaration):
    """The whole declaration.

    `bad_rows` says whether nothing is sent where a row makes no valid impression, or the rest is. `separator` divides
    the values of CSV and TSV (by default commas and tabulators do). `quotes` says whether values may be in quotation
    marks (by default they may in CSV, not in TSV), `breaks_in_values` whether those may go over several lines (by
    default where the lines would make no rows of their own).
    """

    model: Name
    impression_id: Columns
    occurred_at: Moment
    action: ChosenAction
    propensity: Annotated[Propensity, BeforeValidator(_propensity_shorthand)]
    context: dict[Name, FeatureDeclaration] = {}
    feedback: tuple[FeedbackColumn, ...] = Field(min_length=1)
    policy_version: ColumnName | None = None
    weight: ColumnName | None = None
    deduplicate: Columns | None = None
    tables: dict[Name, SideTable] = {}
    sorted_by_time: bool = False
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    quotes: bool | None = None
    breaks_in_values: bool | None = None
    bad_rows: Literal["stop", "skip"] = "stop"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        repeated = [s for s, count in Counter(f.signal for f in self.feedback if f.signal).items() if count > 1]
        if repeated:
            raise ValueError(f"feedback: signal {repeated[0]!r} is declared twice, name the two apart")
        if self.action.set.table is not None and self.action.set.table not in self.tables:
            raise ValueError(f"action.set.table: no [tables.{self.action.set.table}]")
        for name, feature in self.action.features.items():
            if self.table_of(feature.column) is None:
                raise ValueError(f"action.features.{name}: {feature.column!r} is not a column of a side table")
        if self.propensity.probabilities is not None and self.action.set.column is None:
            raise ValueError("propensity.probabilities: needs action.set.column, whose order they follow")
        wrong = misread(self._roles(), self._features())
        if wrong is not None:
            raise ValueError(wrong)
        pieces = self.feedback_tables()
        for feedback in self.feedback:
            tables = {self.table_of(column) for _, column in feedback.columns()} & pieces
            if len(tables) > 1:
                raise ValueError(f"{feedback.field}: reads from {' and '.join(sorted(map(str, tables)))}, expected one")
        return self

    def _roles(self) -> Iterator[Use]:
        """Yield the columns of which each says one thing and nothing else."""
        if len(self.impression_id) == 1:  # of several, each may mean something of its own
            yield Use("impression_id", self.impression_id[0], Role.IDENTITY)
        yield Use("action", self.action.column, Role.SHOWN)
        for field, column in (
            ("propensity", self.propensity.column),
            ("propensity.probabilities", self.propensity.probabilities),
        ):
            if column is not None:
                yield Use(field, column, Role.PROPENSITY)
        for feedback in self.feedback:
            # Its id and its time may be those of the impression, where the log has no others.
            shared = {feedback.id, feedback.at.column if feedback.at else None} & {
                *self.impression_id,
                self.occurred_at.column,
            }
            yield from (Use(f, column, Role.REACTION) for f, column in feedback.columns() if column not in shared)

    def _features(self) -> Iterator[tuple[str, ColumnName]]:
        yield from ((f"context.{name}", feature.column) for name, feature in self.context.items())
        yield from ((f"action.features.{name}", feature.column) for name, feature in self.action.features.items())

    def table_of(self, column: ColumnName) -> str | None:
        """Return the side table that `column` belongs to, or None if it is the log's own."""
        table, dot, _ = column.partition(".")
        return table if dot and table in self.tables else None

    def row_columns(self) -> Iterator[tuple[str, ColumnName]]:
        """Yield (field of the mapping, column that it reads in each row), side tables' columns included."""
        yield from (("impression_id", column) for column in self.impression_id)
        yield "occurred_at", self.occurred_at.column
        yield "action", self.action.column
        yield from (("deduplicate", column) for column in self.deduplicate or ())
        yield from ((f"context.{name}", feature.column) for name, feature in self.context.items())
        optional: dict[str, ColumnName | None] = {
            "action.set": self.action.set.column,
            "propensity": self.propensity.column,
            "propensity.probabilities": self.propensity.probabilities,
            "policy_version": self.policy_version,
            "weight": self.weight,
        }
        yield from ((field, column) for field, column in optional.items() if column is not None)
        for feedback in self.feedback:
            yield from feedback.columns()

    def feedback_tables(self) -> frozenset[str]:
        """Return the side tables whose rows are pieces of feedback: nothing else is read from them."""
        feedback = {self.table_of(column) for one in self.feedback for _, column in one.columns()}
        other = {self.table_of(column) for field, column in self.row_columns() if not field.startswith("feedback.")}
        other |= {self.table_of(feature.column) for feature in self.action.features.values()} | {self.action.set.table}
        return frozenset(name for name in feedback - other if name is not None)

    def table_of_feedback(self, feedback: FeedbackColumn) -> str | None:
        """Return the table whose rows are pieces of this feedback, None where the log's own rows tell of it."""
        tables = self.feedback_tables()
        return next((table for _, column in feedback.columns() if (table := self.table_of(column)) in tables), None)
