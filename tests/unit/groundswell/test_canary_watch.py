"""When it is said that the feature of a canary tells nobody apart."""

from __future__ import annotations

import re
from typing import Any

import pytest

from groundswell.client.canary_watch import ENOUGH, LATELY, CanaryWatch
from groundswell.controls import Canary, Control


def canary(feature: str, version: int = 1) -> Control:
    return Control(
        schema_version=1,
        model="feed",
        version=version,
        mode="canary",
        by="ann",
        at=5,
        why="so",
        canary=Canary(feature, 50),
    )


@pytest.mark.parametrize(
    ("feature", "context", "said"),
    [
        ("usr", {"user": "ann"}, "none has the feature 'usr', .*did you mean 'user'"),
        ("User", {"user": "ann"}, "did you mean 'user'"),
        ("account", {"hour": 7, "page": "home"}, r"none has the feature 'account', .*\(there are 'hour', 'page'\)"),
        ("account", {}, r"none has the feature 'account', .*\(they have no features\)"),
        ("user", {"user": 0.5}, "none has a 'user' that is text or a whole number"),
        ("user", {"user": 2.0**60}, "none has a 'user' that is text or a whole number"),
    ],
)
def test_a_feature_that_nobody_has_is_told_with_those_there_are(
    feature: str, context: dict[str, Any], said: str
) -> None:
    watch, control = CanaryWatch(), canary(feature)
    for _ in range(ENOUGH - 1):
        watch.saw(control, context)
    assert watch.problem(control) is None
    watch.saw(control, context)
    assert re.search(said, watch.problem(control) or "")


def test_people_who_are_not_signed_in_are_no_problem_until_nobody_is() -> None:
    watch, control = CanaryWatch(), canary("user")
    watch.saw(control, {"user": "ann"})
    for _ in range(LATELY - 1):
        watch.saw(control, {"page": "home"})
    assert watch.problem(control) is None
    watch.saw(control, {"page": "home"})
    assert watch.problem(control) is not None
    watch.saw(control, {"user": "bob"})
    assert watch.problem(control) is None


def test_another_control_begins_anew() -> None:
    watch = CanaryWatch()
    for _ in range(ENOUGH):
        watch.saw(canary("usr"), {"user": "ann"})
    watch.saw(canary("usr", version=2), {"user": "ann"})
    assert watch.problem(canary("usr", version=2)) is None
    assert watch.problem(None) is None
