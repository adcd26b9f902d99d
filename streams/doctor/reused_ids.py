"""What `groundswell doctor` makes of ids that come more than once: a retry, or one id for several things?

Pure; `examination.py` looks at the last messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from streams.doctor.findings import MANY, Finding, failed, passed
from streams.observing.conditions import ID_REUSED
from streams.words import counted

FEW: Final = 2
"""Messages under the id of another that say nothing of the rest."""


class Told(NamedTuple):
    """A valid message: the id that no other may bear, what it says in bytes, and where it lies."""

    id: tuple[str, ...]
    says: bytes
    place: str


def of_reused_ids(topic: str, name: str, told: Sequence[Told]) -> Finding:
    """Judge whether messages of a topic bear the id of another one that says something else; `name` is the id's."""
    check = f"ids of {topic}"
    first: dict[tuple[str, ...], Told] = {}
    number, others = len(told), list[tuple[Told, Told]]()
    for one in told:
        earlier = first.setdefault(one.id, one)
        if earlier.says != one.says:
            others.append((earlier, one))
    if len(others) <= max(FEW, MANY * number):
        return passed(
            check, f"of the last {number} {f'all but {len(others)}' if others else 'all'} have their own {name}"
        )
    earlier, later = others[-1]
    return failed(
        check,
        f"{len(others):,} of the last {counted(number, 'message')} bear the {name} of an earlier one and say something "
        f"else, as {later.place} after {earlier.place}: only the first counts",
        ID_REUSED.do.partition(" `groundswell doctor`")[0],
    )
