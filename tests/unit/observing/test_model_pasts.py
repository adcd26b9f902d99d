"""The past of a model: kept over a restart in bounded room, and begun anew where it cannot be read."""

from __future__ import annotations

import msgspec
import pytest

from processors.learners.people_differ import MOST_FEATURES, MOST_SIGNALS, MOST_VALUES, KeptFeature
from streams.observing.bounded_history import POINTS
from streams.observing.model_pasts import SAMPLE_SECONDS, Kept, ModelPasts, Point, Value
from streams.observing.recent_past import MOST_BYTES, KeptRecently, RecentPast
from streams.observing.shown_actions import MOST_ACTIONS, KeptActions
from tests.unit.observing.test_metrics import reward


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


def seen(pasts: ModelPasts) -> RecentPast:
    """Return what a model saw lately: bob skips what others like."""
    recent = pasts.recent("feed")
    recent.signals.update({("like", "1"): 40, ("skip", "-1"): 30, ("skip", "1"): 10})
    recent.segments.update({(("de", "like"), "1"): 40, (("fr", "skip"), "-1"): 40})
    recent.shown.add({("news", "de", "1"): 30, ("sport", "fr", "-1"): 10})
    for user, state in (("ann", -1), ("bob", 1)):
        recent.people.observe([{"user": user}] * 40, [reward("skip", state)] * 40)
    return recent


def test_what_was_seen_lately_goes_on_after_a_restart() -> None:
    pasts = after(3)
    before, again = seen(pasts), restarted(pasts).recent("feed")
    assert again.signals.states() == before.signals.states()
    assert again.segments.states() == before.segments.states()
    assert again.shown.shown(8) == before.shown.shown(8)
    assert again.people.differing() == before.people.differing()
    assert before.people.differing() != []


def test_counters_that_begin_anew_are_counted_on_top_of_what_was_kept() -> None:
    pasts = after(3)
    seen(pasts)
    again = restarted(pasts).recent("feed").signals
    before = again.states()
    again.update({("skip", "-1"): 20})
    again.update({("skip", "-1"): 25})
    assert again.states()["skip"][0] == pytest.approx(before["skip"][0] + 25, rel=0.03)
    assert again.states()["like"][2] == pytest.approx(before["like"][2], rel=0.03), "it fades and is not forgotten"


def test_by_another_feature_segments_begin_anew_and_the_rest_of_the_past_goes_on() -> None:
    pasts = ModelPasts({"feed": "country"})
    after(3, pasts)
    seen(pasts)
    for segments, found in (({"feed": "country"}, True), ({"feed": "language"}, False), (None, False)):
        again = ModelPasts(segments)
        again.restore("feed", pasts.kept("feed") or b"")
        assert bool(again.recent("feed").segments.states()) == found
        assert len(again.points("feed")) == 3


def test_what_is_kept_of_people_is_bounded() -> None:
    pasts = after(1)
    recent = pasts.recent("feed")
    for value in range(MOST_VALUES):
        for signal in range(MOST_SIGNALS):
            contexts = [{f"{'x' * 500}{feature}": f"{'v' * 60}{value}" for feature in range(MOST_FEATURES)}]
            recent.people.observe(contexts, [reward(f"{'s' * 60}{signal}", 1)])
    for number in range(2 * MOST_ACTIONS):
        recent.shown.add({(f"{'a' * 200}{number % MOST_ACTIONS}", f"{'s' * 60}{number % 20}", "1"): 1})
    recent.signals.update({("skip", "-1"): 3.0})
    again = restarted(pasts)
    assert len(pasts.kept("feed") or b"") < 2 * MOST_BYTES
    assert len(again.points("feed")) == 1
    assert again.recent("feed").signals.states() == {"skip": (3.0, 0.0, 0.0, 0.0)}, "what is small is kept all the same"


def test_a_past_of_before_anything_was_kept_of_what_was_seen_lately_is_read() -> None:
    pasts = ModelPasts()
    pasts.restore("feed", b'{"interval":1.0,"points":[{"at":1000,"rates":[0.1,0.2,0.3,0.0],"value":null}]}')
    assert len(pasts.points("feed")) == 1
    assert pasts.recent("feed").signals.states() == {}


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
        b'{"interval":1.0,"points":[{"at":9000,"rates":[0,0,0,0],"value":null}],"recent":{"signals":[["like",1]]}}',
        msgspec.json.encode(
            Kept(
                SAMPLE_SECONDS,
                [point(9)],
                KeptRecently([], [], KeptActions([], {}), {"user": KeptFeature(1, ["skip"], {"ann": {"skip": [1.0]}})}),
            )
        ),
    ],
    ids=["nothing", "no text", "no points", "no interval", "backwards", "too long", "empty", "no counts", "one state"],
)
def test_what_is_no_past_is_begun_anew(value: bytes) -> None:
    pasts = ModelPasts()
    pasts.restore("feed", value)
    assert pasts.points("feed") == []
    assert len(after(3, pasts).points("feed")) == 3
