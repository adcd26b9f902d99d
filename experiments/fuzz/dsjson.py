"""Logs of VowpalWabbit's decision service: read to the end with every line accounted for, or refused.

An input is lines: the mapping as JSON, then those of the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any, Final

import msgspec

from experiments.fuzz.mutation import from_json, mutated_json, mutated_lines
from experiments.fuzz.replayed import MODEL, check_replayed, mapping_text
from experiments.fuzz.target import Target

WORDS: Final = (
    "_label_cost", "_label_probability", "_label_Action", "_labelIndex", "Timestamp", "2026-11-22T10:00:00.0000000Z",
    "Version", "EventId", "a", "c", "p", "o", "v", "pdrop", "_skipLearn", "_multi", "_slots", "_outcomes", "_ca",
    "_label_ca", "VWState", "DeferredAction", "ActionTaken", "_text", "_tag", "_aux", "_inc", "id", "dish",
    "dish=soup", "v=skip", 0.5, 1, 2, 3, [1, 2, 3], [0, 1, 2], [0.5, 0.25, 0.25], [{"v": 1.0}], {"id": "x"}, "x",
    "like",
    "_a", "_p", "_o", "_id", "_slot_id", "slot",
)  # fmt: skip
MAPPING: Final = {
    "format": "dsjson",
    "model": MODEL,
    "action_id": "i.id",
    "signals": [{"signal": "like", "above": 0.5}, {"signal": "dislike", "below": -0.5}],
    "bad_rows": "skip",
}


def _line(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "Timestamp": f"2026-11-22T10:00:0{number}.1234567Z",
        "EventId": f"e{number}",
        "a": [2, 1, 3],
        "p": [0.5, 0.25, 0.25],
        "c": {
            "u": {"user": f"u{number}", "age": 3.5, "_odd": 1},
            "_multi": [{"i": {"id": "x", "price": 1.5}}, {"i": {"id": "y"}}, {"i": {"id": "z", "kinds": ["k", True]}}],
        },
        "o": [{"v": 1.0, "EventId": f"e{number}"}, {"v": {"v=share": 1}}],
        "pdrop": 0.1,
        "_label_Action": 2,
        "_label_probability": 0.5,
        **changes,
    }


def _slots(number: int, **changes: Any) -> dict[str, Any]:
    context = {**_line(number)["c"], "_slots": [{"_id": "top", "s": {"size": "large"}}, {}]}
    outcomes = [
        {"_label_cost": -1.0, "_id": "top", "_a": [1, 0, 2], "_p": [0.5, 0.25, 0.25], "_o": [{"v": 1.0}]},
        {"_label_cost": 0.0, "_id": "side", "_a": [0, 2], "_p": [0.75, 0.25], "_o": [0]},
    ]
    line = {name: one for name, one in _line(number).items() if name in {"Timestamp", "EventId", "pdrop"}}
    return {**line, "c": context, "_outcomes": outcomes, **changes}


def check(data: bytes) -> None:
    """Read the log, or refuse it."""
    first, _, log = data.partition(b"\n")
    try:
        mapping = mapping_text(from_json(first))
    except (ValueError, RecursionError):
        return
    check_replayed(mapping, "log.dsjson", {"log.dsjson": log})


def seeds() -> Iterable[bytes]:
    """Yield good logs of each kind."""
    logs = [
        [
            _line(0),
            _line(1, o=[]),
            _line(2, o=[{"v": "skip"}], _skipLearn=False),
            {"RewardValue": 1.0, "EventId": "e9"},
        ],
        [{"c": _line(0)["c"], "a": [0, 1, 2], "p": [0.5, 0.25, 0.25], "o": [{"v": {"v=like": 1}}], "_labelIndex": 1}]
        * 2,
        [_slots(0), _slots(1, EventId="e0"), _line(2)],
    ]
    for log in logs:
        yield b"\n".join(map(msgspec.json.encode, [MAPPING, *log]))


def mutated(data: bytes, rng: Random) -> bytes | None:
    """Return a log with something in one of its lines, or in its mapping, changed."""
    if rng.random() < 0.1:
        return None
    return mutated_lines(data, rng, lambda line: mutated_json(line, None, rng, WORDS) or line)


TARGET: Final = Target("dsjson", check, seeds, mutated)
