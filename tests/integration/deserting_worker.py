"""A worker whose coordination with its group ends when it is given partitions: the fault is planted here."""

from __future__ import annotations

from typing import Any

from streams.cli import main
from streams.kafka.static_member_assignor import StaticMemberAssignor


def _fail(self: StaticMemberAssignor, assignment: Any) -> None:
    raise AssertionError("planted: this assignment cannot be taken")


if __name__ == "__main__":
    StaticMemberAssignor.on_assignment = _fail  # type: ignore[method-assign]  # the fault
    main()
