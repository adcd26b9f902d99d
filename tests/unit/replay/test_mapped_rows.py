"""One row becomes one impression and its feedback, or an error that names the field."""

from __future__ import annotations

from typing import Any

import pytest

from groundswell.events import Action
from streams.replay.cell_values import feature_value, truth
from streams.replay.mapped_rows import ACTION, IMPRESSION_ID, OCCURRED_AT, RowError, RowInterpreter
from streams.replay.mapping import Mapping

SHOWN_AT = 1_700_000_000_000


def mapping(**changes: Any) -> Mapping:
    declared: dict[str, Any] = {
        "model": "news",
        "impression_id": "request",
        "occurred_at": {"column": "at", "unit": "ms"},
        "action": {"column": "article"},
        "propensity": "p",
        "feedback": [{"signal": "click", "column": "clicked", "delay_ms": 1_000}],
    }
    return Mapping.model_validate(declared | changes)


def row(**cells: Any) -> dict[str, Any]:
    return {IMPRESSION_ID: "r1", OCCURRED_AT: SHOWN_AT, ACTION: "b", "p": 0.25, "clicked": 0} | cells


def interpreter(**changes: Any) -> RowInterpreter:
    return RowInterpreter(mapping(**changes), [Action("a"), Action("b"), Action("c")], {"a": 0.5, "b": 0.3, "c": 0.2})


def test_a_row_says_what_was_shown_and_how_likely_it_was() -> None:
    impression, feedback = interpreter().interpret(row())
    assert impression.impression_id == "r1"
    assert impression.occurred_at == SHOWN_AT
    assert impression.model == "news"
    assert impression.actions[impression.chosen].id == "b"
    assert impression.chosen_propensity == 0.25
    assert feedback == []


@pytest.mark.parametrize(
    ("propensity", "expected"),
    [("p", 0.25), (0.125, 0.125), ({"estimate": "action_frequency"}, 0.3)],
)
def test_propensity_is_logged_known_or_asked_for(propensity: object, expected: float) -> None:
    impression, _ = interpreter(propensity=propensity).interpret(row())
    assert impression.chosen_propensity == expected


@pytest.mark.parametrize(
    ("declared", "cells", "came_back"),
    [
        ({}, {"clicked": 1}, True),
        ({}, {"clicked": 0}, False),
        ({}, {"clicked": None}, False),
        ({}, {"clicked": float("nan")}, False),
        ({}, {"clicked": "yes"}, True),
        ({}, {"clicked": "False"}, False),
        ({}, {"clicked": "0.0"}, False),
        ({"above": 30}, {"clicked": 31}, True),
        ({"above": 30}, {"clicked": 30}, False),
        ({"above": 30}, {"clicked": None}, False),
        ({"below": 3}, {"clicked": "2"}, True),
        ({"below": 3}, {"clicked": 3}, False),
        ({"equals": "buy"}, {"clicked": "buy"}, True),
        ({"equals": "buy"}, {"clicked": "look"}, False),
        ({"present": True}, {"clicked": "2024-01-01"}, True),
        ({"present": True}, {"clicked": ""}, False),
    ],
)
def test_a_signal_came_back_where_its_column_says_so(
    declared: dict[str, Any], cells: dict[str, Any], came_back: bool
) -> None:
    column = {"signal": "click", "column": "clicked", "delay_ms": 1_000} | declared
    _, feedback = interpreter(feedback=[column]).interpret(row(**cells))
    assert [f.signal for f in feedback] == (["click"] if came_back else [])


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"delay_ms": 1_500}, 1_500),
        ({"delay": {"column": "played", "unit": "s"}}, 7_000),
        ({"delay": {"column": "played", "unit": "s", "at_most_ms": 5_000}}, 5_000),
        ({"delay": {"column": "played", "unit": "us"}}, 0),
        ({"at": {"column": "clicked_at", "unit": "ms"}}, 42),
    ],
)
def test_feedback_occurs_after_its_impression(declared: dict[str, Any], expected: int) -> None:
    column = {"signal": "click", "column": "clicked"} | declared
    cells = {"clicked": True, "played": 7, "@time.clicked_at": SHOWN_AT + 42}
    _, feedback = interpreter(feedback=[column]).interpret(row(**cells))
    assert [f.occurred_at - SHOWN_AT for f in feedback] == [expected]


def test_feedback_comes_in_the_order_of_occurrence_with_ids_of_its_own() -> None:
    declared = [
        {"signal": "read", "column": "read", "delay_ms": 9_000, "value": "seconds"},
        {"signal": "click", "column": "clicked", "delay_ms": 1_000},
    ]
    _, feedback = interpreter(feedback=declared).interpret(row(clicked=1, read=1, seconds=8.5))
    assert [(f.signal, f.value) for f in feedback] == [("click", None), ("read", 8.5)]
    assert len({f.feedback_id for f in feedback}) == 2


