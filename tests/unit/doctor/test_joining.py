"""What the doctor makes of the join."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.doctor.findings import Status
from streams.doctor.joining import REMEDIES, JoinSample, of_join

FAIL, WARN, PASS = Status.FAIL, Status.WARN, Status.PASS
GOOD = JoinSample(
    interactions=1_000,
    joined=400,
    pieces=450,
    strays={},
    waiting=12,
    first_waiting=1_767_225_600_000,
    open_ms=630_000,
)


@pytest.mark.parametrize(
    ("changes", "expected", "word"),
    [
        (
            {},
            PASS,
            "400 of the last 1,000 interactions with feedback; 12 impressions wait for feedback",
        ),
        ({}, PASS, "the first until 00:10:30 UTC"),
        ({"waiting": 0, "first_waiting": None}, PASS, "0 impressions wait for feedback"),
        ({"joined": 0, "pieces": 0}, PASS, "0 of the last 1,000"),  # nobody clicks, and nothing went astray either
        ({"interactions": 0, "joined": 0, "pieces": 0}, PASS, "no interaction yet; 12 impressions wait"),
        ({"strays": {"late": 3}}, PASS, "3 pieces of feedback joined no impression: late 3"),
        ({"strays": {"late": 1}, "pieces": 1}, PASS, "1 piece of feedback joined no impression: late 1"),
        ({"strays": {"late": 300, "orphan": 3}}, WARN, "late 300, orphan 3"),
        ({"strays": {"late": 300, "orphan": 3}}, WARN, REMEDIES["late"]),
        ({"joined": 0, "pieces": 0, "strays": {"orphan": 1_085}}, FAIL, "impression_id"),
        ({"joined": 0, "pieces": 0, "strays": {"late": 9}, "zones": {"impressions": 5.0}}, FAIL, "about 5 h behind"),
        ({"joined": 0, "pieces": 0, "strays": {"late": 9}, "zones": {"impressions": 5.0}}, FAIL, "in UTC"),
        ({"strays": {"too_early": 300}, "zones": {"feedback": 5.5}}, WARN, "feedback (about 5.5 h behind"),
        ({"strays": {"late": 300}, "zones": {"impressions": 5.0, "feedback": 5.0}}, WARN, REMEDIES["late"]),
        ({"strays": {"late_impression": 300}, "zones": {"impressions": 5.0, "feedback": 5.0}}, WARN, "in UTC"),
        ({"strays": {"orphan": 300}, "zones": {"impressions": 5.0}}, WARN, REMEDIES["orphan"]),
        ({"joined": 0, "pieces": 0, "strays": {"misplaced_orphan": 9}}, FAIL, "murmur2"),
        ({"joined": 0, "pieces": 0, "strays": {"of the future": 9}}, FAIL, "dead-letters --late"),
        ({"interactions": 0, "joined": 0, "pieces": 0, "waiting": 0, "strays": {"orphan": 9}}, FAIL, "no interaction"),
    ],
)
def test_the_join(changes: dict[str, Any], expected: Status, word: str) -> None:
    found = of_join(msgspec.structs.replace(GOOD, **changes))
    assert found.status == expected, found
    assert word in f"{found.seen} {found.remedy}", found
    assert bool(found.remedy) == (expected != PASS), found
