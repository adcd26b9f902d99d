"""The past of a model: kept over a restart in bounded room, and begun anew where it cannot be read."""

from __future__ import annotations

import msgspec
import pytest

from streams.observing.bounded_history import POINTS
from streams.observing.model_pasts import SAMPLE_SECONDS, Kept, ModelPasts, Point, Value


def point(second: float, value: float = 0.123456) -> Point:
    return Point(round(1000 * second), (0.1, 0.2, 1 / 3, 0.0), Value(value, -1.0, 1.0, 0.0))


def after(seconds: int, pasts: ModelPasts | None = None, begin: int = 0) -> ModelPasts:
    pasts = pasts or ModelPasts()
    for second in range(begin, begin + seconds):
        pasts.add("feed", float(second), point(second))
    return pasts


def restarted(pasts: ModelPasts) -> ModelPasts:
    kept, again = pasts.kept("feed"), ModelPasts()
    assert kept is not None
    again.restore("feed", kept)
    return again


@pytest.mark.parametrize("seconds", [1, POINTS - 1, POINTS, 50_000])
def test_it_goes_on_after_a_restart_in_the_same_grain(seconds: int) -> None:
    undisturbed, again = after(2 * seconds), after(seconds, restarted(after(seconds)), seconds)
    assert [one.at for one in again.points("feed")] == [one.at for one in undisturbed.points("feed")]
    assert again.points("feed")[0].rates == (0.1, 0.2, 0.3333, 0.0)
    assert len(again.kept("feed") or b"") < 40_000


def test_a_model_that_was_never_seen_has_none() -> None:
    pasts = after(1)
    assert (pasts.points("search"), pasts.kept("search")) == ([], None)


def test_of_two_the_one_that_goes_on_longer_is_known() -> None:
    here, elsewhere = after(10), after(20)
    older, newer = here.kept("feed"), elsewhere.kept("feed")
    assert older is not None
    assert newer is not None
    here.restore("feed", newer)
    assert len(here.points("feed")) == 20
    here.restore("feed", older)
    assert len(here.points("feed")) == 20


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff",
        b'{"interval": 1}',
        msgspec.json.encode(Kept(0.0, [point(1)])),
        msgspec.json.encode(Kept(SAMPLE_SECONDS, [point(2), point(1)])),
        msgspec.json.encode(Kept(SAMPLE_SECONDS, [point(second) for second in range(POINTS)])),
        msgspec.json.encode(Kept(SAMPLE_SECONDS, [])),
    ],
    ids=["nothing", "no text", "no points", "no interval", "backwards", "too long", "empty"],
)
def test_what_is_no_past_is_begun_anew(value: bytes) -> None:
    pasts = ModelPasts()
    pasts.restore("feed", value)
    assert pasts.points("feed") == []
    assert len(after(3, pasts).points("feed")) == 3
