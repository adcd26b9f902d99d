"""What is said of an apprentice: how often the policy agrees, and what it would gain, from interactions and rewards."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from streams.inspection.apprentice_report import ApprenticeReport, Gain, reported
from tests.factories import encode, impression
from tests.unit.inspection.test_published_policies import snapshot

SHOWN = ["a", "b", "c"]
"""By the policy ann likes b: it is shown in vain, unless it is."""


def reward(impression_id: str, state: int | None, value: float) -> bytes:
    return encode(
        {
            "schema_version": 1, "impression_id": impression_id, "model": "feed", "occurred_at": 1_000,
            "source": {"partition": 0, "offset": 0, "floor": 0}, "action": "a", "signal": "click", "state": state,
            "reward": value, "posterior": 0.5, "weight": 1.0, "ik_version": 0, "policy_version": 0,
        }
    )  # fmt: skip


def logged(chosen: int, probabilities: Sequence[float], number: int, **changes: Any) -> bytes:
    made = {
        **impression(f"i{number}"), "model": "feed", "context": {"user": "ann"},
        "actions": [{"id": one} for one in SHOWN], "chosen": chosen, "probabilities": list(probabilities),
        "mode": "apprentice", **changes,
    }  # fmt: skip
    made.pop("propensity", None)
    return encode({"schema_version": 1, "impression": made, "feedback": [], "signals": ["none"]})


def played(probabilities: Sequence[float], count: int = 3_000) -> ApprenticeReport:
    """Return the report on a rule that draws so, where b is worth 1 and all else nothing."""
    chance = random.Random(1)
    shown = chance.choices(range(3), probabilities, k=count)
    interactions = [logged(chosen, probabilities, number) for number, chosen in enumerate(shown)]
    rewards = [reward(f"i{number}", int(chosen == 1), float(chosen == 1)) for number, chosen in enumerate(shown)]
    return reported("feed", snapshot(), interactions, [*rewards, *rewards[:500]])


def test_match_rate_and_gain_are_those_of_the_rule() -> None:
    report = played([0.6, 0.2, 0.2])
    assert report.interactions == 3_000
    assert report.match_rate == pytest.approx(0.2, abs=0.03)
    assert report.gain is not None
    assert report.gain.estimate == pytest.approx(0.8, abs=0.03)
    assert report.gain.low < 0.8 < report.gain.high + 0.03


def test_of_a_rule_without_chance_no_gain_is_told() -> None:
    for certain, matches in (([1.0, 0.0, 0.0], 0.0), ([0.0, 1.0, 0.0], 1.0)):
        report = played(certain, 200)
        assert (report.match_rate, report.gain) == (matches, None)
        assert "not known" in report.in_words(snapshot())[1]


def test_of_few_interactions_no_gain_is_told() -> None:
    assert played([0.4, 0.3, 0.3], 20).gain is None


@pytest.mark.parametrize(
    "other",
    [
        logged(0, [1.0, 0.0, 0.0], 1, mode="canary"),
        logged(0, [1.0, 0.0, 0.0], 1, mode=None),
        logged(0, [1.0, 0.0, 0.0], 1, model="other"),
        logged(0, [0.0, 1.0, 0.0], 1),
        b"[",
        b"",
    ],
)
def test_what_no_apprentice_decided_is_left_out(other: bytes) -> None:
    report = reported("feed", snapshot(), [other, logged(1, [0.0, 1.0, 0.0], 2)], [b"", reward("i2", None, 0.5)])
    assert report == ApprenticeReport(1, 1.0, None)


def test_none_at_all_is_told() -> None:
    assert "none of the last interactions" in reported("feed", snapshot(), [], []).in_words(snapshot())[0]


def test_a_gain_is_told_with_its_interval() -> None:
    told = ApprenticeReport(2_000, 0.25, Gain(0.1, -0.02, 0.22)).in_words(snapshot())
    assert told == [
        "  of the last 2,000 interactions policy version 7 ranks 25.0% the same first",
        "  estimated gain: +0.100 an interaction (-0.020 to +0.220)",
    ]
