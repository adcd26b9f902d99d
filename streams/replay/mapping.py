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

    `first_of` takes the first of several names that the separator divides; `missing` stands for an empty value.
    `features` are columns of side tables whose key is the action.
    """

    column: ColumnName
    first_of: str | None = Field(default=None, min_length=1)
    missing: Name | None = None
    set: Annotated[ActionSet, BeforeValidator(_action_set_shorthand)] = ActionSet(distinct=True)
    features: dict[Name, FeatureDeclaration] = {}


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
    column that holds the name, empty where nothing came back. The time of the feedback is `delay_ms` after the
    impression, or `delay` after it, or `at` a time of its own. `value` is a column for the feedback's value.
    """

    signal: Name | None = None
    signal_from: ColumnName | None = None
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
        if self.signal == NONE_SIGNAL:
            raise ValueError(f"signal: {NONE_SIGNAL!r} means that nothing came back, the join writes it itself")
        return self


class SideTable(Declaration):
    """A second file, one row per `key`, found relative to the log; `on` is the log's name for the key."""

    path: Path
    key: ColumnName
    on: ColumnName | None = None


class Mapping(Declaration):
    """The whole declaration. `bad_rows` says whether a row that makes no valid impression ends the replay."""

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
        return self

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
        for feedback in self.feedback:
            field = feedback.field
            optional[field] = feedback.column or feedback.signal_from
            optional[f"{field}.delay"] = feedback.delay.column if feedback.delay else None
            optional[f"{field}.at"] = feedback.at.column if feedback.at else None
            optional[f"{field}.value"] = feedback.value
        yield from ((field, column) for field, column in optional.items() if column is not None)
