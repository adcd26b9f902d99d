"""Builders of valid messages, for tests to spoil or to use as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from processors.models.config import ModelConfig
from processors.wire.log_records import LogRecord

MODEL = "feed"


def impression(impression_id: str = "i1", occurred_at: int = 1_000_000, **changes: Any) -> dict[str, Any]:
    """Return an impression of three actions, the second shown with probability .5."""
    return {
        "schema_version": 1,
        "impression_id": impression_id,
        "occurred_at": occurred_at,
        "model": MODEL,
        "context": {"user": "u1"},
        "actions": [{"id": "a"}, {"id": "b"}, {"id": "c"}],
        "chosen": 1,
        "probabilities": [0.25, 0.5, 0.25],
        **changes,
    }


def feedback(impression_id: str = "i1", occurred_at: int = 1_000_100, **changes: Any) -> dict[str, Any]:
    """Return a click on an impression."""
    return {
        "schema_version": 1,
        "impression_id": impression_id,
        "feedback_id": f"{impression_id}-{occurred_at}",
        "occurred_at": occurred_at,
        "signal": "click",
        **changes,
    }


def encode(message: Any) -> bytes:
    """Return a message as it lies on a topic."""
    return msgspec.json.encode(message)


def models(*names: str) -> dict[str, ModelConfig]:
    """Return configured models of these names."""
    return {name: ModelConfig(name=name, definitely_negative=frozenset({"dislike"})) for name in names}


class Record(NamedTuple):
    """A record of a log."""

    key: bytes | None
    value: bytes | None
    offset: int
    timestamp: int


T = TypeVar("T")


def admitted(
    admit: Callable[[Sequence[LogRecord]], list[T]], key: bytes | None, value: bytes | None, offset: int, timestamp: int
) -> T:
    """Return what is made of a record by a function that takes many at once."""
    (one,) = admit([Record(key, value, offset, timestamp)])
    return one
