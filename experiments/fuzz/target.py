"""What is fuzzed: something that reads the bytes of others, what may come of that, and how its input is made."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

GUIDES: Final[Mapping[str, Sequence[str]]] = {
    "admission": ("groundswell", "processors", "streams.worker"),
    "interactions": ("groundswell", "processors", "streams.worker"),
    "checkpoints": ("processors", "state", "streams.worker"),
    "changelog": ("processors", "state", "streams.worker"),
    "policies": ("groundswell", "streams.inspection", "streams.worker"),
    "signatures": ("groundswell", "streams.kafka"),
    "controls": ("groundswell", "streams.inspection"),
    "mappings": ("streams.replay", "streams.declared_settings"),
    "dsjson": ("streams.replay", "streams.declared_settings"),
    "pages": ("streams.http", "aiohttp.http_parser", "aiohttp.web_protocol", "aiohttp.web_request"),
}
"""The packages whose coverage guides each target. Of each there is a file of this room that declares `TARGET`."""
NAMES: Final = tuple(GUIDES)


class ViolationError(AssertionError):
    """What came of an input is not what has to come of any; the message says what it is."""


@dataclass(frozen=True)
class Target:
    """Something that reads the bytes of others.

    `check` does with an input what a worker, an app or a command would, and raises only where that goes wrong:
    `ViolationError` where a property does not hold, and whatever comes that is none of the errors that are told. What
    it keeps from one input to the next has no influence on that. `seeds` are good inputs, from which all else is made.
    `mutated` returns a changed input of so many bytes at most, or None to have bytes changed blindly.
    """

    name: str
    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    mutated: Callable[[bytes, Random], bytes | None]
    most_bytes: int = 8_192


def require(holds: bool, what: str) -> None:
    """Raise `ViolationError` saying `what` is the matter unless something holds."""
    if not holds:
        raise ViolationError(what)


def find(name: str) -> Target:
    """Return the target of that name. Raises `ValueError` where there is none."""
    if name not in NAMES:
        raise ValueError(f"no target {name!r}: there are {', '.join(NAMES)}")
    target: Target = importlib.import_module(f"experiments.fuzz.{name}").TARGET
    return target
