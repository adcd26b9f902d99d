"""One row of a log becomes one impression and its feedback, as the mapping declares. Pure."""

from __future__ import annotations

from collections.abc import Mapping as Lookup
from collections.abc import Sequence
from typing import Any

import msgspec

from groundswell.events import NONE_SIGNAL, Action, FeatureValue, Feedback, Impression, contradiction
from streams.replay.cell_values import feature_value, number, truth
from streams.replay.mapping import FeedbackColumn, Mapping

ROW, IMPRESSION_ID, OCCURRED_AT, ACTION = "@row", "@impression_id", "@occurred_at", "@action"
"""Columns that reading adds to each row: its number in the file from 0, id, time in ms, and shown action."""

Row = Lookup[str, Any]
Interpreted = tuple[Impression, list[Feedback]]

_PER_MILLISECOND = {"s": 0.001, "ms": 1, "us": 1_000, "ns": 1_000_000}


class RowError(ValueError):
    """A row that makes no valid impression. `field` is the mapping's field, `detail` what is wrong with it."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


def time_of(column: str) -> str:
    """Return the name of the added column with the time in ms that `column` holds."""
    return f"@time.{column}"


_encode = msgspec.json.Encoder().encode
_decode_impression = msgspec.json.Decoder(Impression).decode
_decode_feedback = msgspec.json.Decoder(Feedback).decode


def checked_impression(impression: Impression) -> Impression:
    """Return the impression if the worker will accept it; a replay must not fill the dead-letter topic.

    Raises RowError.
    """
    try:
        _decode_impression(_encode(impression))
    except msgspec.ValidationError as error:
        raise RowError("impression", str(error)) from error
    if refused := contradiction(impression):
        raise RowError("impression", refused[1])
    return impression


def checked_feedback(feedback: Feedback, field: str) -> Feedback:
    """Return the feedback if the worker will accept it. Raises RowError, naming `field`."""
    try:
        _decode_feedback(_encode(feedback))
    except msgspec.ValidationError as error:
        raise RowError(field, str(error)) from error
    return feedback


class RowInterpreter:
    """Turns rows into messages that the worker accepts, or says why it would not accept them.

    `actions` is the set that all rows share, empty where the mapping declares one per row; `frequencies` is
    each action's share of the rows, for the mapping that asks for it as the propensity.
    """

    def __init__(self, mapping: Mapping, actions: Sequence[Action], frequencies: Lookup[str, float]) -> None:
        self._mapping = mapping
        self._actions = list(actions)
        self._position = {action.id: position for position, action in enumerate(actions)}
        self._frequencies = frequencies

    def interpret(self, row: Row) -> Interpreted:
        """Return the impression of one row and its feedback in the order of occurrence.

        Raises RowError with the field that is wrong.
        """
        impression = self._impression(row)
        feedback = [f for declared in self._mapping.feedback for f in self._feedback(row, impression, declared)]
        return impression, sorted(feedback, key=lambda f: f.occurred_at)

    def _impression(self, row: Row) -> Impression:
        mapping = self._mapping
        action = _required(row[ACTION], "action", mapping.action.column)
        actions, chosen = self._choice(row, action)
        weight = self._number(row, mapping.weight, "weight")
        policy_version = self._number(row, mapping.policy_version, "policy_version")
        impression = Impression(
            schema_version=1,
            impression_id=_required(row[IMPRESSION_ID], "impression_id", ", ".join(mapping.impression_id)),
            occurred_at=_required(row[OCCURRED_AT], "occurred_at", mapping.occurred_at.column),
            model=mapping.model,
            context=self._context(row),
            actions=actions,
            chosen=chosen,
            probabilities=self._probabilities(row),
            propensity=self._propensity(row, action),
            policy_version=None if policy_version is None else int(policy_version),
            weight=1.0 if weight is None else weight,
        )
        return checked_impression(impression)

    def _choice(self, row: Row, action: str) -> tuple[list[Action], int]:
        declared = self._mapping.action.set
        if declared.column is None:
            actions, position = self._actions, self._position
        else:
            cell = _required(row[declared.column], "action.set", declared.column)
            names = cell.split(declared.separator) if isinstance(cell, str) else [str(name) for name in cell]
            actions = [Action(name) for name in names]
            position = {name: index for index, name in enumerate(names)}
        if action not in position:
            raise RowError("action", f"{action!r} is not in the action set")
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
            logged: float = _required(self._number(row, declared.column, "propensity"), "propensity", declared.column)
            return logged
        return declared.constant

    def _probabilities(self, row: Row) -> list[float] | None:
        column = self._mapping.propensity.probabilities
        if column is None:
            return None
        cell = _required(row[column], "propensity", column)
        parts = cell.split(self._mapping.action.set.separator) if isinstance(cell, str) else list(cell)
        try:
            return [float(part) for part in parts]
        except (TypeError, ValueError) as error:
            raise RowError("propensity", f"column {column!r}: {cell!r} is not a list of numbers") from error

    def _feedback(self, row: Row, impression: Impression, declared: FeedbackColumn) -> list[Feedback]:
        signal = self._signal(row, declared)
        if signal is None:
            return []
        feedback = Feedback(
            schema_version=1,
            impression_id=impression.impression_id,
            feedback_id=f"{impression.impression_id}/{signal}",
            occurred_at=self._feedback_time(row, impression.occurred_at, declared),
            signal=signal,
            value=self._number(row, declared.value, f"{declared.field}.value"),
        )
        return [checked_feedback(feedback, declared.field)]

    def _signal(self, row: Row, declared: FeedbackColumn) -> str | None:
        """Return the signal that came back by this declaration, None if none did."""
        if declared.signal_from is not None:
            named = row[declared.signal_from]
            return None if named is None or str(named) in {"", NONE_SIGNAL} else str(named)
        assert declared.column is not None  # the mapping was checked for it
        cell = row[declared.column]
        try:
            return declared.signal if _came_back(cell, declared) else None
        except ValueError as error:
            raise RowError(declared.field, f"column {declared.column!r}: {error}") from error

    def _feedback_time(self, row: Row, shown_at: int, declared: FeedbackColumn) -> int:
        if declared.delay_ms is not None:
            return shown_at + declared.delay_ms
        if declared.at is not None:
            at: int = _required(row[time_of(declared.at.column)], f"{declared.field}.at", declared.at.column)
            if at < shown_at:
                raise RowError(f"{declared.field}.at", f"{shown_at - at} ms before the impression")
            return at
        assert declared.delay is not None  # the mapping was checked for it
        field = f"{declared.field}.delay"
        length = _required(self._number(row, declared.delay.column, field), field, declared.delay.column)
        delay = int(length / _PER_MILLISECOND[declared.delay.unit])
        if delay < 0:
            raise RowError(field, f"{delay} ms, before the impression")
        return shown_at + (delay if declared.delay.at_most_ms is None else min(delay, declared.delay.at_most_ms))

    def _number(self, row: Row, column: str | None, field: str) -> float | None:
        if column is None:
            return None
        try:
            return number(row[column])
        except ValueError as error:
            raise RowError(field, f"column {column!r}: {error}") from error


def _came_back(cell: object, declared: FeedbackColumn) -> bool:
    if declared.present is not None:
        return cell is not None and cell != ""
    if declared.equals is not None:
        return str(cell) == declared.equals
    if declared.above is None and declared.below is None:
        return truth(cell)
    measured = number(cell)
    if measured is None:
        return False
    return measured > declared.above if declared.above is not None else measured < (declared.below or 0.0)


def _required(value: Any, field: str, column: str) -> Any:
    if value is None:
        raise RowError(field, f"column {column!r} holds no usable value")
    return value
