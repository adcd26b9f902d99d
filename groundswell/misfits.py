"""What does not fit in a message, said with the name that msgspec leaves out: `$.context["age"]`, not `$.context[...]`.

Of what stands in an object under names that people choose, msgspec says only that it is one of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from groundswell.events import Features

_VALUE: Final = re.compile(r"`(\$[^`]*)\[\.\.\.\]`$")
_NAME: Final = re.compile(r"`key` in `(\$[^`]*)`$")
_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
LONGEST_NAME: Final = 60
"""Characters of a name that are shown."""


def named(error: msgspec.ValidationError, content: bytes) -> str:
    """Return what is wrong with a message in JSON, and the name under which it stands where that is a feature's."""
    said = str(error)
    found = _VALUE.search(said) or _NAME.search(said)
    if found is None:
        return said
    wrong = _first_wrong(_at(found[1], content))
    return said if wrong is None else f"{said[: found.start()]}`{found[1]}[{_shown(wrong)}]`"


def _at(path: str, content: bytes) -> Any:
    """Return what stands at a path, None where nothing does."""
    try:
        at: Any = msgspec.json.decode(content)
        for name, place in _STEP.findall(path):
            at = at[int(place)] if place else at[name]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, KeyError, IndexError, TypeError):
        return None  # what comes behind the first fault may be anything
    return at


def _first_wrong(features: Any) -> str | None:
    """Return the first name of which name and value are no feature, as they stand in an impression."""
    if not isinstance(features, Mapping):
        return None
    for name, value in features.items():
        try:
            msgspec.convert({name: value}, Features)
        except msgspec.ValidationError:
            return str(name)
    return None


def _shown(name: str) -> str:
    cut = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
    return msgspec.json.encode(cut).decode()
