"""Files that are not what their names say: each is told for what it is, with what to do, in every format."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import zstandard

from streams.replay.dsjson import DecisionLog, DsjsonMapping
from streams.replay.examination import readable_log
from streams.replay.log_files import Log
from streams.replay.mapping import Mapping, MappingError

CSV = "id,at,act,p,click\n" + "".join(f"i{n},{n},a,0.5,{n % 2}\n" for n in range(40))
ROWS = pl.read_csv(io.StringIO(CSV))


def _bytes(write: Callable[[io.BytesIO], object]) -> bytes:
    target = io.BytesIO()
    write(target)
    return target.getvalue()


def _zipped(target: io.BytesIO) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log.csv", CSV)


def _tarred(target: io.BytesIO) -> None:
    with tarfile.open(fileobj=target, mode="w") as archive:
        member = tarfile.TarInfo("log.csv")
        member.size = len(CSV)
        archive.addfile(member, io.BytesIO(CSV.encode()))


def _database() -> bytes:
    with sqlite3.connect(":memory:") as database:
        database.execute("create table log (id text)")
        return database.serialize()


FORMS = {
    "csv": CSV.encode(),
    "json lines": ROWS.write_ndjson().encode(),
    "json array": json.dumps(ROWS.to_dicts()).encode(),
    "text of vw": b"1:2:0.4 | a c\n",
    "parquet": _bytes(ROWS.write_parquet),
    "arrow": _bytes(ROWS.write_ipc),
    "avro": _bytes(ROWS.write_avro),
    "zip": _bytes(_zipped),
    "tar": _bytes(_tarred),
    "bzip2": bz2.compress(CSV.encode()),
    "xz": lzma.compress(CSV.encode()),
    "sqlite": _database(),
    "gzip": gzip.compress(CSV.encode()),
    "zstd": zstandard.ZstdCompressor().compress(CSV.encode()),
    "gzip of parquet": gzip.compress(_bytes(ROWS.write_parquet)),
    "gzip of tar": gzip.compress(_bytes(_tarred)),
    "nothing": b"",
}
PARQUET, UNPACK, CONVERT = "it is Parquet: let its name end in .parquet", "unpack it", "write it as Parquet, CSV"
JSON_LINES = "it looks like JSON lines"


def mapping(**changes: object) -> Mapping:
    declared = {
        "model": "m",
        "impression_id": "id",
        "occurred_at": {"column": "at", "unit": "ms"},
        "action": {"column": "act", "set": ["a", "b"]},
        "propensity": "p",
        "feedback": [{"signal": "click", "column": "click", "delay_ms": 1}],
    }
    return Mapping.model_validate(declared | changes)


def refusal(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    with pytest.raises(MappingError) as refused:
        Log(folder / name, mapping())
    assert str(refused.value).startswith(f"{folder / name}: ")
    return str(refused.value)


@pytest.mark.parametrize("name", ["log.csv", "log.tsv", "log.jsonl", "log.json"])
@pytest.mark.parametrize(
    ("form", "says"),
    [
        ("parquet", PARQUET),
        ("gzip of parquet", PARQUET),
        ("arrow", CONVERT),
        ("avro", CONVERT),
        ("zip", "a ZIP archive or an Excel workbook: unpack it, or save the sheet as CSV"),
        ("tar", "unpack it (tar -xf)"),
        ("gzip of tar", "unpack it (tar -xf)"),
        ("bzip2", UNPACK),
        ("xz", UNPACK),
        ("sqlite", "export the table as CSV"),
    ],
)
def test_a_text_that_is_none_is_told_for_what_it_is(tmp_path: Path, name: str, form: str, says: str) -> None:
    assert says in refusal(tmp_path, name, FORMS[form])


@pytest.mark.parametrize("name", ["log.csv", "log.tsv"])
@pytest.mark.parametrize("form", ["json lines", "json array"])
def test_a_table_that_is_json_is_told(tmp_path: Path, name: str, form: str) -> None:
    assert f"{JSON_LINES}, and its name says it is a table: end it in .jsonl" in refusal(tmp_path, name, FORMS[form])


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ("csv", "it looks like text: let its name end in .csv or .tsv"),
        ("json lines", f"{JSON_LINES}: let its name end in .jsonl"),
        ("gzip", "it is compressed with gzip: unpack it"),
        ("zstd", "it is compressed with zstd: unpack it"),
        ("zip", "it is a ZIP archive"),
        ("arrow", "it is Arrow"),
        ("nothing", "it is empty: write it again"),
    ],
)
def test_parquet_that_is_none_is_told_for_what_it_is(tmp_path: Path, form: str, says: str) -> None:
    assert f"is no Parquet, as its name says: {says}" in refusal(tmp_path, "log.parquet", FORMS[form])


@pytest.mark.parametrize("kept", [8, 0.5, 0.99])
def test_parquet_that_was_cut_is_said_to_be(tmp_path: Path, kept: float) -> None:
    whole = FORMS["parquet"]
    cut = whole[: round(kept * len(whole)) if kept < 1 else int(kept)]
    assert "it may be cut or damaged" in refusal(tmp_path, "log.parquet", cut)


@pytest.mark.parametrize(
    "kind", [pl.Date(), pl.Datetime("us"), pl.Datetime("ms", "Europe/Berlin"), pl.Duration("ms")], ids=str
)
def test_parquet_with_times_that_python_has_not_is_refused_and_told(tmp_path: Path, kind: pl.DataType) -> None:
    beyond = pl.Series("at", [2**31 - 1 if kind == pl.Date() else 2**61]).cast(kind)
    content = _bytes(ROWS.head(1).with_columns(beyond).write_parquet)
    assert "a date, time or span lies beyond the years 1 to 9999" in refusal(tmp_path, "log.parquet", content)


@pytest.mark.parametrize(
    ("name", "form", "says"),
    [
        ("log", "csv", "it looks like text: let its name end in .csv or .tsv"),
        ("log.txt", "json lines", JSON_LINES),
        ("log.csv.zip", "zip", UNPACK),
        ("log.xlsx", "zip", "save the sheet as CSV"),
        ("log.csv.bz2", "bzip2", UNPACK),
        ("log.tgz", "gzip", UNPACK),
        ("log.parquet.gz", "gzip of parquet", UNPACK),
        ("log.db", "sqlite", "export the table"),
        ("log.feather", "arrow", CONVERT),
    ],
)
def test_a_name_that_says_nothing_is_answered_by_what_is_in_the_file(
    tmp_path: Path, name: str, form: str, says: str
) -> None:
    said = refusal(tmp_path, name, FORMS[form])
    assert says in said
    assert "There are .csv, .tsv, .jsonl, .ndjson (each also .gz or .zst) and .parquet" in said


@pytest.mark.parametrize("form", ["parquet", "zip", "gzip of parquet", "text of vw"])
def test_dsjson_that_is_no_text_is_told_too(tmp_path: Path, form: str) -> None:
    (tmp_path / "log.json").write_bytes(FORMS[form])
    declared = DsjsonMapping.model_validate(
        {"format": "dsjson", "model": "m", "action_id": "T.id", "signals": [{"signal": "click", "above": 0}]}
    )
    with pytest.raises(MappingError, match=r"log\.json: cannot be read as a table or as JSON lines: it is "):
        DecisionLog(tmp_path / "log.json", declared)


VW_TEXTS = [
    "1:2:0.4 | a c\n3:0.5:0.2 | b d\n",
    "shared |User user=Tom time=morning\n0:1.0:0.5 |Action article=politics\n|Action article=sports\n",
    "| a:1 b:0.5\n",
    "1 |f price:.23 sqft:.25 age:.05 2006",
    "0 1.0 'second|house price:.18\r\n",
    "ccb shared |User s_1\nccb action |Action a_1\n",
]


@pytest.mark.parametrize("text", VW_TEXTS)
@pytest.mark.parametrize("name", ["log.vw", "log.dat", "log.txt", "log.csv", "log.tsv", "log.jsonl", "log.parquet"])
def test_the_text_of_vowpal_wabbit_is_told_with_the_format_that_is_read(tmp_path: Path, name: str, text: str) -> None:
    said = refusal(tmp_path, name, text.encode())
    assert "it is VowpalWabbit's own text" in said
    assert 'replay the DSJSON that was logged (`format = "dsjson"`' in said
    assert ".csv or .tsv" not in said


@pytest.mark.parametrize("first", ["| a | b |", "|a|b|", "id |kind", "1|2|3", "shared|slot", "shared,a |b"])
def test_a_table_with_bars_is_not_taken_for_it(tmp_path: Path, first: str) -> None:
    (tmp_path / "log.csv").write_text(f"{first}\n")
    with pytest.raises(MappingError, match=r"column|divided by"):
        Log(tmp_path / "log.csv", mapping())


@pytest.mark.parametrize(
    ("begins", "says"),
    [
        ("<!DOCTYPE html>\n<html>", "a web page: download the file itself"),
        ("\n<HTML><body>", "a web page: download the file itself"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0", "a pointer of Git LFS: get the file"),
    ],
)
@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.parquet", "log.txt"])
def test_what_came_instead_of_the_file_is_told(tmp_path: Path, name: str, begins: str, says: str) -> None:
    assert says in refusal(tmp_path, name, begins.encode())


@pytest.mark.parametrize(("form", "says"), [("csv", "looks like text"), ("json lines", "JSON lines"), ("zip", "ZIP")])
def test_what_is_named_parquet_and_is_none_is_told_for_what_it_is_and_nothing_else(
    tmp_path: Path, form: str, says: str
) -> None:
    said = refusal(tmp_path, "log.parquet", FORMS[form])
    assert f"{tmp_path / 'log.parquet'}: is no Parquet, as its name says: it " in said
    assert said.startswith(str(tmp_path))
    assert says in said
    assert "damaged" not in said
    assert "years" not in said


def test_all_files_that_are_missing_are_named_at_once(tmp_path: Path) -> None:
    declared = mapping().model_dump(mode="json", exclude_defaults=True)
    declared["tables"] = {name: {"path": f"{name}.csv", "key": "id"} for name in ("items", "people")}
    (tmp_path / "people.csv").write_text("id\n1\n")
    with pytest.raises(MappingError) as refused:
        Log(tmp_path / "log.csv", Mapping.model_validate(declared))
    assert str(refused.value).splitlines() == [f"{tmp_path / one}: no such file" for one in ("log.csv", "items.csv")]


@pytest.mark.parametrize("begins", ["PAR1", "PK", "BZh", "ORC", "Obj", "ARROW1", "ustar", "7z"])
def test_a_column_that_is_named_like_a_form_of_files_is_a_column(tmp_path: Path, begins: str) -> None:
    (tmp_path / "log.csv").write_text("".join(f"{begins},{line}\n" for line in CSV.splitlines()))
    assert Log(tmp_path / "log.csv", mapping()).rows == 40


@pytest.mark.parametrize(
    ("name", "separator"), [("log.csv", ";"), ("log.csv", "\t"), ("log.csv", "|"), ("log.tsv", ","), ("log.tsv", ";")]
)
def test_columns_that_something_else_divides_are_told_with_the_setting_that_reads_them(
    tmp_path: Path, name: str, separator: str
) -> None:
    content = CSV.replace(",", separator).encode()
    shown = json.dumps(separator)
    assert f"it looks divided by {separator!r}: set separator = {shown} in the mapping" in refusal(
        tmp_path, name, content
    )
    log = readable_log(tmp_path / name, mapping(separator=separator))
    assert (log.rows, log.left_out.total()) == (40, 0)


def test_a_single_column_that_is_divided_by_nothing_is_no_other_form(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("id\n1\n")
    with pytest.raises(MappingError, match=r"log\.csv has no column 'at'; it has 'id'"):
        Log(tmp_path / "log.csv", mapping())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("id,at,act", "each line has to be an object, {…}: CSV has to be named .csv"),
        ("[", "write each object on one line"),
        ("{", "write each object on one line"),
        ("[{}]", "write the elements of an array one a line"),
        ('{"id": }', "no JSON at character 8"),
    ],
)
def test_json_lines_that_are_none_say_how_a_line_is_written(tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "log.jsonl").write_text(f"{line}\n{ROWS.write_ndjson()}")
    log = Log(tmp_path / "log.jsonl", mapping())
    assert (log.rows, log.left_out.total()) == (41, 1)
    assert says in str(log.left_out.first_wrong())


def test_a_decimal_comma_is_told(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(CSV.replace(",", ";").replace("0.5", "0,5"))
    log = readable_log(tmp_path / "log.csv", mapping(separator=";"))
    (first, *_) = [str(one) for _, one in log.outcomes(None)]
    assert "'0,5' is not a number; write a point for the comma" in first


def test_a_name_that_is_not_there_is_answered_by_the_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text(CSV)
    with pytest.raises(MappingError, match=r"shpo\.csv: no such file; did you mean 'shop\.csv'\?"):
        Log(tmp_path / "shpo.csv", mapping())
    with pytest.raises(MappingError, match=r"other/shop\.csv: no such file$"):
        Log(tmp_path / "other" / "shop.csv", mapping())