@pytest.mark.parametrize(("outcome", "signals"), [("like", ["like"]), ("", []), (None, []), ("none", [])])
def test_a_log_may_name_the_signal_itself(outcome: str | None, signals: list[str]) -> None:
    declared = [{"signal_from": "outcome", "delay_ms": 0}]
    _, feedback = interpreter(feedback=declared).interpret(row(outcome=outcome))
    assert [f.signal for f in feedback] == signals


@pytest.mark.parametrize(("candidates", "separator"), [(["x", "b", "y"], ","), ("x,b,y", ","), ("x|b|y", "|")])
def test_a_row_may_have_an_action_set_of_its_own(candidates: object, separator: str) -> None:
    action = {"column": "article", "set": {"column": "candidates", "separator": separator}}
    probabilities = [0.2, 0.5, 0.3] if isinstance(candidates, list) else separator.join(["0.2", "0.5", "0.3"])
    impression, _ = interpreter(action=action, propensity={"probabilities": "ps"}).interpret(
        row(candidates=candidates, ps=probabilities)
    )
    assert [a.id for a in impression.actions] == ["x", "b", "y"]
    assert impression.chosen == 1
    assert impression.chosen_propensity == 0.5


@pytest.mark.parametrize(
    ("cell", "declared", "expected"),
    [
        (39, "category", "39"),
        (39, None, 39),
        ("x", None, "x"),
        (True, None, True),
        (0.5, None, 0.5),
        ("2.5", "number", 2.5),
        ("", "number", None),
        (float("nan"), None, None),
        (float("inf"), "number", None),
        ("no", "boolean", False),
        (2, "boolean", True),
        (None, "category", None),
    ],
)
def test_cells_become_features_of_the_declared_type(cell: object, declared: Any, expected: object) -> None:
    value = feature_value(cell, declared)
    assert value == expected
    assert type(value) is type(expected)


def test_a_missing_value_is_left_out_of_the_context() -> None:
    impression, _ = interpreter(context={"age": "age", "city": "city"}).interpret(row(age=None, city="Oslo"))
    assert impression.context == {"city": "Oslo"}


@pytest.mark.parametrize(
    ("changes", "cells", "field", "detail"),
    [
        ({}, {ACTION: "z"}, "action", "'z' is not in the action set"),
        ({}, {ACTION: None}, "action", "'article' holds no usable value"),
        ({}, {OCCURRED_AT: None}, "occurred_at", "'at' holds no usable value"),
        ({}, {IMPRESSION_ID: None}, "impression_id", "'request' holds no usable value"),
        ({}, {IMPRESSION_ID: "x" * 300}, "impression", "length <= 256"),
        ({}, {OCCURRED_AT: -5}, "impression", "occurred_at"),
        ({}, {"p": None}, "propensity", "'p' holds no usable value"),
        ({}, {"p": 0.0}, "impression", "expected within (0, 1]"),
        ({}, {"p": "half"}, "propensity", "'half' is not a number"),
        ({}, {"clicked": "perhaps"}, "feedback.click", "neither true nor false"),
        (
            {"context": {"age": {"column": "age", "type": "number"}}},
            {"age": "old"},
            "context.age",
            "not a number",
        ),
        ({"context": {"tags": "tags"}}, {"tags": ["a"]}, "context.tags", "is not one value"),
        ({"weight": "w"}, {"w": -1}, "impression", "weight is -1"),
        (
            {"feedback": [{"signal": "c", "column": "clicked", "delay": {"column": "d", "unit": "ms"}}]},
            {"clicked": 1, "d": -3},
            "feedback.c.delay",
            "before the impression",
        ),
        (
            {"feedback": [{"signal": "c", "column": "clicked", "at": {"column": "t", "unit": "ms"}}]},
            {"clicked": 1, "@time.t": SHOWN_AT - 3},
            "feedback.c.at",
            "3 ms before the impression",
        ),
        (
            {"feedback": [{"signal_from": "outcome", "delay_ms": 0}]},
            {"outcome": "x" * 200},
            "feedback.outcome",
            "length <= 128",
        ),
    ],
)
def test_what_the_worker_would_refuse_is_refused_here(
    changes: dict[str, Any], cells: dict[str, Any], field: str, detail: str
) -> None:
    with pytest.raises(RowError) as refused:
        interpreter(**changes).interpret(row(**cells))
    assert refused.value.field == field
    assert detail in refused.value.detail


def test_a_word_that_is_no_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="'maybe' is neither true nor false"):
        truth("maybe")
