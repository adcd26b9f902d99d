"""Reading a log as a mapping declares it: CSV, Parquet or JSON lines, with side tables, in time order.

Only the columns that the mapping names are read. Rows come in batches: of a log that is `sorted_by_time` and
needs no deduplication only the impression ids are ever held together, while they are checked to be unique.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from groundswell.events import Action
from streams.replay.cell_values import feature_value
from streams.replay.mapped_rows import (
    ACTION,
    IMPRESSION_ID,
    OCCURRED_AT,
    ROW,
    Interpreted,
    RowError,
    RowInterpreter,
    time_of,
)
from streams.replay.mapping import Mapping, MappingError, SideTable
from streams.replay.time_columns import milliseconds

BATCH_ROWS = 5_000
ID_SEPARATOR = ":"
MAX_ACTIONS = 10_000


@dataclass(frozen=True)
class Log:
    """A log that fits its mapping.

    `rows` counts the file's rows and `distinct_rows` those that are left after deduplication. `actions` is the
    set that all impressions share (empty where each row has its own), `frequencies` each action's share of the
    distinct rows. `left_out` counts rows that hold no decision, by reason: here there are none.
    """

    rows: int
    distinct_rows: int
    actions: tuple[Action, ...]
    frequencies: Lookup[str, float]
    mapping: Mapping
    plan: pl.LazyFrame
    left_out: Lookup[str, int] = field(default_factory=dict)

    def outcomes(self, limit: int | None) -> Iterator[tuple[int, Interpreted | RowError]]:
        """Yield (row number, what it says or what is wrong with it) of the first `limit` rows in time order."""
        interpreter = RowInterpreter(self.mapping, self.actions, self.frequencies)
        for row in self.read(limit):
            try:
                yield row[ROW] + 1, interpreter.interpret(row)
            except RowError as error:
                yield row[ROW] + 1, error

    def read(self, limit: int | None) -> Iterator[dict[str, Any]]:
        """Yield the distinct rows in time order, the first `limit` of them."""
        plan = self.plan if limit is None else self.plan.head(limit)
        for batch in plan.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True):
            yield from batch.iter_rows(named=True)


def open_log(path: Path, mapping: Mapping) -> Log:
    """Check the log at `path` against its mapping and plan how to read it.

    Raises MappingError where a file or column is missing, a side table's key repeats, or impression ids do.
    """
    try:
        return _opened(path, mapping)
    except pl.exceptions.PolarsError as error:
        raise MappingError(f"{path}: cannot be read: {error}") from error


def _opened(path: Path, mapping: Mapping) -> Log:
    scanned = _scan(path, _text_columns(mapping)).with_row_index(ROW)
    tables = {name: _side_table(path, name, mapping) for name in mapping.tables}
    rows = _with_derived_columns(_joined(_projected(scanned, path, mapping), tables, mapping), mapping)
    distinct = rows
    if mapping.deduplicate is not None:
        distinct = rows.unique(list(mapping.deduplicate), keep="first", maintain_order=True)

    total, counts, shown = pl.collect_all(
        [
            scanned.select(pl.len()),
            distinct.select(pl.len().alias("rows"), pl.col(IMPRESSION_ID).drop_nulls().n_unique().alias("ids")),
            distinct.group_by(ACTION).len(),
        ]
    )
    distinct_rows, ids = counts.row(0)
    unnamed = 0
    if ids < distinct_rows:
        unnamed = distinct.select(pl.col(IMPRESSION_ID).is_null().sum()).collect().item()
    if repeated := distinct_rows - unnamed - ids:
        raise MappingError(
            f"impression_id: {repeated} of {distinct_rows} rows of {path} have the id of an earlier one; "
            "add the columns that tell them apart, or drop them with `deduplicate`"
        )
    frequencies = {action: count / distinct_rows for action, count in shown.iter_rows() if action is not None}
    plan = distinct if mapping.sorted_by_time else distinct.sort(OCCURRED_AT, maintain_order=True)
    return Log(total.item(), distinct_rows, _actions(frequencies, tables, mapping), frequencies, mapping, plan)


def _scan(path: Path, text_columns: frozenset[str]) -> pl.LazyFrame:
    if not path.is_file():
        raise MappingError(f"{path}: no such file")
    name = path.name.removesuffix(".gz").lower()
    if name.endswith((".csv", ".tsv")):
        # Types are inferred from the whole file: a later row must not contradict an early guess. Identifiers
        # stay text, or 007 would become 7.
        separator = "\t" if name.endswith(".tsv") else ","
        header = pl.scan_csv(path, separator=separator, infer_schema=False).collect_schema().names()
        text = {column: pl.String() for column in header if column in text_columns}
        return pl.scan_csv(path, separator=separator, infer_schema_length=None, schema_overrides=text)
    if name.endswith(".parquet"):
        return pl.scan_parquet(path)
    if name.endswith((".jsonl", ".ndjson", ".json")):
        return pl.scan_ndjson(path, infer_schema_length=None)
    raise MappingError(f"{path}: expected .csv, .tsv, .jsonl, .ndjson (each also .gz) or .parquet")


def _text_columns(mapping: Mapping) -> frozenset[str]:
    """Return the log's columns whose text is what counts."""
    columns = {*mapping.impression_id, mapping.action.column}
    columns |= {feature.column for feature in mapping.context.values() if feature.type == "category"}
    columns |= {feedback.signal_from for feedback in mapping.feedback if feedback.signal_from is not None}
    columns |= {f.column for f in mapping.feedback if f.equals is not None and f.column is not None}
    columns |= {table.on or table.key for table in mapping.tables.values()}
    if mapping.action.set.column is not None:
        columns.add(mapping.action.set.column)
    return frozenset(columns)


