"""One row of a log becomes one impression and its feedback, as the mapping declares. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Lookup
from typing import Any, NamedTuple, Protocol

from groundswell.events import Action, FeatureValue, Feedback, Impression
from processors.admission.as_meant import near_probability
from streams.replay import cell_values
from streams.replay.cell_values import feature_value, number, shortened, truth
from streams.replay.event_times import milliseconds
from streams.replay.left_out import Place, RowError
from streams.replay.mapping import FeedbackColumn, Mapping, Moment

IMPRESSION_ID, OCCURRED_AT, ACTION = "@impression_id", "@occurred_at", "@action"
"""Columns that reading adds to each row: id, time in ms, and shown action."""
ID_SEPARATOR = ":"

Row = Lookup[str, Any]

_PER_MILLISECOND = {"s": 0.001, "ms": 1, "us": 1_000, "ns": 1_000_000}


class Told(NamedTuple):
    """What one row tells of an impression's feedback, or what is wrong with that.

    `place` is a row of a file of feedback, None where it is the impression's own row. Each piece has the field of the
    mapping that it is by.
    """

    pieces: list[tuple[str, Feedback]]
    place: Place | None = None
    error: RowError | None = None


class Interpreted(NamedTuple):
    """An impression and what rows tell of its feedback."""

    impression: Impression
    told: list[Told]


class FeedbackRows(Protocol):
    """The rows of a file of feedback, by what they refer to."""

    def of(self, key: str) -> Iterator[tuple[Place, Row]]:
        """Yield the rows of one key."""


def time_of(column: str) -> str:
    """Return the name of the added column with the time in ms that `column` holds."""
    return f"@time.{column}"


def time_in(row: Row, moment: Moment, field: str) -> int | None:
    """Return a time of a row in ms, None where there is none. Raises RowError."""
    try:
        return milliseconds(row[moment.column], moment.unit)
    except ValueError as error:
        raise RowError(field, f"column {moment.column!r}: {error}") from error


def action_names(cell: object, mapping: Mapping) -> list[str]:
    """Return the action set that a row holds. Raises RowError."""
    declared = mapping.action.set
    assert declared.column is not None  # the mapping was checked for it
    if cell is None:
        raise _empty("action.set", declared.column)
    try:
        return cell_values.names(cell, declared.separator)
    except ValueError as error:
        raise RowError("action.set", f"column {declared.column!r}: {error}") from error


def identity(row: Row, mapping: Mapping) -> tuple[str, int, str]:
    """Return impression id, time in ms and shown action of a row as it was read. Raises RowError."""
    parts = [_name(row, column, "impression_id") for column in mapping.impression_id]
    occurred_at = time_in(row, mapping.occurred_at, "occurred_at")
    if occurred_at is None:
        raise _empty("occurred_at", mapping.occurred_at.column)
    return ID_SEPARATOR.join(parts), occurred_at, _shown_action(row, mapping)


def _shown_action(row: Row, mapping: Mapping) -> str:
    declared = mapping.action
    if declared.index_from is not None:
        return _indexed_action(row, mapping, declared.index_from)
    if declared.first_of is None and declared.missing is None:
        return _name(row, declared.column, "action")
    try:
        shown = cell_values.name(row[declared.column])
    except ValueError as error:
        raise RowError("action", f"column {declared.column!r}: {error}") from error
    if shown is not None and declared.first_of is not None:
        shown = shown.split(declared.first_of)[0] or None
    shown = shown or declared.missing
    if shown is None:
        raise _empty("action", declared.column)
    return shown


def _indexed_action(row: Row, mapping: Mapping, first: int) -> str:
    declared = mapping.action
    names = declared.set.listed or action_names(row[declared.set.column or ""], mapping)
    place = _number(row, declared.column, "action")
    if place is None:
        raise _empty("action", declared.column)
    if place != int(place) or not 0 <= place - first < len(names):
        raise RowError(
            "action",
            f"column {declared.column!r}: {place} is no place in a set of {len(names)} actions, counted from {first}"
            + _counted_otherwise(place - first, len(names), first),
        )
    return names[int(place) - first]


def _counted_otherwise(index: float, count: int, first: int) -> str:
    """Return what to do where an index misses the set by one, as all do that are counted from another number."""
    other = first + 1 if index == count else first - 1
    return (
        f"; if it is counted from {other}, say index_from = {other}" if index in {-1, count} and other in {0, 1} else ""
    )


class RowInterpreter:
    """Turns rows into messages, or says what is wrong with a row.

    `actions` is the set that all rows share, empty where the mapping declares one per row; `frequencies` is
    each action's share of the rows, for the mapping that asks for it as the propensity. `feedback_rows` are the files
    of feedback by the name of their table.
    """

    def __init__(
        self,
        mapping: Mapping,
        actions: Sequence[Action],
        frequencies: Lookup[str, float],
        feedback_rows: Lookup[str, FeedbackRows] | None = None,
    ) -> None:
        self._mapping = mapping
        self._actions = list(actions)
        self._position = {action.id: position for position, action in enumerate(actions)}
        self._frequencies = frequencies
        self._feedback_rows = feedback_rows or {}
        self._own = [one for one in mapping.feedback if mapping.table_of_feedback(one) is None]
        self._by_table = {
            table: [one for one in mapping.feedback if mapping.table_of_feedback(one) == table]
            for table in sorted(mapping.feedback_tables())
        }

    def interpret(self, row: Row) -> Interpreted:
        """Return the impression of one row and what is told of its feedback.

        Raises RowError with the field that is wrong.
        """
        impression = self._impression(row)
        told = [Told([piece for declared in self._own for piece in self._pieces(row, impression, declared)])]
        for table, declarations in self._by_table.items():
            on = self._mapping.tables[table].on or self._mapping.tables[table].key
            told += self._told_elsewhere(table, _name(row, on, f"tables.{table}.on"), row, impression, declarations)
        return Interpreted(impression, told)

    def _told_elsewhere(
        self, table: str, key: str, row: Row, impression: Impression, declarations: Sequence[FeedbackColumn]
    ) -> Iterator[Told]:
        for place, piece in self._feedback_rows[table].of(key):
            both = {**row, **piece}
            try:
                found = [one for declared in declarations for one in self._pieces(both, impression, declared, table)]
                yield Told(found, place)
            except RowError as error:
                yield Told([], place, error)

    def _impression(self, row: Row) -> Impression:
        mapping = self._mapping
        actions, chosen = self._choice(row, row[ACTION])
        weight = _number(row, mapping.weight, "weight")
        policy_version = _number(row, mapping.policy_version, "policy_version")
        if policy_version is not None and policy_version != int(policy_version):
            raise RowError("policy_version", f"column {mapping.policy_version!r}: {policy_version} is no whole number")
        return Impression(
            schema_version=1,
            impression_id=row[IMPRESSION_ID],
            occurred_at=row[OCCURRED_AT],
            model=mapping.model,
            context=self._context(row),
            actions=actions,
            chosen=chosen,
            probabilities=self._probabilities(row),
            propensity=self._propensity(row, row[ACTION]),
            policy_version=None if policy_version is None else int(policy_version),
            weight=1.0 if weight is None else weight,
        )

    def _choice(self, row: Row, action: str) -> tuple[list[Action], int]:
        declared = self._mapping.action.set
        if declared.column is None:
            actions, position = self._actions, self._position
        else:
            names = action_names(row[declared.column], self._mapping)
            actions = [Action(name) for name in names]
            position = {name: index for index, name in enumerate(names)}
        if action not in position:
            offered = shortened(", ".join(position))
            raise RowError("action", f"{shortened(action)} is not in the action set, {offered}; see `action.set`")
        return actions, position[action]

    def _context(self, row: Row) -> dict[str, FeatureValue]:
        context: dict[str, FeatureValue] = {}
        for name, declared in self._mapping.context.items():
            try:
                value = feature_value(row[declared.column], declared.type)
            except ValueError as error:
                raise RowError(f"context.{name}", f"column {declared.column!r}: {error}") from error
            if value is not None:
                context[name] = value
        return context

    def _propensity(self, row: Row, action: str) -> float | None:
        declared = self._mapping.propensity
        if declared.estimate == "action_frequency":
            return self._frequencies[action]
        if declared.column is not None:
            logged = _number(row, declared.column, "propensity")
            if logged is None:
                raise _empty("propensity", declared.column)
            return near_probability(logged)
        return declared.constant

    def _probabilities(self, row: Row) -> list[float] | None:
        column = self._mapping.propensity.probabilities
        if column is None:
            return None
        if row[column] is None:
            raise _empty("propensity", column)
        try:
            return cell_values.probabilities(row[column], self._mapping.action.set.separator)
        except ValueError as error:
            raise RowError("propensity", f"column {column!r}: {error}") from error

    def _pieces(
        self, row: Row, impression: Impression, declared: FeedbackColumn, table: str | None = None
    ) -> Iterator[tuple[str, Feedback]]:
        """Yield the feedback that came back by this declaration, with its field. Raises RowError."""
        for signal in _signals(row, declared):
            occurred_at = self._feedback_time(row, impression.occurred_at, declared)
            # What the impression's own row tells, it tells once. Elsewhere a signal comes any number of times.
            identifier = f"{impression.impression_id}/{signal}" + ("" if table is None else f"/{occurred_at}")
            if declared.id is not None:
                identifier = f"{_name(row, declared.id, f'{declared.field}.id')}/{signal}"
            yield (
                declared.field,
                Feedback(
                    schema_version=1,
                    impression_id=impression.impression_id,
                    feedback_id=identifier,
                    occurred_at=occurred_at,
                    signal=signal,
                    value=_number(row, declared.value, f"{declared.field}.value"),
                ),
            )

    def _feedback_time(self, row: Row, shown_at: int, declared: FeedbackColumn) -> int:
        if declared.delay_ms is not None:
            return shown_at + declared.delay_ms
        if declared.at is not None:
            at: int | None = row[time_of(declared.at.column)]
            if at is None:
                raise _empty(f"{declared.field}.at", declared.at.column)
            return at
        assert declared.delay is not None  # the mapping was checked for it
        field = f"{declared.field}.delay"
        length = _number(row, declared.delay.column, field)
        if length is None:
            raise _empty(field, declared.delay.column)
        delay = int(length / _PER_MILLISECOND[declared.delay.unit])
        return shown_at + (delay if declared.delay.at_most_ms is None else min(delay, declared.delay.at_most_ms))


def _signals(row: Row, declared: FeedbackColumn) -> list[str]:
    """Return the signals that came back by this declaration. Raises RowError."""
    column = declared.signal_from or declared.column
    assert column is not None  # the mapping was checked for it
    try:
        if declared.signal is None:
            return cell_values.signals(row[column], declared.separator)
        return [declared.signal] if _came_back(row[column], declared) else []
    except ValueError as error:
        raise RowError(declared.field, f"column {column!r}: {error}") from error


def _came_back(cell: object, declared: FeedbackColumn) -> bool:
    if declared.present is not None:
        return cell is not None and cell not in ("", [])
    if declared.equals is not None:
        return cell_values.name(cell) == declared.equals
    if declared.above is None and declared.below is None:
        if isinstance(cell, list | dict):
            raise ValueError(f"{shortened(cell)} is not one value")
        return truth(cell)
    measured = number(int(cell) if isinstance(cell, bool) else cell)
    if measured is None:
        return False
    return measured > declared.above if declared.above is not None else measured < (declared.below or 0.0)


def _name(row: Row, column: str, field: str) -> str:
    try:
        found = cell_values.name(row[column])
    except ValueError as error:
        raise RowError(field, f"column {column!r}: {error}") from error
    if found is None:
        raise _empty(field, column)
    return found


def _number(row: Row, column: str | None, field: str) -> float | None:
    if column is None:
        return None
    try:
        return number(row[column])
    except ValueError as error:
        raise RowError(field, f"column {column!r}: {error}") from error


def _empty(field: str, column: str) -> RowError:
    return RowError(field, f"column {column!r} holds no usable value")
