"""Good messages to begin with, of each kind of model and with all that may stand in one."""

from __future__ import annotations

from typing import Any, Final

from experiments.fuzz.worker import KINDS

T0: Final = 1_000_000
"""Event time (ms) of the first."""


def impression(number: int, model: str = "plain", **changes: Any) -> dict[str, Any]:
    """Return an impression as its JSON says it."""
    return {
        "schema_version": 1,
        "impression_id": f"i{number}",
        "occurred_at": T0 + number,
        "model": model,
        "context": {"user": f"u{number % 3}", "country": "de", "age": 31.5, "new": True},
        "actions": [{"id": "a", "features": {"length": 2.5}}, {"id": "b", "features": {"kind": "odd"}}, {"id": "c"}],
        "chosen": number % 3,
        "probabilities": [0.25, 0.5, 0.25],
        "policy_version": 3,
        "weight": 1.5,
        **changes,
    }


def feedback(number: int, signal: str = "click", **changes: Any) -> dict[str, Any]:
    """Return feedback to the impression of that number."""
    return {
        "schema_version": 1,
        "impression_id": f"i{number}",
        "feedback_id": f"f{number}-{signal}",
        "occurred_at": T0 + number + 5,
        "signal": signal,
        "value": 2.5,
        **changes,
    }


def interaction(number: int, model: str = "plain", **changes: Any) -> dict[str, Any]:
    """Return an interaction as its JSON says it."""
    return {
        "schema_version": 1,
        "source": {"partition": 0, "offset": number, "floor": number, "topic": "t"},
        "impression": impression(number, model),
        "feedback": [feedback(number)],
        "signals": ["click"],
        **changes,
    }


MODELS: Final = tuple(name for name in KINDS if name != "honest")
"""Those that anything may come of."""
