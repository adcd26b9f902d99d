"""Logs in Parquet, by a mapping: read to the end with every row accounted for, or refused with what is wrong.

An input is JSON: the `mapping` as in `mappings.py` and the `columns`, each a name with a kind of `KINDS` and values.
The bytes of a file are left as Polars writes them: on some that are damaged it panics, which is told, but that leaves
threads of this process behind, and after several of these nothing is read any more.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any, Final

import msgspec
import polars as pl

from experiments.fuzz.mappings import COMMON, WORDS
from experiments.fuzz.mutation import as_json, from_json, mutated_tree
from experiments.fuzz.replayed import check_replayed, mapping_text
from experiments.fuzz.target import Target

NAME: Final = "log.parquet"
KINDS: Final[Mapping[str, Any]] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "small": pl.UInt8(),
    "large": pl.UInt64(),
    "number": pl.Float64(),
    "half": pl.Float32(),
    "truth": pl.Boolean(),
    "date": pl.Date(),
    "moment": pl.Datetime("us"),
    "local": pl.Datetime("ms", "Europe/Berlin"),
    "fine": pl.Datetime("ns"),
    "time": pl.Time(),
    "span": pl.Duration("ms"),
    "money": pl.Decimal(38, 9),
    "bytes": pl.Binary(),
    "word": pl.Categorical(),
    "texts": pl.List(pl.String()),
    "numbers": pl.List(pl.Float64()),
    "fixed": pl.Array(pl.Float64(), 2),
    "nested": pl.Struct({"x": pl.Int64(), "y": pl.List(pl.String())}),
    "nothing": pl.Null(),
}
COUNTED: Final = ("date", "moment", "local", "fine", "time", "span")
"""Kinds that are whole numbers of days or of parts of a second, since 1970 or midnight."""
MOST_ROWS: Final = 50


def file(columns: Mapping[str, Any]) -> bytes:
    """Return a file of Parquet. Raises where there is none of such columns."""
    series = [_series(name, *column) for name, column in columns.items()]
    written = io.BytesIO()
    pl.DataFrame(series).write_parquet(written, compression="uncompressed")
    return written.getvalue()


def _series(name: str, kind: str, values: list[Any]) -> pl.Series:
    dtype = KINDS[kind]
    if kind in COUNTED:
        return pl.Series(name, values[:MOST_ROWS], pl.Int64()).cast(dtype)
    if kind == "bytes":
        values = [None if one is None else str(one).encode("latin-1") for one in values]
    return pl.Series(name, values[:MOST_ROWS], dtype)


def check(data: bytes) -> None:
    """Read the log, or refuse it."""
    try:
        tree = from_json(data)
        mapping = mapping_text(tree["mapping"])
        content = file(tree["columns"])
    except Exception:  # what stands for no file: Polars says so in many ways
        return
    check_replayed(mapping, NAME, {NAME: content})


def seeds() -> Iterable[bytes]:
    """Yield good logs, with columns of each kind."""
    columns = {
        "who": ["text", ["ann", "bob", "cyd"]],
        "when": ["moment", [1_700_000_000_000_000, 1_700_000_001_000_000, 1_700_000_002_000_000]],
        "shown": ["word", ["a", "b", "a"]],
        "offered": ["texts", [["a", "b"], ["a", "b"], ["b", "a"]]],
        "ps": ["numbers", [[0.5, 0.5], [0.25, 0.75], [0.5, 0.5]]],
        "p": ["number", [0.5, 0.75, 0.5]],
        "liked": ["truth", [True, False, None]],
        "seen": ["integer", [1_700_000_004, None, 1_700_000_005]],
    }
    like = {"signal": "like", "column": "liked", "delay_ms": 500}
    seen = {"signal": "seen", "column": "seen", "present": True, "at": {"column": "seen", "unit": "s"}}
    common = {
        "model": COMMON["model"],
        "impression_id": "who",
        "occurred_at": {"column": "when", "unit": "iso"},
        "bad_rows": "skip",
    }
    offered = {"column": "shown", "set": {"column": "offered"}}
    yield _packed({**common, "action": offered, "propensity": {"probabilities": "ps"}, "feedback": [like]}, columns)
    yield _packed({**common, "action": {"column": "shown"}, "propensity": "p", "feedback": [like, seen]}, columns)
    for kind in KINDS:
        values = [None, *_VALUES.get(kind, [1, 2])]
        more = {**columns, "x": [kind, values]}
        read = {"context": {"x": "x.x" if kind == "nested" else "x"}, "weight": "p"}
        yield _packed({**common, "action": {"column": "shown"}, "propensity": "p", "feedback": [like], **read}, more)


_VALUES: Final[Mapping[str, list[Any]]] = {
    "text": ["x", "y"],
    "word": ["x", "y"],
    "bytes": ["x", "\xff"],
    "truth": [True, False],
    "texts": [["x"], []],
    "numbers": [[1.5], []],
    "fixed": [[1.5, 2.5], [0.0, 1.0]],
    "nested": [{"x": 1, "y": ["a"]}, {"x": None, "y": []}],
    "nothing": [None, None],
}


def _packed(mapping: dict[str, Any], columns: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"mapping": mapping, "columns": columns})


def mutated(data: bytes, rng: Random) -> bytes | None:
    """Return an input with its mapping or a column changed."""
    try:
        tree = from_json(data)
        what = rng.random()
        if what < 0.3:
            tree["mapping"] = mutated_tree(tree["mapping"], None, rng, WORDS)
        elif what < 0.7:
            name = rng.choice(list(tree["columns"]))
            tree["columns"][name] = mutated_tree(tree["columns"][name], None, rng, WORDS)
        else:
            name = rng.choice(list(tree["columns"]))
            kind = rng.choice(list(KINDS))
            tree["columns"][name] = [kind, [None, *_VALUES.get(kind, [rng.randrange(-(2**62), 2**62), 2])]]
        return as_json(tree, rng)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return None


TARGET: Final = Target("parquet", check, seeds, mutated, 16_384)
