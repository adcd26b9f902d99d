"""Parquet, with Polars: what has a counterpart in JSON is that, and dates and times are ISO 8601."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, Final

import polars as pl

from streams.replay.event_times import Timestamp
from streams.replay.file_kinds import PARQUET, begin_of, what_to_do_about
from streams.replay.left_out import RowError
from streams.replay.mapping import MappingError
from streams.replay.tables import Wanted, missing_column

BATCH_ROWS = 5_000
BEYOND_TIMES: Final = (OverflowError, ValueError, pl.exceptions.PanicException)
"""What is raised where a date, time or span has no counterpart in Python. A panic is no `Exception`, and may come of
damaged files, too."""
UNREADABLE: Final = (pl.exceptions.PolarsError, OSError, *BEYOND_TIMES)


class ParquetRows:
    """The rows of a Parquet file. Raises MappingError where it cannot be read or lacks a column."""

    unit: ClassVar[str] = "row"
    typed: ClassVar[bool] = True

    def __init__(self, path: Path, wanted: Sequence[Wanted]) -> None:
        self._path = path
        self._wanted = wanted
        try:
            is_parquet = begin_of(path).startswith(PARQUET)
            not_parquet = None if is_parquet else what_to_do_about(path)
        except OSError as error:
            raise _unreadable(path, error) from error
        if not_parquet is not None:
            raise MappingError(f"{path}: is no Parquet, as its name says: {not_parquet}")
        try:
            scanned = pl.scan_parquet(path, glob=False)
            schema = scanned.collect_schema()
            self._plan = scanned.select(
                _column(schema, one, path).alias(str(place)) for place, one in enumerate(wanted)
            )
        except UNREADABLE as error:
            raise _unreadable(path, error) from error

    def rows(self) -> Iterator[tuple[int, list[object] | RowError]]:
        number = 0
        try:
            for batch in self._plan.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True):
                for row in batch.iter_rows():
                    number += 1
                    yield number, self._cells(row)
        except UNREADABLE as error:
            raise _unreadable(self._path, error) from error

    def _cells(self, row: Sequence[object]) -> list[object] | RowError:
        cells: list[object] = []
        for cell, wanted in zip(row, self._wanted, strict=True):
            try:
                cells.append(_plain(cell))
            except ValueError as error:
                return RowError(wanted.field, f"column {wanted.column!r}: {error}")
        return cells


def _unreadable(path: Path, error: BaseException) -> MappingError:
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, BEYOND_TIMES):
        return MappingError(
            f"{path}: a date, time or span lies beyond the years 1 to 9999, or the file is damaged: {said}; mend the "
            "column, or leave it out of the mapping"
        )
    return MappingError(f"{path}: cannot be read, it may be cut or damaged: {said}; copy it again")


def _plain(cell: object) -> object:
    """Return a cell as JSON would have it. Raises ValueError for bytes that are no text."""
    if cell is None or isinstance(cell, bool | int | float | str):
        return cell
    match cell:
        case bytes():
            try:
                return cell.decode()
            except UnicodeDecodeError:
                raise ValueError(f"{cell[:20]!r} is no text in UTF-8; convert the column to text") from None
        case list() | dict():
            return _plain_parts(cell)
        case datetime.date() | datetime.time():  # a date and time is a date, too
            return Timestamp(cell.isoformat())
        case Decimal():
            return int(cell) if cell == cell.to_integral_value() else float(cell)
        case datetime.timedelta():
            return str(cell)
        case _:
            raise ValueError(f"{type(cell).__name__} is nothing that JSON has; convert the column")


def _plain_parts(cell: list[object] | dict[str, object]) -> object:
    if isinstance(cell, list):
        return [_plain(one) for one in cell]
    return {name: _plain(one) for name, one in cell.items()}


def _column(schema: pl.Schema, wanted: Wanted, path: Path) -> pl.Expr:
    if wanted.column in schema:
        return pl.col(wanted.column)
    outer, *inner = wanted.column.split(".")
    expression = pl.col(outer)
    dtype: object = schema.get(outer)
    for name in inner:
        fields = {entry.name: entry.dtype for entry in dtype.fields} if isinstance(dtype, pl.Struct) else {}
        expression, dtype = expression.struct.field(name), fields.get(name)
    if dtype is None:
        raise missing_column(path, wanted, schema.names())
    return expression
