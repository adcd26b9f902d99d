"""Tables of odd but valid values, written to every format and read back: each row is an impression or is counted."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from streams.replay.dsjson import DecisionLog, DsjsonMapping
from streams.replay.log_files import Log
from streams.replay.mapping import Mapping
from tests.unit.replay.reading import read_with_summary, summary

pytestmark = pytest.mark.timeout(3_600)

AT = 1_700_000_000_000
COLUMNS = ("id", "at", "act", "p", "click", "kinds", "title")
ACTIONS = ["a", "b", "", 'c "quoted"', "d, e", "søt\t🍓"]

# Half surrogates can be written as JSON only; what they come to is tested by itself.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['24" lamp', '"Best of', 'of the year"', '""', "a,b", "a\tb", "line\nbreak", "\r\n", "\\N", "NULL", "none", "[",
     "[]", '["click"]', "NaN", "-0", "007", "1_0", "true", "\ufeff", "\x00", "\u2028", "  ", "'", "=1+1"]
)  # fmt: skip
rows = st.fixed_dictionaries(
    {
        "at": st.integers(AT - 10**9, AT + 10**9) | st.none(),
        "act": st.sampled_from(ACTIONS) | texts,
        "p": st.floats(0, 1)
        | st.sampled_from([1.0000001192092896, -5e-8, 5e-324, 2.0, math.nan, math.inf])
        | st.none(),
        "click": st.sampled_from(["0", "1", "true", "No", "", "perhaps"]),
        "kinds": texts,
        "title": texts | st.none(),
    }
)
tables = st.lists(rows, max_size=8)


def mapping(**changes: Any) -> Mapping:
    declared: dict[str, Any] = {
        "model": "m",
        "impression_id": "id",
        "occurred_at": {"column": "at", "unit": "ms"},
        "action": {"column": "act", "set": [name for name in ACTIONS if name]},
        "propensity": "p",
        "context": {"title": "title"},
        "feedback": [
            {"signal": "click", "column": "click", "delay_ms": 1_000},
            {"signal_from": "kinds", "delay_ms": 2_000},
        ],
    }
    return Mapping.model_validate(declared | changes)


def _delimited(separator: str, **options: Any) -> Callable[[Sequence[dict[str, Any]]], bytes]:
    def written(table: Sequence[dict[str, Any]]) -> bytes:
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=separator, **options)
        writer.writerow(COLUMNS)
        writer.writerows([row[column] for column in COLUMNS] for row in table)
        return text.getvalue().encode()

    return written


def _plain_tsv(table: Sequence[dict[str, Any]]) -> bytes:
    """Return the table as those write it who know of no quotation marks: they put blanks for what divides cells."""
    blanks = str.maketrans("\t\n\r", "   ")
    lines = [["" if row[column] is None else str(row[column]).translate(blanks) for column in COLUMNS] for row in table]
    return "".join("\t".join(line) + "\n" for line in [list(COLUMNS), *lines]).encode()


def _json_lines(table: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table).encode()


def _parquet(table: Sequence[dict[str, Any]]) -> bytes:
    types = {"at": pl.Int64(), "p": pl.Float64()}
    frame = pl.DataFrame({name: [row[name] for row in table] for name in COLUMNS}, schema_overrides={
        name: types.get(name, pl.String()) for name in COLUMNS})  # fmt: skip
    into = io.BytesIO()
    frame.write_parquet(into)
    return into.getvalue()


def _binary_parquet(table: Sequence[dict[str, Any]]) -> bytes:
    into = io.BytesIO()
    pl.read_parquet(_parquet(table)).with_columns(pl.col(pl.String).cast(pl.Binary)).write_parquet(into)
    return into.getvalue()


Writer = Callable[[Sequence[dict[str, Any]]], bytes]
FORMATS: dict[str, tuple[str, Writer, dict[str, Any]]] = {
    "csv": ("log.csv", _delimited(",", lineterminator="\n"), {"breaks_in_values": True}),
    "csv of Excel": ("log.csv", _delimited(",", quoting=csv.QUOTE_ALL), {"breaks_in_values": True}),
    "csv of Excel as Unicode": (
        "log.csv",
        lambda table: _delimited(",")(table).decode().encode("utf-16"),
        {"breaks_in_values": True},
    ),
    "tsv with quotation marks": ("log.tsv", _delimited("\t"), {"quotes": True, "breaks_in_values": True}),
    "tsv": ("log.tsv", _plain_tsv, {}),
    "json lines": ("log.jsonl", _json_lines, {}),
    "gzip": ("log.jsonl.gz", lambda table: gzip.compress(_json_lines(table)), {}),
    "zstd": ("log.csv.zst", lambda table: zstandard.compress(_delimited(",")(table)), {"breaks_in_values": True}),
    "parquet": ("log.parquet", _parquet, {}),
    "parquet with bytes": ("log.parquet", _binary_parquet, {}),
}


@pytest.mark.parametrize("kind", FORMATS)
@given(table=tables)
def test_each_row_is_an_impression_or_is_counted(kind: str, table: list[dict[str, Any]]) -> None:
    name, write, declared = FORMATS[kind]
    table = [{"id": f"i{n}"} | row for n, row in enumerate(table)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(write(table))
        interpreted, found = read_with_summary(Log(path, mapping(**declared)))
    impressions = [impression for impression, _ in interpreted]
    assert found.rows == len(table)
    assert found.impressions + sum(found.refused.values()) == len(table)
    assert found.impressions == len(impressions)
    by_id = {row["id"]: row for row in table}
    for impression in impressions:
        row = by_id[impression.impression_id]
        shown = impression.actions[impression.chosen].id
        assert row["act"] == shown or kind == "tsv"
        assert impression.occurred_at == row["at"]
        assert impression.chosen_propensity == min(row["p"], 1.0)


decisions = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_multi", "_slots", "T", "id", "v", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)
members = st.sampled_from(
    ["a", "p", "c", "o", "EventId", "Timestamp", "pdrop", "_labelIndex", "_label_Action", "_label_probability",
     "_skipLearn", "_outcomes"]
)  # fmt: skip


@given(
    spoilt=st.lists(st.dictionaries(members, decisions, max_size=2), max_size=6), rubbish=st.lists(texts, max_size=2)
)
def test_each_line_of_dsjson_is_an_impression_or_is_counted(spoilt: list[dict[str, Any]], rubbish: list[str]) -> None:
    lines = [
        json.dumps(
            {
                "EventId": f"e{n}",
                "Timestamp": "2025-11-22T10:00:00Z",
                "a": [2, 1],
                "p": [0.5, 0.5],
                "c": {"_multi": [{"T": {"id": "x"}}, {"T": {"id": "y"}}]},
                "o": [{"v": 1}],
            }
            | changes
        )
        for n, changes in enumerate(spoilt)
    ]
    lines += [one for text in rubbish for one in text.split("\n")]
    content = "\n".join(lines)
    # A mark of the byte order is nothing by itself.
    rows = [one for one in content.split("\n") if one.strip(" \t\n\r\x0b\x0c\ufeff")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.json"
        path.write_text(content, newline="")
        declared = DsjsonMapping.model_validate({"format": "dsjson", "model": "m", "action_id": "T.id"})
        found = summary(DecisionLog(path, declared))
    # Of a line over several slots each is a row.
    slots = any(isinstance(line.get("_outcomes"), list) for line in spoilt)
    assert found.rows == len(rows) or (slots and found.rows > len(rows))
    assert found.impressions + found.duplicates + sum(found.refused.values()) == found.rows
