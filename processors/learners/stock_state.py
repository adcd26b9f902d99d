"""The state of stock River models as plain values: exact, and without pickle.

Only objects of River's own classes, plain values and a few containers are written; to read them back, they are made
empty and given their attributes. Nothing is imported for it and nothing is called: a class that a state names has to be
one that River itself defines under that name, and that the configured estimator has brought in.
"""

from __future__ import annotations

import math
import sys
from collections import Counter, defaultdict, deque
from random import Random
from typing import Any

import msgspec
import numpy as np
from river.utils import VectorDict

from processors.wire.packed_arrays import packed, unpacked_numbers
from processors.wire.plain_state import MalformedError, require

FACTORIES: dict[str, type] = {"float": float, "int": int, "dict": dict, "list": list}


class UnplainError(Exception):
    """A model holds something that cannot be written without pickle; the message names it."""


def to_plain(model: object) -> list[Any]:
    """Return everything that a River model is, as values that msgpack can hold.

    Raises `UnplainError` where it holds something else: such a model cannot be checkpointed.
    """
    return _Writer().write(model)


def from_plain(value: list[Any]) -> Any:
    """Return the model whose `to_plain` this is. Raises `MalformedError` where it is that of none."""
    try:
        return _Reader().read(value)
    except (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise MalformedError(f"an estimator's state: {type(error).__name__}: {error}") from error


class _Writer:
    """Writes each object once; where it is met again, its number stands for it."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._alive: list[object] = []

    def write(self, value: Any) -> list[Any]:
        if value is None or isinstance(value, bool | int | float | str | bytes):
            return ["plain", value.item() if isinstance(value, np.generic) else value]
        if isinstance(value, np.generic):
            return ["plain", value.item()]
        if isinstance(value, tuple):
            return ["tuple", [self.write(item) for item in value]]
        if id(value) in self._numbers:
            return ["again", self._numbers[id(value)]]
        self._numbers[id(value)] = len(self._numbers)
        self._alive.append(value)  # an id is unique only while its object lives
        return self._write_container(value)

    def _write_container(self, value: Any) -> list[Any]:
        kind = type(value)
        if kind is list or kind is set or kind is deque:
            items = sorted(value, key=repr) if kind is set else value
            bound = [value.maxlen] if kind is deque else []
            return [kind.__name__, [self.write(item) for item in items], *bound]
        if kind is defaultdict:
            made_by = value.default_factory
            factory = None if made_by is None else getattr(made_by, "__name__", "")
            if factory is not None and FACTORIES.get(factory) is not made_by:
                raise UnplainError(f"a defaultdict whose default is made by {value.default_factory}")
            return ["defaultdict", self._pairs(value), factory]
        if kind is dict or kind is Counter or kind is VectorDict:
            return [kind.__name__, self._pairs(value)]
        if kind is Random:
            return ["random", self.write(value.getstate())]
        if isinstance(value, np.ndarray) and value.dtype != object:
            return ["array", packed(value)]
        if kind.__module__.startswith("river.") and hasattr(value, "__dict__"):
            return ["object", kind.__module__, kind.__qualname__, self._pairs(vars(value))]
        raise UnplainError(f"an object of {kind.__module__}.{kind.__qualname__}")

    def _pairs(self, mapping: Any) -> list[Any]:
        return [[self.write(key), self.write(item)] for key, item in mapping.items()]


class _Reader:
    """Reads what a writer wrote, in the same order, so that the numbers agree."""

    def __init__(self) -> None:
        self._met: list[Any] = []

    def read(self, value: list[Any]) -> Any:
        kind, content, *more = value
        made: Any = content
        if kind == "tuple":
            made = tuple(self.read(item) for item in content)
        elif kind == "again":
            made = self._met[content]
        elif kind == "array":
            made = unpacked_numbers(content, "an array of an estimator")
            self._met.append(made)
        elif kind == "random":
            made = Random()
            self._met.append(made)
            made.setstate(self.read(content))
        elif kind == "object":
            made = self._read_object(content, *more)
        elif kind in {"list", "set", "deque"}:
            made = self._read_items(kind, content, *more)
        elif kind != "plain":
            made = self._read_mapping(kind, content, *more)
        elif not (content is None or isinstance(content, bool | int | float | str | bytes)):
            raise MalformedError(f"an estimator's state: {type(content).__name__} where a plain value has to be")
        return made

    def _read_mapping(self, kind: str, pairs: list[Any], factory: str | None = None) -> Any:
        kinds: dict[str, Any] = {"dict": dict, "Counter": Counter, "VectorDict": VectorDict}
        empty: Any = defaultdict(FACTORIES[factory] if factory else None) if kind == "defaultdict" else kinds[kind]()
        self._met.append(empty)
        for key, item in pairs:
            empty[self.read(key)] = self.read(item)
        if kind in {"Counter", "VectorDict"} or factory in {"float", "int"}:
            numbers = all(isinstance(one, int | float) and math.isfinite(one) for one in empty.values())
            require(numbers, f"an estimator's state: a {kind} of numbers holds what is none")
        return empty

    def _read_items(self, kind: str, content: list[Any], bound: int | None = None) -> Any:
        items: Any = {"list": list, "set": set}[kind]() if kind != "deque" else deque(maxlen=bound)
        self._met.append(items)
        add = items.add if kind == "set" else items.append
        for item in content:
            add(self.read(item))
        return items

    def _read_object(self, module: str, name: str, pairs: list[Any]) -> Any:
        found: Any = sys.modules.get(module) if module.startswith("river.") else None
        for part in name.split("."):
            found = getattr(found, part, None)
        # What a module of River has imported from elsewhere is named there, too.
        if not isinstance(found, type) or (found.__module__, found.__qualname__) != (module, name):
            raise MalformedError(
                f"an estimator's state names {module[:100]}.{name[:100]}: only River's own classes are read"
            )
        made: Any = object.__new__(found)
        self._met.append(made)
        for key, item in pairs:
            attribute = self.read(key)
            if not isinstance(attribute, str):
                raise MalformedError(
                    f"an estimator's state: {type(attribute).__name__} where an attribute's name has to be"
                )
            made.__dict__[attribute] = self.read(item)
        return made


def plain_copy(model: object) -> Any:
    """Return the model after a journey through bytes, as a checkpoint would bring it back."""
    return from_plain(msgspec.msgpack.decode(msgspec.msgpack.encode(to_plain(model))))
