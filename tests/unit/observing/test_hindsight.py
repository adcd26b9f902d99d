"""Which features hold what came back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from groundswell.events import FeatureValue
from streams.doctor.findings import Status
from streams.doctor.hindsight import of_hindsight
from streams.observing.hindsight import Hindsight

SIGNALS = [["like"], [], ["skip"], [], ["like", "share"]]


def seen(feature: Callable[[int, list[str]], FeatureValue | None], count: int = 100) -> Hindsight:
    found = Hindsight()
    for number in range(count):
        signals = SIGNALS[number % 5]
        value = feature(number, signals)
        found.observe({"user": f"u{number % 7}", **({} if value is None else {"x": value})}, signals)
    return found


@pytest.mark.parametrize(
    ("feature", "says"),
    [
        (lambda _, signals: (*signals, "none")[0], "is the signal that came back"),
        (lambda _, signals: signals[-1] if signals else None, "is the signal that came back"),
        (lambda number, signals: number + 1 if signals else 0, "tells of every impression whether something came back"),
        (lambda _, signals: 3.5 if signals else None, "tells of every impression whether something came back"),
    ],
)
def test_what_was_written_afterwards_is_told(
    feature: Callable[[int, list[str]], FeatureValue | None], says: str
) -> None:
    found = seen(feature)
    assert list(found.judged()) == [("x", says)]
    told = of_hindsight("feed", found)
    assert (told.check, told.status) == ("hindsight in feed", Status.WARN)
    assert f"'x' {says}" in told.seen
    assert "leave it out of `context`" in told.remedy


@pytest.mark.parametrize(
    "feature",
    [
        lambda number, _: ["like", "skip", "none"][number % 3],  # of another's
        lambda number, _: number % 2,
        lambda number, _: None if number % 2 else "new",
        lambda _, signals: "like",
    ],
)
def test_of_others_nothing_is_said(feature: Callable[[int, list[str]], FeatureValue | None]) -> None:
    found = seen(feature)
    assert found.says("user") is found.says("x") is found.says("nothing") is None
    assert of_hindsight("feed", found).status is Status.PASS


def test_nor_of_a_few() -> None:
    assert seen(lambda _, signals: (*signals, "none")[0], 15).says("x") is None
