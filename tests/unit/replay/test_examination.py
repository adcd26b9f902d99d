"""All rows are accounted for: impressions, repeats, and what is left out, by reason and place; in every file."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from processors.models.config import ModelConfig
from streams.replay.examination import ReplayError
from streams.replay.log_files import Log
from streams.replay.mapping import Mapping, MappingError
from streams.replay.standards import Standards
from tests.unit.replay.reading import complaints, read, summary

AT = 1_700_000_000_000


def mapping(**changes: Any) -> Mapping:
    declared: dict[str, Any] = {
        "model": "m",
        "impression_id": "id",
        "occurred_at": {"column": "at", "unit": "ms"},
        "action": {"column": "act", "set": ["a", "b", "c"]},
        "propensity": "p",
        "feedback": [{"signal": "click", "column": "click", "delay_ms": 1_000}],
    }
    return Mapping.model_validate(declared | changes)


def written(folder: Path, *rows: dict[str, Any], name: str = "log.jsonl") -> Path:
    """Write rows as JSON lines; what a row does not say is as in any good one."""
    path = folder / name
    good = [
        {"id": f"i{n}", "at": AT + n, "act": "abc"[n % 3], "p": 0.3333, "click": 0} | row for n, row in enumerate(rows)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in good))
    return path


@pytest.mark.parametrize("yes", [1, True, "yes", "true", 1.0, "1"])
@pytest.mark.parametrize("no", [0, False, "no", "", None, 0.0, "0", float("nan")])
def test_one_column_of_json_may_hold_several_types(tmp_path: Path, yes: object, no: object) -> None:
    log = Log(written(tmp_path, {"click": yes}, {"click": no}, {"click": 1}, {"click": False}), mapping())
    assert [len(feedback) for _, feedback in read(log)] == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"id": None}, "line 2: impression_id: column 'id' holds no usable value"),
        ({"id": ["i1"]}, "line 2: impression_id: column 'id': ['i1'] is not one value"),
        ({"id": "\ud83d"}, "line 2: column 'id': '\\ud83d' holds half of a surrogate pair"),
        ({"id": "x" * 257}, "line 2: impression_id: Expected `str` of length <= 256"),
        ({"at": None}, "line 2: occurred_at: column 'at' holds no usable value"),
        ({"at": [AT]}, "line 2: occurred_at: column 'at'"),
        ({"at": float("nan")}, "line 2: occurred_at: column 'at' holds no usable value"),
        ({"act": "d"}, "line 2: action: 'd' is not in the action set, 'a, b, c'"),
        ({"act": {"name": "a"}}, "line 2: action: column 'act': {'name': 'a'} is not one value"),
        ({"p": None}, "line 2: propensity: column 'p' holds no usable value"),
        ({"p": float("nan")}, "line 2: propensity: column 'p' holds no usable value"),
        ({"p": [0.5]}, "line 2: propensity: column 'p': [0.5] is not a number"),
        ({"p": 1.2}, "line 2: propensity: propensity of the chosen action is 1.2"),
        ({"click": "perhaps"}, "line 2: feedback.click: column 'click': 'perhaps' is neither true nor false"),
        ({"click": [True]}, "line 2: feedback.click: column 'click': [True] is not one value"),
        ({"at": 4_000_000_000_000}, "line 2: occurred_at: 2096-10-02T07:06:40+00:00 lies in the future"),
        ({"u": 2**70}, "line 2: column 'u': 1180591620717411303424 is beyond 64 bits; write it as a text"),
        ({"u": ["ann"]}, "line 2: context.u: column 'u': ['ann'] is not one value"),
        ({"u": "x" * 700_000}, "line 2: impression: 700"),
    ],
)
def test_a_row_that_is_wrong_is_left_out_and_spoils_no_other(
    tmp_path: Path, row: dict[str, Any], complaint: str
) -> None:
    path, declared = written(tmp_path, {"u": "ann"}, row, {}), mapping(context={"u": "u"})
    assert complaint in complaints(Log(path, declared))
    log = Log(path, declared)
    assert [impression.impression_id for impression, _ in read(log)] == ["i0", "i2"]
    assert (log.rows, log.left_out.total()) == (3, 1)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"id": "i1", "at"', "line 2: line: no JSON at character"),
        ("null", "line 2: line: expected an object"),
        ('"text"', "line 2: line: expected an object"),
        ("[" * 100_000, "line 2: line: no JSON that can be read"),
        ('{"id": ' + "9" * 5_000 + "}", "line 2: line: no JSON that can be read"),
    ],
)
def test_a_line_that_is_no_object_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    path = written(tmp_path, {}, {})
    path.write_text(path.read_text().replace("\n", f"\n{line}\n", 1))
    assert complaint in complaints(Log(path, mapping()))
    assert len(read(Log(path, mapping()))) == 2


def test_what_python_writes_as_json_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, {"u": float("nan")}, {"u": float("inf")}, {"u": 2.5}, {"u": None})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert [i.context for i, _ in read(Log(path, mapping(context={"u": "u"})))] == [{}, {}, {"u": 2.5}, {}]


def test_reasons_are_counted_and_the_first_of_each_is_told(tmp_path: Path) -> None:
    log = Log(written(tmp_path, {}, {"p": 0}, {"act": "d"}, {"p": None}, {"id": "i0x"}), mapping())
    found = summary(log)
    assert (found.rows, found.impressions) == (5, 2)
    assert found.refused == {"propensity": 2, "action": 1}
    assert "2 rows, the first: log.jsonl, line 2: propensity: propensity of the chosen action is 0" in found.reasons[0]
    assert next(iter(found.sums())) == "5 rows = 2 impressions + 0 repeated + 3 left out"


def test_text_that_parquet_holds_as_bytes_is_text(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {
            "id": [b"i1", b"i2", b"i3"],
            "at": [AT, AT + 1, AT + 2],
            "act": [b"a", b"b", b"c"],
            "p": [0.3, 0.3, 0.3],
            "user": [b"ann", "bén".encode(), b"\xff\xfe"],
            "kinds": [[b"click", b"like"], [], [b"like"]],
        }
    )
    rows.write_parquet(tmp_path / "log.parquet")
    declared = mapping(
        context={"user": {"column": "user", "type": "category"}},
        feedback=[{"signal_from": "kinds", "delay_ms": 1}],
    )
    assert "row 3: context.user: column 'user': b'\\xff\\xfe' is no text" in complaints(
        Log(tmp_path / "log.parquet", declared)
    )
    found = read(Log(tmp_path / "log.parquet", declared))
    assert [(i.impression_id, i.context["user"], [f.signal for f in told]) for i, told in found] == [
        ("i1", "ann", ["click", "like"]),
        ("i2", "bén", []),
    ]


ELSEWHERE = {
    "tables": {"clicks": {"path": "clicks.csv", "key": "impression", "on": "id"}},
    "feedback": [{"signal_from": "clicks.kind", "at": {"column": "clicks.at", "unit": "ms"}}],
}


def test_feedback_lies_in_a_file_of_its_own_any_number_of_pieces_each(tmp_path: Path) -> None:
    path = written(tmp_path, {}, {}, {})
    (tmp_path / "clicks.csv").write_text(
        "impression,kind,at\n"
        f"i0,click,{AT + 500}\ni0,share,{AT + 900}\ni0,click,{AT + 950}\n"  # a second click is no retry
        f"i1,click,{AT + 600}\ni1,click,{AT + 600}\n"  # the same once more is
        f"i2,,{AT + 700}\n"
        f"nobody,click,{AT + 800}\n"
        f"i1,click,soon\ni1,click\ni2,click,{AT - 60_000}\n"
    )
    log = Log(path, mapping(**ELSEWHERE))
    [clicks] = summary(log).feedback_files
    assert (clicks.rows, clicks.joined, clicks.stray, clicks.left_out, clicks.repeats) == (10, 6, 1, 3, 1)
    found = read(Log(path, mapping(**ELSEWHERE)))
    assert [[f.signal for f in feedback] for _, feedback in found] == [["click", "share", "click"], ["click"], []]
    assert len({f.feedback_id for _, feedback in found for f in feedback}) == 4
    told = complaints(Log(path, mapping(**ELSEWHERE)))
    assert "clicks.csv, line 9: feedback.at: column 'clicks.at': 'soon' is no number of ms" in told
    assert "clicks.csv, line 10: columns: 2 values, expected 3" in told
    assert "clicks.csv, line 11: feedback.clicks.kind.at: 60002 ms before the impression" in told


def test_a_retry_is_known_by_its_id(tmp_path: Path) -> None:
    path = written(tmp_path, {})
    (tmp_path / "clicks.jsonl").write_text(
        "".join(
            json.dumps({"impression": "i0", "kind": ["click", "like"], "at": AT + delay, "event": event}) + "\n"
            for delay, event in ((500, "e1"), (700, "e1"), (700, "e2"))
        )
    )
    declared = mapping(
        tables={"clicks": {"path": "clicks.jsonl", "key": "impression", "on": "id"}},
        feedback=[
            {"signal_from": "clicks.kind", "at": {"column": "clicks.at", "unit": "ms"}, "id": "clicks.event"},
        ],
    )
    [(_, feedback)] = read(Log(path, declared))
    assert [(f.signal, f.feedback_id) for f in feedback] == [
        ("click", "e1/click"),
        ("like", "e1/like"),
        ("click", "e2/click"),
        ("like", "e2/like"),
    ]


def test_no_more_pieces_than_the_join_takes_are_sent(tmp_path: Path) -> None:
    path = written(tmp_path, {})
    lines = "".join(f"i0,click,{AT + n}\n" for n in range(70))
    (tmp_path / "clicks.csv").write_text("impression,kind,at\n" + lines)
    [clicks] = summary(Log(path, mapping(**ELSEWHERE))).feedback_files
    assert (clicks.rows, clicks.joined, clicks.left_out) == (70, 64, 6)
    assert [len(feedback) for _, feedback in read(Log(path, mapping(**ELSEWHERE)))] == [64]


def test_a_table_that_context_is_read_from_has_one_row_a_key(tmp_path: Path) -> None:
    path = written(tmp_path, {})
    (tmp_path / "clicks.csv").write_text(f"impression,kind,at,device\ni0,click,{AT},tv\ni0,share,{AT},tv\n")
    with pytest.raises(MappingError, match=r"tables\.clicks\.key: 1 of 2 rows .* repeat an earlier 'impression'"):
        Log(path, mapping(**ELSEWHERE, context={"device": "clicks.device"}))


def test_wrong_rows_of_a_side_table_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, {}, {})
    (tmp_path / "users.csv").write_text("id,age\ni0,31\ni1,5,2\n")
    log = Log(path, mapping(context={"age": "users.age"}, tables={"users": {"path": "users.csv", "key": "id"}}))
    assert "users.csv, line 3: columns: 3 values, expected 2" in complaints(log)


@pytest.mark.parametrize(
    ("unit", "times", "likely"),
    [("ms", 1_700_000_000, "s"), ("s", 1_700_000_000_000, "ms"), ("ms", 1_700_000_000_000_000, "us")],
)
def test_times_in_another_unit_are_refused(tmp_path: Path, unit: str, times: int, likely: str) -> None:
    path = written(tmp_path, {"at": times}, {"at": times + 1})
    with pytest.raises(MappingError, match=rf"occurred_at\.unit: '{unit}' puts all times of .* look like '{likely}'"):
        Log(path, mapping(occurred_at={"column": "at", "unit": unit}))


@pytest.mark.parametrize("declared", [{}, {"sorted_by_time": True}])
def test_a_row_with_the_id_of_an_earlier_one_is_left_out_on_request(tmp_path: Path, declared: dict[str, Any]) -> None:
    path = written(tmp_path, {}, {"id": "i0"}, {})
    with pytest.raises(MappingError, match=r"impression_id: 1 of 3 rows .* an earlier one, the first in line 2"):
        Log(path, mapping(**declared))
    log = Log(path, mapping(bad_rows="skip", **declared))
    assert [impression.occurred_at - AT for impression, _ in read(log)] == [0, 2]
    assert log.left_out.counts == {"impression_id": 1}


def test_a_log_that_is_not_in_order_is_named(tmp_path: Path) -> None:
    log = Log(written(tmp_path, {}, {"at": AT - 5}), mapping(sorted_by_time=True))
    with pytest.raises(ReplayError, match=r"log\.jsonl, line 2: 5 ms before an earlier row; remove sorted_by_time"):
        read(log)


@pytest.mark.parametrize("declared", [{}, {"sorted_by_time": True}, {"sorted_by_time": True, "deduplicate": "id"}])
def test_a_log_is_read_the_same_however_it_is_held(tmp_path: Path, declared: dict[str, Any]) -> None:
    log = Log(written(tmp_path, *[{}] * 20), mapping(**declared))
    assert [impression.impression_id for impression, _ in read(log)] == [f"i{n}" for n in range(20)]


def test_a_model_that_the_configuration_lacks_is_refused() -> None:
    standards = Standards({"shop": ModelConfig(name="shop", definitely_negative=frozenset({"dislike"}))})
    standards.check_model("shop")
    with pytest.raises(MappingError, match=r"has no model .m., it has shop: add a section \[models.m\]"):
        standards.check_model("m")


def test_an_impression_that_no_record_holds_is_refused(tmp_path: Path) -> None:
    actions = [f"{'long name ' * 20}{n}" for n in range(9_000)]
    log = Log(written(tmp_path, {"act": actions[0]}), mapping(action={"column": "act", "set": actions}))
    assert "line 1: impression: 1" in complaints(log)


def test_feedback_beyond_the_wait_is_counted(tmp_path: Path) -> None:
    log = Log(written(tmp_path, {"click": 1}, {"click": 1}), mapping())
    assert summary(log, Standards(wait_ms=999)).late == 2


@pytest.mark.parametrize("sorted_by_time", [False, True])
def test_a_time_that_parquet_holds_as_one_is_a_text_wherever_it_names_something(
    tmp_path: Path, *, sorted_by_time: bool
) -> None:
    days = [datetime.date(2026, 11, day) for day in (1, 2, 3)]
    rows = {"id": days, "at": [AT, AT + 1, AT + 2], "act": days, "p": [0.5, 0.5, 0.5], "day": days, "told": days}
    pl.DataFrame(rows).write_parquet(tmp_path / "log.parquet")
    declared = mapping(
        action={"column": "act"},
        context={"day": "day", "named": {"column": "day", "type": "category"}},
        feedback=[{"signal_from": "told", "delay_ms": 1}],
        sorted_by_time=sorted_by_time,
    )
    encoded = [
        (json.loads(msgspec.json.encode(impression)), [json.loads(msgspec.json.encode(one)) for one in feedback])
        for impression, feedback in read(Log(tmp_path / "log.parquet", declared))
    ]
    texts = [day.isoformat() for day in days]
    assert [impression["impression_id"] for impression, _ in encoded] == texts
    assert [impression["context"] for impression, _ in encoded] == [{"day": day, "named": day} for day in texts]
    assert [impression["actions"][impression["chosen"]]["id"] for impression, _ in encoded] == texts
    assert [feedback[0]["signal"] for _, feedback in encoded] == texts
