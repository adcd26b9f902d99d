"""Reading a log as a mapping declares it, with side tables and files of feedback, in time order.

The file is read once to its end: every row is found right, or wrong and counted. What is right is held in memory,
packed, with only the columns that the mapping names. A log that is `sorted_by_time` and needs no deduplication is not
held (only its impression ids are, to be checked): it is read again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Lookup
from pathlib import Path
from typing import Any, Literal

import msgspec

from groundswell.events import MAX_ACTIONS, Action
from streams.declared_settings import missing_file
from streams.replay.cell_values import feature_value, name, shortened
from streams.replay.event_times import likely_unit
from streams.replay.file_kinds import what_to_do_about
from streams.replay.file_lines import plain_name
from streams.replay.json_rows import JsonRows
from streams.replay.left_out import LeftOut, Place, RowError
from streams.replay.mapped_rows import (
    ACTION,
    IMPRESSION_ID,
    OCCURRED_AT,
    Interpreted,
    Row,
    RowInterpreter,
    identity,
    time_in,
    time_of,
)
from streams.replay.mapping import Mapping, MappingError
from streams.replay.tables import Table, Wanted
from streams.replay.text_rows import Dialect, TextRows

# A timestamp has been read as one by now: as a feature it is a text.
_pack = msgspec.msgpack.Encoder(enc_hook=str).encode
_unpack = msgspec.msgpack.Decoder().decode

_INTEGER = re.compile(r"[-+]?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_BOOLEAN = re.compile(r"true|false", re.IGNORECASE)


class Log:
    """A log that fits its mapping.

    `rows` counts the file's rows and `duplicates` those that repeat an earlier one by `deduplicate`. `left_out` are
    those that cannot be read. `actions` is the set that all impressions share (empty where each row has its own),
    `frequencies` each action's share of the distinct rows that can be read. `feedback_files` are by the name of their
    table.

    Rows with the id of an earlier one are left out where bad rows are. Raises MappingError where they are not, where a
    file or column is missing, a file cannot be read to its end, or a side table's key repeats.
    """

    def __init__(self, path: Path, mapping: Mapping) -> None:
        self.path = path
        self.mapping = mapping
        needed = [path, *(path.parent / table.path for table in mapping.tables.values())]
        if missing := [missing_file(one) for one in needed if not one.is_file()]:
            raise MappingError("\n".join(missing))
        self.left_out = LeftOut()
        self.rows = self.duplicates = 0
        self.feedback_files = {table: FeedbackFile(path, table, mapping) for table in sorted(mapping.feedback_tables())}
        self._side_tables = {
            table: _SideTable(path, table, mapping) for table in mapping.tables if table not in self.feedback_files
        }
        self._wanted = _log_columns(mapping)
        self._table = open_table(path, self._wanted, mapping)
        self._types = _TypesOfTexts(self._undeclared() if not self._table.typed else ())
        self._joins = sorted(_joins(mapping) - set(self.feedback_files))
        self._times = [feedback.at for feedback in mapping.feedback if feedback.at is not None]
        self._times = [at for at in self._times if mapping.table_of(at.column) not in self.feedback_files]
        self._names: list[str] = []
        self._repeats: list[int] = []
        self._kept: list[tuple[int, int, bytes]] | None = None
        if not mapping.sorted_by_time or mapping.deduplicate is not None:
            self._kept = []
        self._read_all()

    @property
    def side_tables(self) -> Iterable[tuple[Path, int, LeftOut]]:
        """The other files that rows are looked up in, with how many rows they have and which cannot be read."""
        return [(table.path, table.rows, table.left_out) for table in self._side_tables.values()]

    def place(self, number: int) -> Place:
        """Return where a row of that number stands."""
        return Place(self.path, self._table.unit, number)

    def outcomes(self, limit: int | None) -> Iterator[tuple[int, Interpreted | RowError]]:
        """Yield (row number, what it says or what is wrong with it) of the first `limit` that can be read, by time."""
        interpreter = RowInterpreter(self.mapping, self.actions, self.frequencies, self.feedback_files)
        for number, row in self.read(limit):
            try:
                yield number, interpreter.interpret(row)
            except RowError as error:
                yield number, error

    def read(self, limit: int | None) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (row number, row) of the distinct rows that can be read, the first `limit` of them in time order."""
        left = limit
        for number, row in self._all():
            if left is not None:
                if left == 0:
                    return
                left -= 1
            self._types.apply(row)
            yield number, row

    def _all(self) -> Iterator[tuple[int, dict[str, Any]]]:
        kept: Iterable[tuple[int, int, bytes]] | None = self._kept
        if kept is None:
            repeats = frozenset(self._repeats)
            kept = (
                (0, number, packed)
                for number, row, packed in self._readable()
                if not isinstance(row, RowError) and number not in repeats
            )
        for _, number, packed in kept:
            yield number, dict(zip(self._names, _unpack(packed), strict=True))

    def _read_all(self) -> None:
        mapping, shown = self.mapping, Counter[str]()
        identifiers: set[str] = set()
        known: set[tuple[str, ...]] = set()
        repeats = self._repeats
        oldest = newest = None
        for number, row, packed in self._readable():
            self.rows += 1
            if isinstance(row, RowError):
                self.left_out.add(self.place(number), row)
                continue
            if mapping.deduplicate is not None:
                key = tuple(str(row[column]) for column in mapping.deduplicate)
                if key in known:
                    self.duplicates += 1
                    continue
                known.add(key)
            identifier, occurred_at = row[IMPRESSION_ID], row[OCCURRED_AT]
            if identifier in identifiers:
                repeats.append(number)
                told = (
                    f"{shortened(identifier)} is the id of an earlier row; `deduplicate` drops those that are repeated"
                )
                self.left_out.add(self.place(number), RowError("impression_id", told))
                continue
            identifiers.add(identifier)
            shown[row[ACTION]] += 1
            oldest = occurred_at if oldest is None else min(oldest, occurred_at)
            newest = occurred_at if newest is None else max(newest, occurred_at)
            self._types.learn(row)
            self._names = self._names or list(row)
            if self._kept is not None:
                self._kept.append((occurred_at, number, packed))
        if repeats and mapping.bad_rows == "stop":
            raise MappingError(
                f"impression_id: {len(repeats)} of {self.rows} rows of {self.path} have the id of an earlier one, the "
                f"first in {self._table.unit} {repeats[0]}; add the columns that tell them apart, or drop them with "
                "`deduplicate`"
            )
        if self._kept is not None and not mapping.sorted_by_time:
            self._kept.sort(key=lambda kept: kept[:2])
        self._check_unit(oldest, newest)
        total = shown.total()
        self.frequencies: Lookup[str, float] = {action: count / total for action, count in shown.items()}
        self.actions = self._shared_actions()

    def _readable(self) -> Iterator[tuple[int, dict[str, Any] | RowError, bytes]]:
        """Yield each row's number with what it holds under the mapping's names, and that packed; or what is wrong."""
        columns = [one.column for one in self._wanted]
        for number, cells in self._table.rows():
            if isinstance(cells, RowError):
                yield number, cells, b""
                continue
            try:
                row = self._identified(dict(zip(columns, cells, strict=True)))
                yield number, row, _packed(row)
            except RowError as error:
                yield number, error, b""

    def _identified(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the row with the columns of side tables, and those that are derived. Raises RowError."""
        for table in self._joins:
            row.update(self._side_tables[table].found(row))
        row[IMPRESSION_ID], row[OCCURRED_AT], row[ACTION] = identity(row, self.mapping)
        for at in self._times:
            row[time_of(at.column)] = time_in(row, at, "feedback.at")
        return row

    def _check_unit(self, oldest: int | None, newest: int | None) -> None:
        unit = self.mapping.occurred_at.unit
        if oldest is None or newest is None:
            return
        likely = likely_unit(newest, unit)
        if likely is not None and likely_unit(oldest, unit) == likely:
            raise MappingError(
                f"occurred_at.unit: {unit!r} puts all times of {self.path} far from the present; they look like "
                f"{likely!r}"
            )

    def _undeclared(self) -> Iterator[str]:
        """Yield the columns whose type nobody declared, unless their text is what counts elsewhere."""
        mapping = self.mapping
        texts = {one.signal_from for one in mapping.feedback} | {mapping.action.set.column}
        texts |= {one.column for one in mapping.feedback if one.equals is not None}
        texts |= {table.on or table.key for table in mapping.tables.values()}
        for feature in mapping.context.values():
            if feature.type is None and mapping.table_of(feature.column) is None and feature.column not in texts:
                yield feature.column

    def _shared_actions(self) -> tuple[Action, ...]:
        """Return the shared action set with its features; numbered actions in the order of their numbers."""
        declared = self.mapping.action.set
        if declared.column is not None:
            return ()
        if declared.listed is not None:
            ids = list(declared.listed)
        elif declared.table is not None:
            ids = sorted(self._side_tables[declared.table].keys(), key=_by_number)
        else:
            ids = sorted(self.frequencies, key=_by_number)
        if len(ids) > MAX_ACTIONS:
            raise MappingError(
                f"action.set: {len(ids)} actions, expected at most {MAX_ACTIONS}; choose a coarser column"
            )
        features: dict[str, dict[str, Any]] = {action: {} for action in ids}
        for feature_name, feature in self.mapping.action.features.items():
            table = self.mapping.table_of(feature.column)
            assert table is not None  # the mapping was checked for it
            for action in ids:
                raw = self._side_tables[table].get(action, feature.column)
                try:
                    value = feature_value(raw, feature.type)
                except ValueError as error:
                    raise MappingError(
                        f"action.features.{feature_name}: action {action!r} in {self._side_tables[table].path}: {error}"
                    ) from error
                if value is not None:
                    features[action][feature_name] = value
        return tuple(Action(action, features[action]) for action in ids)


class FeedbackFile:
    """A file of feedback: its rows by the key that names their impression.

    `rows` counts them, `left_out` are those that cannot be read.
    """

    def __init__(self, log: Path, table: str, mapping: Mapping) -> None:
        declared = mapping.tables[table]
        self.path = log.parent / declared.path
        self.left_out = LeftOut()
        self.rows = 0
        columns, read = _open_side_table(self.path, table, mapping)
        self._unit = read.unit
        self._names = columns
        self._rows: dict[str, list[tuple[int, bytes]]] = {}
        times = [one.at for one in mapping.feedback if one.at is not None and mapping.table_of(one.at.column) == table]
        self._names = [*columns, *(time_of(at.column) for at in times)]
        for number, cells in read.rows():
            self.rows += 1
            if isinstance(cells, RowError):
                self.left_out.add(self._place(number), cells)
                continue
            try:
                key, *values = cells
                row = dict(zip(columns, values, strict=True))
                for at in times:
                    row[time_of(at.column)] = time_in(row, at, "feedback.at")
                packed = _packed(row)
                identifier = _key(key, f"tables.{table}.key", declared.key)
            except RowError as error:
                self.left_out.add(self._place(number), error)
                continue
            self._rows.setdefault(identifier, []).append((number, packed))

    def of(self, key: str) -> Iterator[tuple[Place, Row]]:
        """Yield the rows of one key."""
        for number, packed in self._rows.get(key, ()):
            yield self._place(number), dict(zip(self._names, _unpack(packed), strict=True))

    def _place(self, number: int) -> Place:
        return Place(self.path, self._unit, number)


class _SideTable:
    """A side table, one row per key."""

    def __init__(self, log: Path, table: str, mapping: Mapping) -> None:
        declared = mapping.tables[table]
        self.path = log.parent / declared.path
        self.left_out = LeftOut()
        self.rows = 0
        self._columns, read = _open_side_table(self.path, table, mapping)
        self._on = declared.on or declared.key
        self._rows: dict[str, dict[str, Any]] = {}
        self._none = dict.fromkeys(self._columns)
        types = _TypesOfTexts(() if read.typed else _undeclared_of(table, mapping))
        repeats: list[int] = []
        for number, cells in read.rows():
            self.rows += 1
            try:
                if isinstance(cells, RowError):
                    raise cells
                key, *values = cells
                row = dict(zip(self._columns, values, strict=True))
                _packed(row)  # which says what no message can hold
                identifier = _key(key, f"tables.{table}.key", declared.key)
            except RowError as error:
                self.left_out.add(Place(self.path, read.unit, number), error)
                continue
            if identifier in self._rows:
                repeats.append(number)
            types.learn(row)
            self._rows[identifier] = row
        if repeats:
            raise MappingError(
                f"tables.{table}.key: {len(repeats)} of {self.rows} rows of {self.path} repeat an earlier "
                f"{declared.key!r}, the first in {read.unit} {repeats[0]}"
            )
        for row in self._rows.values():
            types.apply(row)

    def keys(self) -> Iterable[str]:
        return self._rows.keys()

    def get(self, key: str, column: str) -> object:
        return self._rows.get(key, self._none)[column]

    def found(self, row: Row) -> dict[str, Any]:
        """Return the columns of the table that belong to a row, empty where it has no match. Raises RowError."""
        cell = row[self._on]
        return self._none if cell is None else self._rows.get(_key(cell, "tables", self._on), self._none)


class _TypesOfTexts:
    """The type that fits all texts of a column, for columns whose type nobody declared."""

    def __init__(self, columns: Iterable[str]) -> None:
        self._types: dict[str, Literal["nothing", "integer", "number", "boolean", "text"]] = dict.fromkeys(
            columns, "nothing"
        )

    def learn(self, row: Row) -> None:
        """Take a row into account."""
        for column, known in self._types.items():
            cell = row[column]
            if cell is None or known == "text":
                continue
            if known in {"nothing", "integer"} and _INTEGER.fullmatch(cell):
                self._types[column] = "integer"
            elif known in {"nothing", "boolean"} and _BOOLEAN.fullmatch(cell):
                self._types[column] = "boolean"
            elif known != "boolean" and _NUMBER.fullmatch(cell) and not cell.lstrip("+-").isdecimal():
                self._types[column] = "number"
            elif not (known == "number" and _INTEGER.fullmatch(cell)):
                self._types[column] = "text"  # of digits that a number cannot hold, too

    def apply(self, row: dict[str, Any]) -> None:
        """Convert the cells of a row."""
        for column, known in self._types.items():
            cell = row[column]
            if cell is None or known == "text":
                continue
            if known == "boolean":
                row[column] = cell.lower() == "true"
            else:
                row[column] = int(cell) if known == "integer" else float(cell)


def open_table(path: Path, wanted: Sequence[Wanted], mapping: Mapping) -> Table:
    """Return a reader for the file by the ending of its name. Raises MappingError where there is none."""
    if not path.is_file():
        raise MappingError(missing_file(path))
    plain = plain_name(path)
    if plain.endswith((".csv", ".tsv")):
        return TextRows(path, wanted, Dialect.of(path, mapping))
    if plain.endswith((".jsonl", ".ndjson", ".json")):
        return JsonRows(path, wanted)
    if path.name.lower().endswith(".parquet"):
        from streams.replay.parquet_rows import ParquetRows  # noqa: PLC0415  # Polars comes with the extra `replay`

        return ParquetRows(path, wanted)
    raise MappingError(
        f"{path}: its name says not how to read it: {what_to_do_about(path)}. There are .csv, .tsv, .jsonl, .ndjson "
        "(each also .gz or .zst) and .parquet"
    )


def _log_columns(mapping: Mapping) -> list[Wanted]:
    wanted = [Wanted(field, column) for field, column in mapping.row_columns() if mapping.table_of(column) is None]
    for table in sorted(_joins(mapping)):
        wanted.append(Wanted(f"tables.{table}.on", mapping.tables[table].on or mapping.tables[table].key))
    return list({one.column: one for one in reversed(wanted)}.values())[::-1]


def _joins(mapping: Mapping) -> set[str]:
    """Return the tables that rows take columns from."""
    return {table for _, column in mapping.row_columns() if (table := mapping.table_of(column)) is not None}


def _open_side_table(path: Path, table: str, mapping: Mapping) -> tuple[list[str], Table]:
    """Return the columns that are read from a table, as the mapping names them, and a reader of its key and them."""
    features = [(f"action.features.{f}", feature.column) for f, feature in mapping.action.features.items()]
    wanted = {
        column: Wanted(field, column.removeprefix(f"{table}."))
        for field, column in [*features, *mapping.row_columns()]
        if mapping.table_of(column) == table
    }
    key = Wanted(f"tables.{table}.key", mapping.tables[table].key)
    return list(wanted), open_table(path, [key, *wanted.values()], mapping)


def _undeclared_of(table: str, mapping: Mapping) -> Iterator[str]:
    for feature in (*mapping.context.values(), *mapping.action.features.values()):
        if feature.type is None and mapping.table_of(feature.column) == table:
            yield feature.column


def _key(cell: object, field: str, column: str) -> str:
    try:
        found = name(cell)
    except ValueError as error:
        raise RowError(field, f"column {column!r}: {error}") from error
    if found is None:
        raise RowError(field, f"column {column!r} holds no usable value")
    return found


def _packed(row: Row) -> bytes:
    """Return the cells of a row packed. Raises RowError where one holds what no message can."""
    try:
        return _pack(list(row.values()))
    except (UnicodeEncodeError, OverflowError, RecursionError):
        for column, cell in row.items():
            if fault := _unsendable(cell):
                raise RowError(f"column {column!r}", f"{shortened(cell)} {fault}") from None
        raise


def _unsendable(cell: object) -> str | None:
    try:
        _pack(cell)
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no character in UTF-8"
    except OverflowError:
        return "is beyond 64 bits; write it as a text"
    except RecursionError:
        return "is nested too deeply"
    return None


def _by_number(action: str) -> tuple[bool, int, str]:
    return (False, int(action), action) if action.isdecimal() and len(action) < 4_000 else (True, 0, action)
