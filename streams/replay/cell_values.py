"""What the cells of a log mean: yes or no, a number, a feature."""

from __future__ import annotations

import math
from datetime import date

from groundswell.events import FeatureValue
from streams.replay.mapping import FeatureType

_TRUE = frozenset({"true", "t", "yes", "y"})
_FALSE = frozenset({"", "false", "f", "no", "n"})


def truth(value: object) -> bool:
    """Return whether a cell says yes: true, a number other than 0, or a word for it. A missing value says no.

    Raises ValueError for a text that is neither.
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, int | float):
        return not math.isnan(value) and value != 0
    word = str(value).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    try:
        return truth(float(word))
    except ValueError:
        raise ValueError(f"{value!r} is neither true nor false; declare `equals`, `above` or `present`") from None


def number(value: object) -> float | None:
    """Return a cell as a finite number, None if it is missing or not finite.

    Raises ValueError for a text that is no number.
    """
    if value is None or value == "":
        return None
    if isinstance(value, int):
        return value
    try:
        converted = float(value)  # type: ignore[arg-type]  # what is no number is refused by float itself
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a number") from None
    return converted if math.isfinite(converted) else None


def feature_value(value: object, declared: FeatureType | None) -> FeatureValue | None:
    """Return a cell as a feature of the declared type, None where there is nothing to tell.

    Raises ValueError for what cannot be a feature of that type.
    """
    if value is None:
        return None
    match declared:
        case "category":
            return str(value)
        case "number":
            return number(value)
        case "boolean":
            return truth(value)
        case None:
            return _undeclared_feature_value(value)


def _undeclared_feature_value(value: object) -> FeatureValue | None:
    match value:
        case bool() | str():
            return value
        case int() | float():
            return number(value)
        case date():
            return value.isoformat()
        case _:
            raise ValueError(f"{value!r} is not one value; take a field of it, or declare a type")
