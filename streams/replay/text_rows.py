"""CSV and TSV, one row a line, with Python's csv module where there are quotation marks.

A row that cannot be read spoils no other: reading goes on in the next line. So a quotation mark that nobody closed is
one bad row, and not the end of the file.
"""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from streams.replay.cell_values import shortened
from streams.replay.file_lines import lines_of, plain_name
from streams.replay.left_out import RowError
from streams.replay.mapping import Mapping, MappingError
from streams.replay.tables import Wanted, missing_column

MOST_LINES = 1_000
"""How many lines a value goes over at most."""
NULLS = frozenset({"", "\\N"})
"""What stands for a missing value: nothing, and what Hive, MySQL and ClickHouse write."""
OTHER_SEPARATORS = ";\t|,"
JSON_BEGINS = (b'{"', b"[{")
_MASK = "\udc0d"
"""Half of a surrogate pair: no text that was decoded holds one."""

# A whole action set with its features may lie in one cell; by default Python refuses more than 131,072 characters.
csv.field_size_limit(1 << 30)


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    With `quotes`, a value that begins with a quotation mark ends with one. `breaks` says whether such a value may go
    over several lines: None where that is plain from the file.
    """

    separator: str
    quotes: bool
    breaks: bool | None

    @classmethod
    def of(cls, path: Path, mapping: Mapping) -> Dialect:
        """Return how a file of this name is written, unless the mapping says otherwise."""
        tsv = plain_name(path).endswith(".tsv")
        separator = mapping.separator or ("\t" if tsv else ",")
        quotes = not tsv if mapping.quotes is None else mapping.quotes
        return cls(separator, quotes, mapping.breaks_in_values)


class TextRows:
    """The rows of a CSV or TSV file. Raises MappingError where it is empty or lacks a column."""

    unit: ClassVar[str] = "line"
    typed: ClassVar[bool] = False

    def __init__(self, path: Path, wanted: Sequence[Wanted], dialect: Dialect) -> None:
        self._path = path
        self._dialect = dialect
        if next(lines_of(path), b"").strip().startswith(JSON_BEGINS):
            raise MappingError(f"{path}: it looks like JSON lines, and its name says it is a table: end it in .jsonl")
        header = next(self._records(), None)
        if header is None:
            raise MappingError(f"{path}: cannot be read: it is empty, expected a first line with the columns' names")
        if not isinstance(header[1], RowError) and any("\r" in name for name in header[1]):
            raise MappingError(f"{path}: its lines end with carriage returns alone; end them with line feeds")
        if isinstance(header[1], RowError):
            raise MappingError(f"{path}: the first line, which names the columns, cannot be read: {header[1]}")
        self._header = header[1]
        if len(self._header) == 1 and (hint := self._not_divided(self._header[0])):
            raise MappingError(f"{path}: {hint}")
        self._named = any(one.column in self._header for one in wanted)
        self._places = [self._place(one) for one in wanted]

    def rows(self) -> Iterator[tuple[int, list[object] | RowError]]:
        records = self._records()
        next(records)
        places, width = self._places, len(self._header)
        for number, cells in records:
            if isinstance(cells, RowError):
                yield number, cells
            elif len(cells) != width:
                yield number, self._ragged(cells)
            else:
                yield number, [None if cells[place] in NULLS else cells[place] for place in places]

    def _place(self, wanted: Wanted) -> int:
        count = self._header.count(wanted.column)
        if count == 1:
            return self._header.index(wanted.column)
        if count > 1:
            raise MappingError(f"{wanted.field}: {self._path.name} has {count} columns {wanted.column!r}; rename them")
        quoted = f'"{wanted.column}"' in self._header
        unnamed = "" if self._named else "; the first line has to name the columns, and nothing else may stand above it"
        hint = "; its names are in quotation marks: set quotes = true" if quoted else unnamed
        raise missing_column(self._path, wanted, self._header, hint)

    def _not_divided(self, header: str) -> str | None:
        """Return what else divides a first line in which the separator does not stand, and what to do about it."""
        found = max(OTHER_SEPARATORS, key=header.count)
        if not header.count(found):
            return None
        return (
            f"the first line is not divided by {self._dialect.separator!r}, it looks divided by {found!r}: set "
            f"separator = {json.dumps(found)} in the mapping: {shortened(header)}"
        )

    def _ragged(self, cells: Sequence[str]) -> RowError:
        expected = f"{len(cells)} values, expected {len(self._header)} as in the first line"
        if not self._dialect.quotes and any(cell.startswith('"') for cell in cells):
            expected += "; if values are in quotation marks, set quotes = true"
        return RowError("columns", f"{expected}: {shortened(self._dialect.separator.join(cells))}")

    def _records(self) -> Iterator[tuple[int, list[str] | RowError]]:
        """Yield the number of each row's first line with its values. Lines with nothing in them are no rows."""
        separator, quotes = self._dialect.separator, self._dialect.quotes
        lines = _Lines(self._path)
        for number, raw in lines:
            try:
                line = raw.decode()
            except UnicodeDecodeError as error:
                yield number, _not_utf_8(raw, error)
                continue
            text = line.rstrip("\r\n")
            if not text:
                continue
            if not quotes or '"' not in text:
                yield number, text.split(separator)
            else:
                yield number, self._quoted(line, number, lines)

    def _quoted(self, line: str, number: int, lines: _Lines) -> list[str] | RowError:
        """Return the values of a row with quotation marks, taking as many lines as it goes over."""
        taken: list[tuple[int, bytes]] = []
        fault = ""
        try:
            cells = next(csv.reader(self._going_on(line, taken, lines), delimiter=self._dialect.separator, strict=True))
        except csv.Error as error:
            cells, fault = [], str(error)
        except UnicodeDecodeError:
            cells, fault = [], "no valid UTF-8 before it ends"
        if not fault and (not taken or self._dialect.breaks or not self._are_rows(line, taken, len(cells))):
            return [cell.replace(_MASK, "\r") for cell in cells]
        lines.put_back(taken)
        if not fault:
            last = taken[-1][0]
            return RowError(
                "quotes",
                f"a quotation mark opens a value that ends in line {last}, but the lines between look like rows: write "
                f"the mark twice if it is the value's, or set breaks_in_values = true: {shortened(line.rstrip())}",
            )
        if taken or "end of data" in fault:
            found = "a quotation mark opens a value that does not end on its line"
            found += "" if self._dialect.breaks is False else ", nor in a way that makes sense on those after it"
        else:
            found = f"text after the quotation mark that closes a value ({fault})"
        return RowError(
            "quotes",
            f'{found}; write a mark within a value twice ("24"" lamp"), or set quotes = false if it is a character '
            f"like any other: {shortened(line.rstrip())}",
        )

    def _going_on(self, line: str, taken: list[tuple[int, bytes]], lines: _Lines) -> Iterator[str]:
        yield _masked(line)
        while self._dialect.breaks is not False and len(taken) < MOST_LINES and (following := lines.take()):
            taken.append(following)
            yield _masked(following[1].decode())

    def _are_rows(self, line: str, taken: Sequence[tuple[int, bytes]], width: int) -> bool:
        """Say whether the first line and one after it would each make a row, were it not for the quotation mark."""
        following = (raw.decode() for _, raw in taken)
        return self._is_row(line, width) and any(self._is_row(one, width) for one in following)

    def _is_row(self, line: str, width: int) -> bool:
        separator = self._dialect.separator
        try:
            lenient = next(csv.reader([_masked(line)], delimiter=separator), [])
        except csv.Error:
            lenient = []
        return width > 1 and (line.count(separator) + 1 == width or len(lenient) == width)


class _Lines:
    """Numbered lines, of which some can be put back."""

    def __init__(self, path: Path) -> None:
        self._lines = enumerate(lines_of(path), start=1)
        self._waiting: deque[tuple[int, bytes]] = deque()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        while following := self.take():
            yield following

    def take(self) -> tuple[int, bytes] | None:
        return self._waiting.popleft() if self._waiting else next(self._lines, None)

    def put_back(self, lines: Sequence[tuple[int, bytes]]) -> None:
        self._waiting.extendleft(reversed(lines))


def _masked(line: str) -> str:
    """Return a line with a stand-in for the carriage returns within it, which csv takes for ends of lines."""
    text = line.rstrip("\r\n")
    return text.replace("\r", _MASK) + line[len(text) :] if "\r" in text else line


def _not_utf_8(raw: bytes, error: UnicodeDecodeError) -> RowError:
    found = shortened(raw[max(0, error.start - 20) : error.start + 20])
    return RowError(
        "line", f"no valid UTF-8 at byte {error.start + 1}, {found}; convert the file, as with `iconv -t UTF-8`"
    )
