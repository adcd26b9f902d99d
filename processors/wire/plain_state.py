"""What a state that was written down has to be before it is believed: types, ranges, and the one error for all else.

Whoever can write where state lies can write anything there, under a right checksum. So of each value it is declared
what it may be, and nothing is allocated by, indexed with or learned from one that is something else.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

T = TypeVar("T")

MOST_COUNTED: Final = 1 << 53
"""Beyond it not every integer is a float."""
MOST: Final = 1e300
"""Of a sum: it is finite, and so is what is added to it."""
Count = Annotated[int, Meta(ge=0, le=MOST_COUNTED)]
Amount = Annotated[float, Meta(ge=0.0, le=MOST)]
Finite = Annotated[float, Meta(ge=-MOST, le=MOST)]


class StateError(Exception):
    """A state that cannot be gone on from; the message says why."""


class MalformedError(StateError):
    """A state that is not what this program writes; the message says what in it is not."""


def read_as(kind: type[T], value: Any, what: str) -> T:
    """Return plain values as what they are declared to be.

    Raises `MalformedError`, which says where in `what` the first that is something else lies.
    """
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise MalformedError(f"{what}: {error}") from error


def require(holds: bool, what: str) -> None:
    """Raise `MalformedError` saying `what` is the matter unless something holds."""
    if not holds:
        raise MalformedError(what)
