"""The times of a log, in the units that logs have, as ms since 1970."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from streams.replay.mapping import TimeUnit


def milliseconds(dtype: pl.DataType, column: str, unit: TimeUnit) -> pl.Expr:
    """Return an expression for the time in ms since 1970, null where the column holds none."""
    time = pl.col(column)
    if isinstance(dtype, pl.Datetime | pl.Date):
        return time.cast(pl.Datetime("ms")).dt.epoch("ms") if dtype == pl.Date else time.dt.epoch("ms")
    if unit == "iso":
        return time.cast(pl.String).map_batches(_from_iso, return_dtype=pl.Int64)
    whole, fractional = time.cast(pl.Int64, strict=False), time.cast(pl.Float64, strict=False)
    if dtype.is_float():
        whole = pl.lit(None, dtype=pl.Int64)
    match unit:
        case "s":
            return pl.coalesce(whole * 1_000, (fractional * 1_000).floor().cast(pl.Int64, strict=False))
        case "ms":
            return pl.coalesce(whole, fractional.floor().cast(pl.Int64, strict=False))
        case "us":
            return pl.coalesce(whole // 1_000, (fractional / 1_000).floor().cast(pl.Int64, strict=False))
        case "ns":
            return pl.coalesce(whole // 1_000_000, (fractional / 1_000_000).floor().cast(pl.Int64, strict=False))


def _from_iso(texts: pl.Series) -> pl.Series:
    # Python's parser takes every form of ISO 8601 within one column; a strptime pattern takes one.
    return pl.Series([iso_milliseconds(text) for text in texts], dtype=pl.Int64)


def iso_milliseconds(text: str | None) -> int | None:
    """Return a time of ISO 8601 in ms since 1970 (UTC where it names no zone), None if it is none."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    zoned = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return int(zoned.timestamp() * 1_000)
