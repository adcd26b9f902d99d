"""River estimators as plain values and back, without pickle: a walk over their attributes.

Only what is known to be exact is taken: numbers, text, lists, tuples, sets, dictionaries, River's weight
vectors and objects of River's own classes with ordinary attributes. Anything else is refused, when a model is
configured.
"""

from __future__ import annotations

import importlib
from collections import defaultdict
from typing import Any

from river.utils import VectorDict


class NotPlainError(Exception):
    """An estimator that cannot be written to a checkpoint without pickle."""


def flattened(value: Any) -> Any:
    """Return plain values (None, bool, int, float, str, list, dict) for an estimator or a part of one.

    Raises:
        NotPlainError: a part of it has no plain form.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple | set):
        return {"kind": type(value).__name__, "items": [flattened(item) for item in value]}
    if isinstance(value, VectorDict):
        return {"kind": "vector", "items": _pairs(value.to_dict())}
    if isinstance(value, defaultdict) and value.default_factory in (int, float):
        return {"kind": f"defaultdict {value.default_factory.__name__}", "items": _pairs(value)}
    if type(value) is dict:
        return {"kind": "dict", "items": _pairs(value)}
    cls = type(value)
    if cls.__module__.startswith("river.") and hasattr(value, "__dict__"):
        return {"kind": f"{cls.__module__}:{cls.__qualname__}", "items": _pairs(vars(value))}
    raise NotPlainError(f"{cls.__module__}.{cls.__qualname__} has no plain form")


def rebuilt(value: Any) -> Any:
    """Return what `flattened` was given.

    Raises:
        NotPlainError: the value names something that is no part of River.
    """
    if not isinstance(value, dict):
        return value
    kind, items = value["kind"], value["items"]
    if kind in {"list", "tuple", "set"}:
        return {"list": list, "tuple": tuple, "set": set}[kind](rebuilt(item) for item in items)
    pairs = {rebuilt(key): rebuilt(item) for key, item in items}
    if kind == "dict":
        return pairs
    if kind == "vector":
        return VectorDict(pairs)
    if kind in {"defaultdict int", "defaultdict float"}:
        return defaultdict(int if kind.endswith("int") else float, pairs)
    module, _, name = kind.partition(":")
    if not module.startswith("river."):
        raise NotPlainError(f"a checkpoint names {kind}, which is no part of River")
    cls = getattr(importlib.import_module(module), name)
    instance = cls.__new__(cls)
    vars(instance).update(pairs)
    return instance


def _pairs(items: Any) -> list[list[Any]]:
    return [[flattened(key), flattened(item)] for key, item in items.items()]
