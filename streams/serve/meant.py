"""Which member or path was probably meant by one that there is not: by its letters, or by what others call it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import inspect

from groundswell.misfits import named
from processors.admission.event_records import example_of
from streams.serve.operations import ACTIVATE, FEEDBACK, MODELS, OPERATIONS, RANK, Operation
from streams.words import nearest

SERVED: Final = ("/openapi.json", "/metrics", "/healthz", "/readyz")
"""Paths beside those of the operations, all of them asked by GET."""
CALLED: Final = {
    "eventid": "impression_id",
    "event_id": "impression_id",
    "features": "context",
    "user": "context",
    "deferactivation": "defer",
    "deferred": "defer",
    "probabilities": "own",
    "baseline": "own",
    "reward": "signal",
    "event": "signal",
    "type": "signal",
    "timestamp": "occurred_at",
    "time": "occurred_at",
    "name": "id",
}
"""What others call a member."""
DONE: Final[Mapping[str, Operation]] = {
    "decide": RANK,
    "choose": RANK,
    "predict": RANK,
    "reward": FEEDBACK,
    "signal": FEEDBACK,
    "event": FEEDBACK,
    "shown": ACTIVATE,
    "activation": ACTIVATE,
    "policies": MODELS,
}
"""What others call an operation."""
_UNKNOWN: Final = re.compile(r"unknown field `(.*?)`(?: - at `(\$[^`]*)`)?$", re.DOTALL)
_STEP: Final = re.compile(r"\.([^.\[]+)|\[")
LONGEST: Final = 100
"""Characters of what was sent that are looked at, and shown."""


def misfit(error: msgspec.ValidationError, content: bytes, kind: type[msgspec.Struct]) -> str:
    """Return what is wrong with a body that was to be of this kind, and what to do."""
    unknown = _UNKNOWN.search(str(error))
    if unknown is None:
        said = named(error, content)
        return f"{said}{example_of(said) or '; /openapi.json has what is asked for'}"
    name, path = unknown[1][:LONGEST], unknown[2]
    there = list(_members(kind, path or "$"))
    where = f" in `{path}`" if path else ""
    close = _nearest(name, there, CALLED)
    hint = f"did you mean `{close}`?" if close else f"there are {', '.join(there)}"
    return f"no member `{name}`{where}; {hint}"


def elsewhere(path: str) -> str:
    """Return what may be asked in the place of a path that is none."""
    paths = {one.path.rpartition("/")[2]: one.path for one in OPERATIONS} | {one[1:]: one for one in SERVED}
    called = {name: one.path.rpartition("/")[2] for name, one in DONE.items()}
    for part in reversed(path[:LONGEST].split("/")):
        if close := _nearest(part, paths, called):
            return f"did you mean {paths[close]}?"
    return f"there are {', '.join(paths.values())}"


def _nearest(name: str, there: Collection[str], called: Mapping[str, str]) -> str | None:
    # A name that others use says more than letters that are alike.
    if (by_name := called.get(name.lower())) in there:
        return by_name
    return nearest(name, there)


def _members(kind: type[msgspec.Struct], path: str) -> Iterator[str]:
    """Yield the members of what stands at a path in a body of this kind."""
    at: Any = inspect.type_info(kind)
    for name in _STEP.findall(path):
        at = next(one.type for one in at.fields if one.encode_name == name) if name else _one(at, "item_type").item_type
    yield from (one.encode_name for one in _one(at, "fields").fields)


def _one(kind: Any, having: str) -> Any:
    """Return the one of several types that something may be of which has this: lists their items, objects members."""
    several = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return next(one for one in several if hasattr(one, having))
