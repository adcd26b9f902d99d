"""One row becomes one impression and its feedback, or an error that names the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from groundswell.events import Action, Feedback, Impression
from streams.replay.cell_values import feature_value, name, probabilities, truth
from streams.replay.event_times import Timestamp
from streams.replay.left_out import RowError
from streams.replay.mapped_rows import ACTION, IMPRESSION_ID, OCCURRED_AT, Interpreted, RowInterpreter, identity
from streams.replay.mapping import Mapping
from streams.replay.standards import Standards, without_repeats

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


class Judged:
    """A row as it is interpreted and then judged by what the worker takes."""

    def __init__(self, declared: Mapping) -> None:
        shares = {"a": 0.5, "b": 0.3, "c": 0.2}
        self._interpreter = RowInterpreter(declared, [Action(name) for name in "abc"], shares)

    def interpret(self, row: dict[str, Any]) -> tuple[Impression, list[Feedback]]:
        outcomes = [(1, self._interpreter.interpret(row))]
        [(_, outcome)] = Standards().judged(outcomes, "news", SHOWN_AT + 1_000_000)
        if isinstance(outcome, RowError):
            raise outcome
        return outcome.impression, without_repeats(outcome)[0]


def interpreter(**changes: Any) -> Judged:
    return Judged(mapping(**changes))


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
        ({}, {IMPRESSION_ID: "x" * 300}, "impression_id", "length <= 256"),
        ({}, {OCCURRED_AT: -5}, "occurred_at", "`int` >= 0"),
        ({}, {OCCURRED_AT: SHOWN_AT + 2_000_000}, "occurred_at", "2023-11-14T22:46:40+00:00 lies in the future"),
        (
            {"feedback": [{"signal": "click", "column": "clicked", "delay_ms": 2_000_000}]},
            {"clicked": 1},
            "feedback.click",
            "lies in the future",
        ),
        ({"policy_version": "v"}, {"v": 2.5}, "policy_version", "2.5 is no whole number"),
        ({}, {"p": True}, "propensity", "True is not a number"),
        ({}, {"p": "1_0"}, "propensity", "'1_0' is not a number"),
        ({}, {"clicked": [1]}, "feedback.click", "[1] is not one value"),
        ({"context": {"u": {"column": "u", "type": "category"}}}, {"u": ["a"]}, "context.u", "is not one value"),
        ({}, {"p": None}, "propensity", "'p' holds no usable value"),
        ({}, {"p": 0.0}, "propensity", "expected within (0, 1]"),
        ({}, {"p": "half"}, "propensity", "'half' is not a number"),
        ({}, {"clicked": "perhaps"}, "feedback.click", "neither true nor false"),
        (
            {"context": {"age": {"column": "age", "type": "number"}}},
            {"age": "old"},
            "context.age",
            "not a number",
        ),
        ({"context": {"tags": "tags"}}, {"tags": ["a"]}, "context.tags", "is not one value"),
        ({"weight": "w"}, {"w": -1}, "weight", "weight is -1"),
        (
            {"feedback": [{"signal": "c", "column": "clicked", "delay": {"column": "d", "unit": "ms"}}]},
            {"clicked": 1, "d": -60_001},
            "feedback.c.at",
            "60001 ms before the impression",
        ),
        (
            {"feedback": [{"signal": "c", "column": "clicked", "at": {"column": "t", "unit": "ms"}}]},
            {"clicked": 1, "@time.t": SHOWN_AT - 60_001},
            "feedback.c.at",
            "60001 ms before the impression, and the join takes 60000",
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


@pytest.mark.parametrize(
    ("changes", "cells", "field", "detail"),
    [
        ({}, {"article": None}, "action", "'article' holds no usable value"),
        ({}, {"article": ["b"]}, "action", "['b'] is not one value"),
        ({}, {"at": None}, "occurred_at", "'at' holds no usable value"),
        ({}, {"at": "yesterday"}, "occurred_at", "'yesterday' is no number of ms since 1970"),
        ({}, {"at": "2026-11-22T10:00:00Z"}, "occurred_at", 'it looks like ISO 8601: unit = "iso"'),
        ({}, {"at": True}, "occurred_at", "True is no number of ms"),
        ({"occurred_at": {"column": "at", "unit": "iso"}}, {"at": 17}, "occurred_at", "give the unit of the numbers"),
        ({}, {"request": None}, "impression_id", "'request' holds no usable value"),
        ({}, {"request": {"a": 1}}, "impression_id", "{'a': 1} is not one value"),
        (
            {"action": {"column": "article", "index_from": 0, "set": ["x"]}},
            {"article": 1},
            "action",
            "1 is no place in a set of 1 actions, counted from 0; if it is counted from 1, say index_from = 1",
        ),
        (
            {"action": {"column": "article", "index_from": 1, "set": ["x"]}},
            {"article": 0},
            "action",
            "say index_from = 0",
        ),
        ({"action": {"column": "article", "index_from": 1, "set": ["x"]}}, {"article": "b"}, "action", "not a number"),
    ],
)
def test_a_row_that_cannot_be_told_apart_is_refused(
    changes: dict[str, Any], cells: dict[str, Any], field: str, detail: str
) -> None:
    with pytest.raises(RowError) as refused:
        identity({"request": "r1", "at": SHOWN_AT, "article": "b"} | cells, mapping(**changes))
    assert refused.value.field == field
    assert detail in refused.value.detail


@pytest.mark.parametrize(
    ("declared", "cells", "shown"),
    [
        ({"index_from": 0, "set": ["x", "y"]}, {"article": 1}, "y"),
        ({"index_from": 1, "set": ["x", "y"]}, {"article": "1"}, "x"),
        ({"index_from": 0, "set": {"column": "offered"}}, {"article": 1.0, "offered": "x,y"}, "y"),
        ({"index_from": 0, "set": {"column": "offered"}}, {"article": 0, "offered": ["x", "y"]}, "x"),
        ({"set": {"column": "offered"}}, {"article": "y", "offered": '["x", "y"]'}, "y"),
    ],
)
def test_the_shown_action_may_be_told_by_its_place(declared: dict[str, Any], cells: dict[str, Any], shown: str) -> None:
    row = {"request": "r1", "at": SHOWN_AT} | cells
    assert identity(row, mapping(action={"column": "article"} | declared)) == ("r1", SHOWN_AT, shown)


@pytest.mark.parametrize(
    ("cell", "separator", "signals"),
    [
        (["click", "like"], None, ["click", "like"]),
        (["click", None, "none", "", "click"], None, ["click"]),
        ([], None, []),
        ('["click", "like"]', None, ["click", "like"]),
        ("click|like", "|", ["click", "like"]),
        ("click, like", ",", ["click", "like"]),
        ("click,like", None, ["click,like"]),
        (7, None, ["7"]),
    ],
)
def test_one_cell_may_hold_several_signals(cell: object, separator: str | None, signals: list[str]) -> None:
    declared = [{"signal_from": "outcome", "delay_ms": 0, "separator": separator}]
    _, feedback = interpreter(feedback=declared).interpret(row(outcome=cell))
    assert [f.signal for f in feedback] == signals
    assert len({f.feedback_id for f in feedback}) == len(signals)


@pytest.mark.parametrize("cell", [["click", {"kind": "like"}], "['click', 'like']", {"click": 1}])
def test_what_names_no_signal_is_refused(cell: object) -> None:
    with pytest.raises(RowError, match="column 'outcome'"):
        interpreter(feedback=[{"signal_from": "outcome", "delay_ms": 0}]).interpret(row(outcome=cell))


def test_feedback_stamped_shortly_before_its_impression_is_taken() -> None:
    declared = [{"signal": "c", "column": "clicked", "at": {"column": "t", "unit": "ms"}}]
    _, [feedback] = interpreter(feedback=declared).interpret(row(clicked=1, **{"@time.t": SHOWN_AT - 60_000}))
    assert feedback.occurred_at == SHOWN_AT - 60_000


@pytest.mark.parametrize(("logged", "sent"), [(1.0000001192092896, 1.0), (1.001, 1.0), (0.3333, 0.3333)])
def test_a_propensity_that_rounding_moved_is_taken(logged: float, sent: float) -> None:
    impression, _ = interpreter().interpret(row(p=logged))
    assert impression.chosen_propensity == sent


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ([1.0000001192092896, 0.0, -5.9604645e-08], [1.0, 0.0, 0.0]),
        ("0.333,0.333,0.333", [0.333, 0.333, 0.333]),
        ("[0.5, 0.5]", [0.5, 0.5]),
        ([0.33, 0.33, 0.33], [1 / 3, 1 / 3, 1 / 3]),
        ([0.5, 0.4], [0.5, 0.4]),
    ],
)
def test_probabilities_lose_what_rounding_did_to_them(cell: object, expected: list[float]) -> None:
    assert probabilities(cell, ",") == pytest.approx(expected)


def test_no_more_pieces_are_taken_than_the_join_takes() -> None:
    declared = [{"signal_from": "outcome", "delay_ms": 0}]
    interpreted = RowInterpreter(mapping(feedback=declared), [Action(n) for n in "abc"], {}).interpret(
        row(outcome=[f"s{number}" for number in range(65)])
    )
    assert isinstance(interpreted, Interpreted)
    pieces, repeats, [excess] = without_repeats(interpreted)
    assert (pieces, repeats) == ([], [])
    assert "64 pieces" in str(excess.error)


def test_a_word_that_is_no_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="'maybe' is neither true nor false"):
        truth("maybe")


@pytest.mark.parametrize(
    "read", [name, lambda value: feature_value(value, "category"), lambda value: feature_value(value, None)]
)
def test_a_time_that_names_something_is_plain_text(read: Callable[[object], object]) -> None:
    """Encoders take no text of another class, and a file of Parquet may hold times in any column."""
    found = read(Timestamp("2026-01-01T00:00:00"))
    assert (type(found), found) == (str, "2026-01-01T00:00:00")
