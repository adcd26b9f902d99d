"""What the cells of a log mean: a name, yes or no, a number, a feature, a list of names."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from groundswell.events import NONE_SIGNAL, PROBABILITY_TOLERANCE, FeatureValue
from processors.admission.as_meant import near_probability
from streams.replay.mapping import FeatureType

_WORDS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("", "false", "f", "no", "n", "0"), False),
}
MOST_ROUNDING = 0.02
"""How far a list of probabilities may be from summing to 1 where as much can come of rounding to two decimals."""


def name(value: object) -> str | None:
    """Return a cell as a text that names something, None if it is missing.

    Raises ValueError for what is not one value.
    """
    if isinstance(value, str):
        return str(value) or None  # a time that a file holds as one is a text of its own kind
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return None if math.isnan(value) else str(value)
        case _:
            raise ValueError(f"{shortened(value)} is not one value")


def truth(value: object) -> bool:
    """Return whether a cell says yes: true, a number other than 0, or a word for it. A missing value says no.

    Raises ValueError for what is neither.
    """
    if isinstance(value, str) and (known := _WORDS.get(value)) is not None:
        return known
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, int | float):
        return not math.isnan(value) and value != 0
    word = str(value).strip().lower()
    known = _WORDS.get(word)
    if known is not None:
        return known
    try:
        return truth(float(word))
    except ValueError:
        raise ValueError(
            f"{shortened(value)} is neither true nor false; declare `equals`, `above` or `present`"
        ) from None


def number(value: object) -> float | None:
    """Return a cell as a finite number, None if it is missing or not finite.

    Raises ValueError for what is no number.
    """
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    converted = None
    if isinstance(value, float) or (isinstance(value, str) and "_" not in value):
        with suppress(ValueError):
            converted = float(value)
    if converted is None:
        hint = ""
        if isinstance(value, str) and re.fullmatch(r"[-+]?\d+,\d+", value):
            hint = "; write a point for the comma"
        elif isinstance(value, str) and value.endswith("%"):
            hint = "; write 0.5 for 50%"
        raise ValueError(f"{shortened(value)} is not a number{hint}")
    return converted if math.isfinite(converted) else None


def names(value: object, separator: str | None) -> list[str]:
    """Return the names in a cell: a list, a text cut at `separator`, or a JSON list kept as text.

    Raises ValueError where one of them is no name.
    """
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        value = _parsed_list(value)
    if isinstance(value, str) and separator is not None:
        value = value.split(separator)
    if not isinstance(value, list):
        value = [value]
    return [found for one in value if (found := name(one)) is not None]


def signals(value: object, separator: str | None) -> list[str]:
    """Return the different signals that a cell names; it may be empty, or say "none". Raises ValueError."""
    found = dict.fromkeys(one.strip() if separator is not None else one for one in names(value, separator))
    return [signal for signal in found if signal not in {"", NONE_SIGNAL}]


def probabilities(value: object, separator: str) -> list[float]:
    """Return the probabilities in a cell, a list or a text. Raises ValueError."""
    parts: Sequence[Any] = []
    if isinstance(value, str):
        listed = value.startswith("[") and value.endswith("]")
        parts = _parsed_list(value) if listed else value.split(separator)
    elif isinstance(value, list):
        parts = value
    found = [number(part) for part in parts]
    if not found or None in found:
        raise ValueError(f"{shortened(value)} is not a list of numbers")
    return without_rounding([one for one in found if one is not None])


def without_rounding(logged: Sequence[float]) -> list[float]:
    """Return probabilities without what rounding did to them.

    One that misses 0 or 1 by no more than the tolerance is cut to it. Where they miss a sum of 1 by no more than
    rounding each to two decimals explains, they are divided by their sum. Others stay as they are.
    """
    cut = [near_probability(one) for one in logged]
    total = math.fsum(cut)
    off = abs(total - 1)
    if PROBABILITY_TOLERANCE < off <= min(MOST_ROUNDING, 0.005 * len(cut)) + 1e-9:
        return [one / total for one in cut]
    return cut


def feature_value(value: object, declared: FeatureType | None) -> FeatureValue | None:
    """Return a cell as a feature of the declared type, None where there is nothing to tell.

    Raises ValueError for what cannot be a feature of that type.
    """
    match declared:
        case "category":
            return str(value) if isinstance(value, str) else name(value)
        case "number":
            return number(value)
        case "boolean":
            return None if value is None else truth(value)
        case None:
            return _undeclared_feature_value(value)


def _undeclared_feature_value(value: object) -> FeatureValue | None:
    if isinstance(value, str):
        return str(value)
    match value:
        case None | bool():
            return value
        case int() | float():
            return number(value)
        case _:
            raise ValueError(f"{shortened(value)} is not one value; take a field of it, or declare a type")


def _parsed_list(text: str) -> list[object]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(
            f'{shortened(text)} looks like a list and is not JSON: write ["a", "b"], or a,b with separator = ","'
        ) from None
    return parsed if isinstance(parsed, list) else [parsed]


def shortened(value: object, most: int = 80) -> str:
    """Return a value as it would be written in Python, cut where it is long."""
    told = repr(str(value)) if isinstance(value, str) else repr(value)
    return told if len(told) <= most else f"{told[:most]}…"
