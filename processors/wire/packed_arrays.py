"""Arrays as plain values for a checkpoint: exact, without pickle, and checked before they are made again."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

import numpy as np
from numpy.typing import DTypeLike, NDArray

from processors.wire.plain_state import Count, MalformedError, read_as, require

LARGEST: Final = {4: 1e30, 8: 1e100}
"""Of a float of so many bytes: its square is finite, and so is what becomes of it."""
NUMBERS: Final = re.compile(r"[<|][biuf][1248]")
"""The types of arrays of which nothing else is known beforehand."""


class PackedArray(TypedDict):
    """Raw little-endian bytes in C order, with what is needed to read them."""

    dtype: str
    shape: list[Count]
    content: bytes


class PackedRows(TypedDict):
    """The rows of a two-dimensional array that are not all zero, and how many rows there are."""

    count: Count
    rows: PackedArray
    values: PackedArray


def packed(array: NDArray[Any]) -> PackedArray:
    """Return the array as plain values."""
    little = array.astype(array.dtype.newbyteorder("<"))
    return {"dtype": little.dtype.str, "shape": list(array.shape), "content": little.tobytes()}


def unpacked(
    value: object, dtype: DTypeLike, shape: Sequence[int | None], what: str, *, signed: bool = True
) -> NDArray[Any]:
    """Return a writable array from its plain values.

    It has to be of this type and shape, where None stands for any length, of numbers within `LARGEST`; unless `signed`,
    nothing in it may be below 0. Raises `MalformedError`, which calls it `what`.
    """
    plain = read_as(PackedArray, value, what)
    expected = np.dtype(dtype).newbyteorder("<")
    lengths = plain["shape"]
    fits = len(lengths) == len(shape) and all(
        bound is None or bound == length for bound, length in zip(shape, lengths, strict=True)
    )
    if plain["dtype"] != expected.str or not fits:
        named = "x".join("any" if bound is None else str(bound) for bound in shape)
        raise MalformedError(
            f"{what}: an array of {plain['dtype'][:20]} of shape {'x'.join(map(str, lengths[:8]))}, expected "
            f"{expected.str} of shape {named}"
        )
    array = _made(plain, expected, what)
    if array.dtype.kind == "f":
        # Neither infinite nor not a number compares as smaller.
        within = np.abs(array) <= LARGEST[array.dtype.itemsize]
        require(bool(within.all()), f"{what}: a number in it is none, or beyond {LARGEST[array.dtype.itemsize]:g}")
    require(signed or array.size == 0 or bool(array.min() >= 0), f"{what}: a number in it is below 0")
    return array


def unpacked_numbers(value: object, what: str) -> NDArray[Any]:
    """Return a writable array of numbers of any type and shape. Raises `MalformedError`, which calls it `what`."""
    plain = read_as(PackedArray, value, what)
    require(NUMBERS.fullmatch(plain["dtype"]) is not None, f"{what}: an array of {plain['dtype'][:20]!r}")
    try:
        return _made(plain, np.dtype(plain["dtype"]), what)
    except TypeError as error:
        raise MalformedError(f"{what}: {error}") from error


def _made(plain: PackedArray, dtype: np.dtype[Any], what: str) -> NDArray[Any]:
    size, count = dtype.itemsize, math.prod(plain["shape"])
    content = plain["content"]
    if len(content) != count * size:
        raise MalformedError(f"{what}: {len(content)} bytes for {count} numbers of {size}")
    array = np.frombuffer(content, dtype=dtype).reshape(plain["shape"])
    return array.astype(dtype.newbyteorder("="))


def packed_rows(array: NDArray[np.floating[Any]]) -> PackedRows:
    """Return a mostly empty table as its rows that are not all zero."""
    # A product of truth values is `any` along the rows, in a third of its time.
    rows = np.flatnonzero((array != 0) @ np.ones(array.shape[1], dtype=np.bool_))
    return {"count": len(array), "rows": packed(rows), "values": packed(array[rows])}


def unpacked_rows(
    value: object,
    shape: tuple[int, int],
    what: str,
    *,
    dtype: DTypeLike = np.float64,
    unsigned: Sequence[int] = (),
) -> NDArray[Any]:
    """Return the whole table, of this shape and type, of numbers within `LARGEST`, not below 0 in columns `unsigned`.

    Raises `MalformedError`, which calls it `what`: before anything is allocated by what the values say.
    """
    plain = read_as(PackedRows, value, what)
    count, columns = shape
    require(plain["count"] == count, f"{what}: a table of {plain['count']} rows, expected {count}")
    rows = unpacked(plain["rows"], np.int64, (None,), f"{what}, its rows", signed=False)
    values = unpacked(plain["values"], dtype, (len(rows), columns), what)
    in_order = len(rows) == 0 or (bool((np.diff(rows) > 0).all()) and rows[-1] < count)
    require(in_order, f"{what}: its rows are not ascending numbers below {count}")
    for column in unsigned:
        require(len(rows) == 0 or bool(values[:, column].min() >= 0), f"{what}: a number of column {column} is below 0")
    table = np.zeros(shape, dtype=values.dtype)
    table[rows] = values
    return table


def table_of(packed_table: Mapping[str, object], name: str, what: str) -> object:
    """Return what is packed under a name. Raises `MalformedError` where there is nothing."""
    require(name in packed_table, f"{what}: there is no {name}")
    return packed_table[name]