def _projected(scanned: pl.LazyFrame, path: Path, mapping: Mapping) -> pl.LazyFrame:
    """Keep what the mapping names, each column under the name that it is declared by."""
    schema = scanned.collect_schema()
    wanted = [(field, column) for field, column in mapping.row_columns() if mapping.table_of(column) is None]
    wanted += [(f"tables.{name}.on", mapping.tables[name].on or mapping.tables[name].key) for name in _joins(mapping)]
    columns = {column: _column(schema, column, field, path).alias(column) for field, column in wanted}
    return scanned.select(ROW, *columns.values())


def _column(schema: pl.Schema, column: str, field: str, path: Path) -> pl.Expr:
    if column in schema:
        return pl.col(column)
    outer, *inner = column.split(".")
    expression = pl.col(outer)
    dtype: object = schema.get(outer)
    for name in inner:
        fields = {entry.name: entry.dtype for entry in dtype.fields} if isinstance(dtype, pl.Struct) else {}
        expression, dtype = expression.struct.field(name), fields.get(name)
    if dtype is None:
        close = difflib.get_close_matches(column, schema.names(), n=1)
        suggestion = f"; did you mean {close[0]!r}?" if close else ""
        raise MappingError(f"{field}: {path.name} has no column {column!r}{suggestion}")
    return expression


def _joins(mapping: Mapping) -> set[str]:
    """Return the side tables that rows take columns from."""
    return {table for _, column in mapping.row_columns() if (table := mapping.table_of(column)) is not None}


def _side_table(log: Path, name: str, mapping: Mapping) -> pl.DataFrame:
    """Read one side table: its key as text, and the columns that the mapping names, as `table.column`."""
    table: SideTable = mapping.tables[name]
    path = log.parent / table.path
    features = [(f"action.features.{f}", feature.column) for f, feature in mapping.action.features.items()]
    wanted = [
        (field, column) for field, column in [*mapping.row_columns(), *features] if mapping.table_of(column) == name
    ]
    scanned = _scan(path, frozenset({table.key}))
    schema = scanned.collect_schema()
    columns = {
        column: _column(schema, column.removeprefix(f"{name}."), field, path).alias(column) for field, column in wanted
    }
    key = _column(schema, table.key, f"tables.{name}.key", path).cast(pl.String).alias(_key(name))
    rows = scanned.select(key, *columns.values()).collect()
    if repeated := rows.height - rows[_key(name)].n_unique():
        raise MappingError(
            f"tables.{name}.key: {repeated} of {rows.height} rows of {path} repeat an earlier {table.key!r}"
        )
    return rows


def _key(table: str) -> str:
    return f"@key.{table}"


def _joined(rows: pl.LazyFrame, tables: Lookup[str, pl.DataFrame], mapping: Mapping) -> pl.LazyFrame:
    for name in sorted(_joins(mapping)):
        table = mapping.tables[name]
        rows = rows.with_columns(pl.col(table.on or table.key).cast(pl.String).alias(_key(name)))
        rows = rows.join(tables[name].lazy(), on=_key(name), how="left", maintain_order="left").drop(_key(name))
    return rows


def _with_derived_columns(rows: pl.LazyFrame, mapping: Mapping) -> pl.LazyFrame:
    """Add what deduplicating, sorting and counting need: impression id, times in ms, and the shown action."""
    schema = rows.collect_schema()
    action = pl.col(mapping.action.column).cast(pl.String)
    if mapping.action.first_of is not None:
        action = action.str.split(mapping.action.first_of).list.first()
    action = pl.when(action != "").then(action)
    if mapping.action.missing is not None:
        action = action.fill_null(mapping.action.missing)
    identifier = pl.concat_str([pl.col(c).cast(pl.String) for c in mapping.impression_id], separator=ID_SEPARATOR)
    times = [(OCCURRED_AT, mapping.occurred_at)]
    times += [(time_of(f.at.column), f.at) for f in mapping.feedback if f.at is not None]
    return rows.with_columns(
        identifier.alias(IMPRESSION_ID),
        action.alias(ACTION),
        *(milliseconds(schema[time.column], time.column, time.unit).alias(name) for name, time in times),
    )


def _actions(shown: Lookup[str, float], tables: Lookup[str, pl.DataFrame], mapping: Mapping) -> tuple[Action, ...]:
    """Return the shared action set with its features; numbered actions in the order of their numbers."""
    declared = mapping.action.set
    if declared.column is not None:
        return ()
    if declared.listed is not None:
        ids = list(declared.listed)
    elif declared.table is not None:
        ids = sorted((str(key) for key in tables[declared.table][_key(declared.table)]), key=_by_number)
    else:
        ids = sorted(shown, key=_by_number)
    if len(ids) > MAX_ACTIONS:
        raise MappingError(f"action.set: {len(ids)} actions, expected at most {MAX_ACTIONS}; choose a coarser column")
    features: dict[str, dict[str, Any]] = {action: {} for action in ids}
    for name, feature in mapping.action.features.items():
        table = mapping.table_of(feature.column)
        assert table is not None  # the mapping was checked for it
        for key, raw in tables[table].select(_key(table), feature.column).iter_rows():
            value = feature_value(raw, feature.type)
            if key in features and value is not None:
                features[key][name] = value
    return tuple(Action(action, features[action]) for action in ids)


def _by_number(action: str) -> tuple[bool, int, str]:
    return (False, int(action), action) if action.isdecimal() else (True, 0, action)
