"""CSV and TSV: each row is read, or is wrong where it stands, and spoils no other."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from streams.replay.left_out import RowError
from streams.replay.mapping import MappingError
from streams.replay.tables import Wanted
from streams.replay.text_rows import Dialect, TextRows

CSV, TSV = Dialect(",", quotes=True, breaks=None), Dialect("\t", quotes=False, breaks=None)
HEADER = "id,at,title\n"


def rows(folder: Path, content: str | bytes, dialect: Dialect = CSV) -> dict[int, list[object] | str]:
    """Return the rows by the number of their line, as values or as what is wrong."""
    path = folder / "log.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    names = "id", "at", "title"
    found = TextRows(path, [Wanted(name, name) for name in names], dialect).rows()
    return {number: str(cells) if isinstance(cells, RowError) else cells for number, cells in found}


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("a,1,plain", "plain"),
        ('a,1,"with, comma"', "with, comma"),
        ('a,1,"24"" lamp"', '24" lamp'),
        ('a,1,24" lamp', '24" lamp'),
        ('a,1,""', None),
        ("a,1,", None),
        ("a,1,\\N", None),
        ('"a","1","x"', "x"),
        ("a,1, spaced ", " spaced "),
        ("a,1,søt 🍓", "søt 🍓"),
        ('a,1,"over\ntwo lines"', "over\ntwo lines"),
        ('a,1,"over\r\n\r\nthree, lines"', "over\r\n\r\nthree, lines"),
        ("a,1,x\r", "x"),
        ("a,1,x\ry", "x\ry"),
        ('a,1,"x\r""y"', 'x\r"y'),
    ],
)
def test_a_row_is_read(tmp_path: Path, line: str, title: str | None) -> None:
    assert rows(tmp_path, f"{HEADER}{line}\nb,2,last\n") == {
        2: ["a", "1", title],
        3 + line.count("\n"): ["b", "2", "last"],
    }


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('a,1,"Best of', "quotes: a quotation mark opens a value that does not end on its line"),
        ('a,1,"Best of" all', "quotes: text after the quotation mark that closes a value"),
        ('a,"1,x', "quotes: a quotation mark opens a value that does not end on its line"),
        ("a,1", "columns: 2 values, expected 3 as in the first line: 'a,1'"),
        ("a,1,x,y", "columns: 4 values, expected 3"),
    ],
)
def test_a_row_that_is_wrong_is_named_and_spoils_no_other(tmp_path: Path, line: str, complaint: str) -> None:
    found = rows(tmp_path, f"{HEADER}z,0,first\n{line}\nb,2,next\nc,3,last\n")
    assert {number: cells for number, cells in found.items() if number != 3} == {
        2: ["z", "0", "first"],
        4: ["b", "2", "next"],
        5: ["c", "3", "last"],
    }
    assert str(found[3]).startswith(complaint)


def test_a_line_that_is_no_utf_8_is_named(tmp_path: Path) -> None:
    found = rows(tmp_path, HEADER.encode() + "a,1,é\n".encode("latin-1") + b"b,2,x\n")
    assert "no valid UTF-8 at byte 5" in str(found[2])
    assert found[3] == ["b", "2", "x"]


def test_of_a_thousand_rows_two_stray_marks_cost_one(tmp_path: Path) -> None:
    lines = [f"r{n},{n},plain" for n in range(1_000)]
    lines[5], lines[990] = 'r5,5,24" lamp', 'r990,990,"Best of'
    found = rows(tmp_path, HEADER + "\n".join(lines))
    assert len(found) == 1_000
    assert [number for number, cells in found.items() if isinstance(cells, str)] == [992]


def test_rows_between_two_stray_marks_are_not_one_value(tmp_path: Path) -> None:
    content = f'{HEADER}a,1,"Best of\nb,2,plain\nc,3,of the year"\nd,4,plain\n'
    found = rows(tmp_path, content)
    assert "opens a value that ends in line 4, but the lines between look like rows" in str(found[2])
    assert list(found) == [2, 3, 4, 5]
    said = Dialect(",", quotes=True, breaks=True)
    assert rows(tmp_path, content, said)[2] == ["a", "1", "Best of\nb,2,plain\nc,3,of the year"]


def test_where_no_value_goes_over_lines_none_does(tmp_path: Path) -> None:
    found = rows(tmp_path, f'{HEADER}a,1,"over\ntwo"\nb,2,x\n', Dialect(",", quotes=True, breaks=False))
    assert [isinstance(cells, str) for cells in found.values()] == [True, True, False]


def test_in_tsv_a_quotation_mark_is_a_character_like_any_other(tmp_path: Path) -> None:
    content = 'id\tat\ttitle\na\t1\t24" lamp\nb\t2\t"Best of\nc\t3\t"whole"\n'
    assert [cells[2] for cells in rows(tmp_path, content, TSV).values()] == ['24" lamp', '"Best of', '"whole"']
    quoted = Dialect("\t", quotes=True, breaks=None)
    assert rows(tmp_path, 'id\tat\ttitle\na\t1\t"24"" lamp\tx"\n', quoted) == {2: ["a", "1", '24" lamp\tx']}
    assert "set quotes = true" in str(rows(tmp_path, 'id\tat\ttitle\na\t1\t"24"" lamp\tx"\n', TSV)[2])


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + f"{HEADER}a,1,é\n".encode(),
        f"{HEADER}a,1,é\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + f"{HEADER}a,1,é\n".encode("utf-16-be"),
        f"{HEADER}a,1,é\n".encode("utf-32"),
        f"\r\n{HEADER}\r\na,1,é".encode(),
    ],
)
def test_a_byte_order_mark_says_how_to_read(tmp_path: Path, content: bytes) -> None:
    assert list(rows(tmp_path, content).values()) == [["a", "1", "é"]]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "it is empty"),
        ("id,at\n", "title: log.csv has no column 'title'"),
        ("id,at,titel\n", "did you mean 'titel'?"),
        ("id,at,TITLE\n", "did you mean 'TITLE'?"),
        ("a,1,x\nb,2,y\n", "the first line has to name the columns"),
        ("sep=,\nid,at,title\n", "the first line has to name the columns, and nothing else may stand above it"),
        ("id;at;title\n", """it looks divided by ';': set separator = ";" in the mapping"""),
        ("id,at,title,title\n", "title: log.csv has 2 columns 'title'; rename them"),
        ('id,at,"title\n', "the first line, which names the columns, cannot be read"),
        ("id,at,title\ra,1,x\r", "its lines end with carriage returns alone"),
    ],
)
def test_a_file_without_its_columns_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    with pytest.raises(MappingError) as refused:
        rows(tmp_path, content)
    assert complaint in str(refused.value)


def test_names_in_quotation_marks_are_pointed_out(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="its names are in quotation marks: set quotes = true"):
        rows(tmp_path, '"id"\t"at"\t"title"\n', TSV)


def test_a_cell_may_be_large(tmp_path: Path) -> None:
    large = ", ".join(f"action number {n}" for n in range(20_000))
    assert rows(tmp_path, f'{HEADER}a,1,"{large}"\n') == {2: ["a", "1", large]}
