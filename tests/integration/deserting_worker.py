"""A worker whose coordination with its group ends when it is given partitions: the fault is planted here."""

from __future__ import annotations

from typing import Any

from streams.cli import main
from streams.kafka.record_batch_app import MovableAssignor


def _fail(self: MovableAssignor, assignment: Any) -> None:
    raise AssertionError("planted: this assignment cannot be taken")


if __name__ == "__main__":
    MovableAssignor.on_assignment = _fail  # type: ignore[method-assign]  # the fault
    main()
