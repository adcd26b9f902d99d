"""Reading logs: formats, times, side tables, duplicates, action sets, and what does not fit."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from streams.replay.log_files import Log
from streams.replay.mapped_rows import ACTION, IMPRESSION_ID, OCCURRED_AT
from streams.replay.mapping import Mapping, MappingError


def mapping(**changes: Any) -> Mapping:
    declared: dict[str, Any] = {
        "model": "news",
        "impression_id": "request",
        "occurred_at": {"column": "at", "unit": "s"},
        "action": {"column": "article"},
        "propensity": "p",
        "feedback": [{"signal": "click", "column": "clicked", "delay_ms": 1_000}],
    }
    return Mapping.model_validate(declared | changes)


def table(**changes: list[Any]) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {
        "request": ["007", "008", "009"],
        "at": [30, 10, 20],
        "article": ["10", "9", "10"],
        "p": [0.5, 0.25, 0.5],
        "clicked": [1, 0, 1],
    }
    return pl.DataFrame(columns | changes)


def _gzipped(write: Callable[[pl.DataFrame, Path], object]) -> Callable[[pl.DataFrame, Path], None]:
    def written(rows: pl.DataFrame, path: Path) -> None:
        plain = path.with_suffix("")
        write(rows, plain)
        path.write_bytes(gzip.compress(plain.read_bytes()))

    return written


def _zstd(write: Callable[[pl.DataFrame, Path], object]) -> Callable[[pl.DataFrame, Path], None]:
    def written(rows: pl.DataFrame, path: Path) -> None:
        plain = path.with_suffix("")
        write(rows, plain)
        path.write_bytes(zstandard.ZstdCompressor().compress(plain.read_bytes()))

    return written


WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "log.csv": lambda rows, path: rows.write_csv(path),
    "log.csv.gz": _gzipped(lambda rows, path: rows.write_csv(path)),
    "log.tsv": lambda rows, path: rows.write_csv(path, separator="\t"),
    "log.parquet": lambda rows, path: rows.write_parquet(path),
    "log.jsonl": lambda rows, path: rows.write_ndjson(path),
    "log.ndjson.gz": _gzipped(lambda rows, path: rows.write_ndjson(path)),
    "log.csv.zst": _zstd(lambda rows, path: rows.write_csv(path)),
    "log.jsonl.zst": _zstd(lambda rows, path: rows.write_ndjson(path)),
}


def opened(folder: Path, rows: pl.DataFrame, declared: Mapping, name: str = "log.parquet") -> Log:
    WRITERS[name](rows, folder / name)
    return Log(folder / name, declared)


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_reads_the_same(tmp_path: Path, name: str) -> None:
    log = opened(tmp_path, table(), mapping(), name)
    rows = [row for _, row in log.read(None)]
    assert [row[IMPRESSION_ID] for row in rows] == ["008", "009", "007"]
    assert [row[OCCURRED_AT] for row in rows] == [10_000, 20_000, 30_000]
    assert [row[ACTION] for row in rows] == ["9", "10", "10"]
    first = 2 if name.startswith(("log.csv", "log.tsv")) else 1
    assert [number - first for number, _ in log.read(None)] == [1, 2, 0]
    assert [action.id for action in log.actions] == ["9", "10"]
    assert log.frequencies == pytest.approx({"9": 1 / 3, "10": 2 / 3})


@pytest.mark.parametrize(
    ("unit", "cells", "expected"),
    [
        ("s", [1, 2, 3], [1_000, 2_000, 3_000]),
        ("s", [1.5, 2.0, 3.25], [1_500, 2_000, 3_250]),
        ("s", ["1.5", "2", "3"], [1_500, 2_000, 3_000]),
        ("ms", [1_650_812_741_436, 2, 3], [2, 3, 1_650_812_741_436]),
        ("us", [1_999, 2_000, 3_000], [1, 2, 3]),
        ("ns", [1_700_000_000_123_456_789, 0, 1], [0, 0, 1_700_000_000_123]),
        (
            "iso",
            ["1970-01-01T00:00:01Z", "1970-01-01 00:00:02.5+00:00", "1970-01-01 01:00:03+01:00"],
            [1_000, 2_500, 3_000],
        ),
        ("iso", ["1970-01-01 00:00:01", "1970-01-01", "1970-01-02"], [0, 1_000, 86_400_000]),
        ("iso", [datetime(1970, 1, 1, 0, 0, s, tzinfo=UTC) for s in (1, 2, 3)], [1_000, 2_000, 3_000]),
        ("ms", [datetime(1970, 1, 1, 0, 0, s) for s in (1, 2, 3)], [1_000, 2_000, 3_000]),
        (
            "iso",
            ["1970-01-01 00:00:01 UTC", "1970-01-01 00:00:02.5 UTC", "1970-01-01 00:00:03 GMT"],
            [1_000, 2_500, 3_000],
        ),
        ("s", ["1605460141.836", "1", "2.0"], [1_000, 2_000, 1_605_460_141_836]),
        ("iso", ["2020-11-15T17:09:01.836Z", "1970-01-01", "1970-01-02"], [0, 86_400_000, 1_605_460_141_836]),
    ],
)
def test_times_become_milliseconds(tmp_path: Path, unit: str, cells: list[Any], expected: list[int]) -> None:
    log = opened(tmp_path, table(at=cells), mapping(occurred_at={"column": "at", "unit": unit}))
    assert [row[OCCURRED_AT] for _, row in log.read(None)] == expected


def test_of_repeated_rows_the_first_of_the_file_counts(tmp_path: Path) -> None:
    rows = table(request=["a", "b", "a"], at=[5, 6, 4], article=["x", "y", "z"])
    log = opened(tmp_path, rows, mapping(deduplicate="request"))
    assert (log.rows, log.duplicates) == (3, 1)
    assert [(row[IMPRESSION_ID], row[ACTION]) for _, row in log.read(None)] == [("a", "x"), ("b", "y")]
    assert log.frequencies == {"x": 0.5, "y": 0.5}, "the dropped row counts nowhere"


def test_a_limit_takes_the_earliest(tmp_path: Path) -> None:
    log = opened(tmp_path, table(), mapping())
    assert [row[IMPRESSION_ID] for _, row in log.read(2)] == ["008", "009"]


def test_an_id_is_built_from_several_columns(tmp_path: Path) -> None:
    log = opened(tmp_path, table(request=["a", "a", "a"]), mapping(impression_id=["request", "at"]))
    assert [row[IMPRESSION_ID] for _, row in log.read(None)] == ["a:10", "a:20", "a:30"]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"set": "distinct", "missing": "unknown"}, ["2", "10,7", "unknown"]),
        ({"set": "distinct", "first_of": ",", "missing": "unknown"}, ["2", "10", "unknown"]),
        ({"set": ["b", "a"]}, ["b", "a"]),
        ({"set": {"table": "items"}}, ["2", "10"]),
        ({"set": {"column": "clicked"}}, []),
    ],
)
def test_the_action_set_is_what_the_mapping_says(tmp_path: Path, declared: dict[str, Any], expected: list[str]) -> None:
    (tmp_path / "items.csv").write_text("id,price\n10,1.5\n2,0.5\n")
    log = opened(
        tmp_path,
        table(article=["10,7", "2", ""]),
        mapping(action={"column": "article"} | declared, tables={"items": {"path": "items.csv", "key": "id"}}),
    )
    assert [action.id for action in log.actions] == expected


def test_side_tables_give_context_and_action_features(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("user_id,age\n007,31\n008,52\n")
    (tmp_path / "items.csv").write_text("id,price\n9,1.5\n10,\n")
    declared = mapping(
        context={"age": "users.age"},
        action={"column": "article", "features": {"price": "items.price"}},
        tables={
            "users": {"path": "users.csv", "key": "user_id", "on": "request"},
            "items": {"path": "items.csv", "key": "id"},
        },
    )
    log = opened(tmp_path, table(), declared, "log.csv")
    assert [row["users.age"] for _, row in log.read(None)] == [52, None, 31], "a row without a match stays"
    assert {action.id: action.features for action in log.actions} == {"9": {"price": 1.5}, "10": {}}


def test_nested_json_is_read_by_dotted_names(tmp_path: Path) -> None:
    rows = table(user=[{"age": 1}, {"age": 2}, {"age": 3}])
    log = opened(tmp_path, rows, mapping(context={"age": "user.age"}), "log.jsonl")
    assert [row["user.age"] for _, row in log.read(None)] == [2, 3, 1]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"propensity": "pp"}, "propensity: log.parquet has no column 'pp'; did you mean 'p'"),
        ({"context": {"age": "user.age"}}, "context.age: log.parquet has no column 'user.age'"),
        ({"impression_id": ["article", "p"]}, "impression_id: 1 of 3 rows of"),
        (
            {"context": {"age": "t.age"}, "tables": {"t": {"path": "no.csv", "key": "id"}}},
            "no.csv: no such file",
        ),
        (
            {"context": {"age": "t.age"}, "tables": {"t": {"path": ".", "key": "id"}}},
            "is a folder; name a file in it",
        ),
        (
            {"context": {"age": "t.age"}, "tables": {"t": {"path": "u.csv", "key": "id"}}},
            "tables.t.on: log.parquet has no column 'id'",
        ),
        (
            {"context": {"age": "t.age"}, "tables": {"t": {"path": "t.csv", "key": "id", "on": "request"}}},
            "tables.t.key: 1 of 2 rows of",
        ),
        (
            {"context": {"a": "t.aeg"}, "tables": {"t": {"path": "t.csv", "key": "id", "on": "request"}}},
            "context.a: t.csv has no column 'aeg'; did you mean 'age'?",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    (tmp_path / "t.csv").write_text("id,age\n007,1\n007,2\n")
    (tmp_path / "u.csv").write_text("id,age\n007,1\n")
    with pytest.raises(MappingError) as refused:
        opened(tmp_path, table(), mapping(**changes))
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("log.xlsx", b"x", "There are .csv"),
        ("log.parquet", b"not parquet", "is no Parquet"),
        ("log.csv", b"", "cannot be read"),
        ("log.csv", b"\n\n", "it is empty"),
    ],
)
def test_an_unreadable_log_is_named(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MappingError) as refused:
        Log(tmp_path / name, mapping())
    assert complaint in str(refused.value)
    assert name in str(refused.value)
