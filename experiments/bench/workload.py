"""What the benchmarks of the join read: impressions of eleven actions, about 350 bytes each, with .6 feedback."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

import msgspec

from processors.models.config import ModelConfig

ACTIONS: Final = 11
MODELS: Final = {"feed": ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}))}
FEEDBACK_SHARE: Final = 0.6
"""Input events for each impression."""
ITEMS, USERS = 1_000, 100_000
"""What can be shown, and to whom: any eleven of the items are a round's actions."""
PER_SECOND: Final = 3_000
"""Impressions in one second of event time."""
WAIT, GRACE = 20.0, 1.0
"""Of the join, in seconds; feedback comes within the wait."""
BEGIN: Final = 1_767_225_600_000

Record = tuple[bytes, bytes]
"""Key and value."""
ALWAYS: Final = 2**42
"""When records are stamped (ms): far ahead, since a fast clock is nobody's clock."""


class LoggedRecord(msgspec.Struct):
    """A record as it is unpacked (`log_records.LogRecord`)."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = ALWAYS


def impression(number: int, rng: random.Random, *, begin: int = BEGIN, users: int = USERS) -> Record:
    """Return an impression of eleven random items to one of so many users."""
    key = f"{rng.getrandbits(64):016x}"
    message = {
        "schema_version": 1,
        "impression_id": key,
        "occurred_at": begin + number * 1000 // PER_SECOND,
        "model": "feed",
        "context": {"user": f"u{rng.randrange(users):06d}", "hour": 7},
        "actions": [{"id": f"{item:06d}"} for item in rng.sample(range(ITEMS), ACTIONS)],
        "chosen": rng.randrange(ACTIONS),
        "propensity": round(rng.uniform(0.01, 1), 4),
    }
    return key.encode(), msgspec.json.encode(message)


def feedback(impression_id: bytes, occurred_at: int, rng: random.Random) -> Record:
    """Return feedback to an impression at this time (ms)."""
    message = {
        "schema_version": 1,
        "impression_id": impression_id.decode(),
        "feedback_id": f"{rng.getrandbits(64):016x}",
        "occurred_at": occurred_at,
        "signal": rng.choice(["click", "like", "skip"]),
    }
    return impression_id, msgspec.json.encode(message)


class Logs:
    """The two logs of `count` impressions from `begin` (ms) on, each in the order of event time.

    `end` is the event time by which all of it has closed.
    """

    def __init__(self, count: int, *, seed: int = 0, begin: int = BEGIN) -> None:
        rng = random.Random(seed)
        self.impressions: Sequence[Record] = [impression(n, rng, begin=begin) for n in range(count)]
        answers: list[tuple[int, Record]] = []
        for number, (key, _) in enumerate(self.impressions):
            if rng.random() < FEEDBACK_SHARE:
                at = begin + number * 1000 // PER_SECOND + rng.randrange(round(WAIT * 1000))
                answers.append((at, feedback(key, at, rng)))
        self.feedback: Sequence[Record] = [record for _, record in sorted(answers)]
        self.end = begin + count * 1000 // PER_SECOND + round((WAIT + GRACE) * 1000) + 1

    def closing(self, seed: int) -> tuple[Record, Record]:
        """Return an impression and feedback to another one, late enough to close everything on their partition."""
        rng = random.Random(seed)
        return impression(0, rng, begin=self.end), feedback(b"%016x" % rng.getrandbits(64), self.end, rng)
