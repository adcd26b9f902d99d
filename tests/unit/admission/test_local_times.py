"""Differences of clocks that look like local time, and those that do not."""

from __future__ import annotations

import random

import pytest

from processors.admission.local_times import common_hours, in_words, zone_hours

HOUR = 3_600_000
CHANCE = random.Random(5)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (5, 5), (-5, -5), (1, 1), (14, 14), (5.5, 5.5), (5.75, 5.75), (-3.5, -3.5),
        (0, None), (0.5, None), (0.75, None), (5.25, None), (15, None), (24, None), (5.1, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("off", [-59_000, 0, 59_000])
def test_hours_by_which_zones_are_off(hours: float, expected: float | None, off: int) -> None:
    assert zone_hours(hours * HOUR + off) == expected


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([5 * HOUR + CHANCE.expovariate(1 / 90_000) for _ in range(200)], 5),
        ([-5.5 * HOUR + CHANCE.expovariate(1 / 90_000) for _ in range(200)], -5.5),
        ([*[200.0] * 900, *[5 * HOUR + 200.0] * 100], 5),
        ([*[200.0] * 990, *[5 * HOUR + 200.0] * 10], None),
        ([5 * HOUR] * 2, None),
        ([CHANCE.uniform(HOUR, 9 * HOUR) for _ in range(200)], None),
        ([620_000 + CHANCE.expovariate(1 / 600_000) for _ in range(200)], None),
        ([], None),
    ],
    ids=["behind", "ahead", "one app of several", "next to none", "two", "all kinds", "people who take time", "none"],
)
def test_what_is_common_to_many(differences: list[float], expected: float | None) -> None:
    assert common_hours(differences, 600_000) == expected


def test_in_words() -> None:
    assert in_words(5) == "about 5 h ahead, as local time is that was written for UTC"
    assert in_words(-5.75).startswith("about 5.75 h behind, ")
