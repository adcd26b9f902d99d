"""The times of a log, in the units that logs have, as ms since 1970."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from streams.replay.mapping import TimeUnit

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_PER_MILLISECOND = {"s": Fraction(1, 1_000), "ms": Fraction(1), "us": Fraction(1_000), "ns": Fraction(1_000_000)}
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?\s*", re.ASCII)
_UTC = re.compile(r"\s*(UTC|GMT)$", re.IGNORECASE)

FIRST_LIKELY_S, LAST_LIKELY_S = 978_307_200, 4_102_444_800
"""The years 2001 to 2099. A time that would lie in them if it were seconds, and that counts as ms, is in early 1970."""


class Timestamp(str):
    """A date or time that the file holds as one, in ISO 8601: no unit applies to it."""

    __slots__ = ()


def milliseconds(value: object, unit: TimeUnit) -> int | None:
    """Return a time in ms since 1970, None where the cell is empty or not a number.

    Raises ValueError for what is no time in that unit.
    """
    if value is None or value == "" or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, Timestamp) or (unit == "iso" and isinstance(value, str)):
        return iso_milliseconds(value)
    is_number = not isinstance(value, bool) and isinstance(value, int | float)
    if unit == "iso":
        hint = "; give the unit of the numbers, s, ms, us or ns" if is_number else ""
        raise ValueError(f"{value!r} is no time of ISO 8601, such as 2026-11-22T10:00:00Z{hint}")
    if not is_number and not (isinstance(value, str) and _NUMBER.fullmatch(value)):
        hint = '; it looks like ISO 8601: unit = "iso"' if _is_iso(str(value)) else ""
        raise ValueError(f"{value!r} is no number of {unit} since 1970{hint}")
    text = str(value).strip()
    if text.isdecimal():
        return _whole(int(text), unit)
    return math.floor(Fraction(Decimal(text)) / _PER_MILLISECOND[unit])


def _whole(number: int, unit: TimeUnit) -> int:
    return number * 1_000 if unit == "s" else number // int(_PER_MILLISECOND[unit])


def iso_milliseconds(text: str) -> int:
    """Return a time of ISO 8601 in ms since 1970 (UTC where it names no zone; " UTC" may stand for Z).

    Raises ValueError if it is none.
    """
    try:
        time = datetime.fromisoformat(_UTC.sub("+00:00", text.strip()))
        return ((time if time.tzinfo is not None else time.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        hint = "; a number needs unit = s, ms, us or ns" if _NUMBER.fullmatch(text) else ""
        raise ValueError(f"{text!r} is no time of ISO 8601, such as 2026-11-22T10:00:00Z{hint}") from None


def likely_unit(newest_ms: int, unit: TimeUnit) -> TimeUnit | None:
    """Return the unit that the times of a log are more likely in than `unit`, None where it may well be right.

    `newest_ms` is the newest of them, read in `unit`.
    """
    if unit == "iso":
        return None
    for other, per_millisecond in _PER_MILLISECOND.items():
        seconds = newest_ms * _PER_MILLISECOND[unit] / per_millisecond / 1_000
        is_likely = FIRST_LIKELY_S <= seconds < LAST_LIKELY_S
        if other == unit and is_likely:
            return None
        if is_likely:
            return other  # type: ignore[return-value]  # the keys are units
    return None


def _is_iso(text: str) -> bool:
    try:
        iso_milliseconds(text)
    except ValueError:
        return False
    return True
