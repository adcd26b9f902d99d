"""What columns of a log are for, and that each is for one thing: what is known only afterwards is no feature.

A feature that tells what came back, or what was shown, is known where the log is read and never where an app decides:
inverse kinematics foretells the action by it and learns nothing of feedback.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple


class Role(Enum):
    """What a column says, and why that cannot be a feature."""

    IDENTITY = ("names the impression", "no two have the same, so that nothing can be learned of it")
    SHOWN = ("says what was shown", "a feature is known before that; features of actions go to action.features")
    PROPENSITY = ("says how likely it was to be shown", "it tells what was, and a feature is known before that")
    REACTION = ("says what came back", "a feature is known before anything is shown")

    def __init__(self, says: str, no_feature: str) -> None:
        self.says = says
        self.no_feature = no_feature


class Use(NamedTuple):
    """A column that a field of the mapping reads, for what it says."""

    field: str
    column: str
    role: Role


def misread(uses: Iterable[Use], features: Iterable[tuple[str, str]]) -> str | None:
    """Return what is wrong with a mapping that reads one column for two things, None if none is.

    `features` are (field of the mapping, column).
    """
    known: dict[str, Use] = {}
    for use in uses:
        first = known.setdefault(use.column, use)
        if first.role is not use.role:
            return (
                f"{use.field}: reads {use.column!r}, of which {first.field} takes that it {first.role.says}, and this "
                f"that it {use.role.says}: name two columns"
            )
    for field, column in features:
        if column in known:
            role = known[column].role
            return (
                f"{field}: reads {column!r}, which {role.says} ({known[column].field}): {role.no_feature}; leave it out"
            )
    return None
