"""What the live page is given to show, and how it is served, without a broker."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from aiohttp.test_utils import TestClient, TestServer

from groundswell.events import Features, Reward
from groundswell.worth import Worth, WorthDoubt, WorthTable
from processors.join.config import JoinConfig
from processors.learners import kernel_columns, running_totals
from processors.learners.learner_choice import learner_for
from processors.learners.people_differ import Differing
from processors.learners.signal_reading import Leak
from processors.learners.statistics import Statistics
from streams.app import create_app
from streams.http.live_page import (
    MOST_SEGMENT_SIGNALS,
    MOST_SEGMENTS,
    MOST_SIGNALS,
    MOST_WORTHS,
    Flow,
    LeakingSignal,
    LivePage,
)
from streams.observing.bounded_history import POINTS, BoundedHistory
from streams.observing.learning_metrics import MEMORY, LearningMetrics
from streams.observing.model_pasts import Value
from streams.observing.recent_past import RecentCounts
from streams.settings import SegmentSettings, Settings
from streams.worker.outputs import contract_partition
from streams.worker.worker_app import Groundswell
from tests.unit.observing.test_metrics import reward
from tests.unit.rounds import in_columns, interaction, uniform_log

MODELS = ("feed", "search")


def settings() -> Settings:
    return Settings.model_validate({"models": {name: {"definitely_negative": ["dislike"]} for name in MODELS}})


def with_segments(most: int = 10) -> Settings:
    segments = {"feed": SegmentSettings(feature="device", most=most)}
    return settings().model_copy(update={"segments": segments})


def learned(app: Groundswell, rewards: list[Reward]) -> None:
    """Count rewards of model `feed` as its learner would, and publish a policy."""
    sums = np.zeros(running_totals.SUMS)
    learning = LearningMetrics(app.metrics)
    learning.follow(0, "feed", Statistics())
    for number, one in enumerate(rewards):
        outputs = np.ones(kernel_columns.OUTPUTS)
        outputs[kernel_columns.STATE] = one.state or 0
        running_totals.tally(sums, 0, 1.0, 3, outputs, one.state is None)
        learning.learned(0, "feed", [interaction(number)], in_columns([one]), Statistics.of(0, sums))
    app.metrics.policy_version.labels("feed").set(len(rewards))
    for estimate, value in {"ips": 0.3, "snips": 0.5, "low": 0.4, "high": 0.6, "logged": 0.1}.items():
        app.metrics.policy_value.labels("feed", estimate).set(value)


# -- the past -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [10, POINTS + 5, 20_000])
def test_a_past_of_any_length_takes_the_same_room_and_is_evenly_spaced(seconds: int) -> None:
    history: BoundedHistory[int] = BoundedHistory(1.0)
    for second in range(seconds):
        history.add(float(second), second)
    moments = [at for at, _ in history.points]
    assert len(moments) <= POINTS
    assert len(moments) >= min(seconds, POINTS // 2)
    assert moments[0] == 0
    gaps = {after - before for before, after in pairwise(moments)}
    assert max(gaps) <= 1.5 * min(gaps)
    assert seconds - moments[-1] <= 2 * max(gaps)


def test_a_timer_that_is_a_little_early_costs_no_point() -> None:
    history: BoundedHistory[None] = BoundedHistory(1.0)
    for second in range(50):
        history.add(second + (0.05 if second % 2 else -0.02), None)
    assert len(history.points) == 50


# -- signals --------------------------------------------------------------------------------------------------


def test_what_a_signal_was_taken_for_is_that_of_the_recent_past() -> None:
    recent: RecentCounts[str] = RecentCounts()
    recent.update({("like", "1"): 5 * MEMORY})
    recent.update({("like", "1"): 5 * MEMORY, ("like", "-1"): 5 * MEMORY, ("skip", "0"): 1})
    states = recent.states()
    assert list(states) == ["like", "skip"], "the most frequent first"
    minus, zero, plus, unknown = states["like"]
    assert minus > 0.98 * sum(states["like"])
    assert zero == unknown == 0
    assert plus > 0


def test_of_many_signals_the_frequent_ones_are_shown_and_the_others_counted() -> None:
    app = create_app(settings())
    learned(app, [reward(f"s{number % 30}", 1) for number in range(60)] + [reward("frequent", -1)] * 5)
    page = LivePage(app)
    page.sample(0.0)
    model = page.now("feed", None).model
    assert model is not None
    assert model.signals[0].name == "frequent"
    assert (len(model.signals), model.further_signals) == (MOST_SIGNALS, 31 - MOST_SIGNALS)


# -- what is shown --------------------------------------------------------------------------------------------


def test_it_shows_what_was_learned() -> None:
    app = create_app(settings())
    learned(app, [reward("like", 1)] * 20 + [reward("like", None)] * 10 + [reward("none", 0)] * 10)
    app.metrics.join.labels("matched").inc(30)
    app.metrics.dead_letters.labels("feedback", "schema").inc(2)
    app.metrics.lag.labels("impressions", "0").set(4)
    app.metrics.lag.labels("impressions", "1").set(5)
    page = LivePage(app)
    page.sample(100.0)
    page.sample(101.0)
    live = page.now("feed", None)
    assert (live.join["matched"], live.join["late"]) == (30, 0)
    assert live.dead_letters == {"feedback: schema": 2}
    assert live.lag == {"impressions": 9, "feedback": 0, "interactions": 0}
    model = live.model
    assert model is not None
    assert (model.learned, model.policy_version) == (40, 40)
    assert model.rates == pytest.approx((0, 0.25, 0.5, 0.25), abs=0.01)
    assert model.value == Value(value=0.5, lower=0.4, upper=0.6, logged=0.1)
    assert [point.at for point in model.past] == [100_000, 101_000]
    assert model.past[-1].rates == model.rates


def test_it_shows_what_signals_are_worth_of_the_model_that_is_learned_here() -> None:
    app = create_app(settings())
    table = WorthTable(
        model="feed",
        interactions=9,
        feature=None,
        rows=[Worth(signal="like", segment=None, log_odds=2.5, low=1.0, high=None, plays=80.0, share=0.5)] * 100,
    )
    home = contract_partition(b"feed", 4)
    learner = SimpleNamespace(worth={"feed": table}.get)
    app.partitions.learners[home] = learner  # type: ignore[assignment]  # only its table is asked for
    feed, search = LivePage(app).now("feed", None).model, LivePage(app).now("search", None).model
    assert feed is not None
    assert search is not None
    assert feed.worth == table.rows[:MOST_WORTHS]
    assert search.worth == []


def test_it_lists_the_signals_that_tell_the_action_the_clearest_first() -> None:
    app = create_app(settings())
    learned(app, [reward("like", 1)])
    learning = LearningMetrics(app.metrics)
    learning.leaking(0, "feed", {"first": Leak(0.1, left_out=True), "report": Leak(0.4, left_out=False)})
    learning.leaking(0, "search", {"length": Leak(0.9, left_out=True)})
    model = LivePage(app).now("feed", None).model
    assert model is not None
    assert model.leaking == [LeakingSignal("report", 0.4, left_out=False), LeakingSignal("first", 0.1, left_out=True)]


def test_signals_by_segment_are_those_of_the_commonest_segments_and_signals() -> None:
    app = create_app(with_segments())
    taken = {("skip", "tv"): -1, ("skip", "phone"): 1, ("like", "tv"): 1}
    app.learning.follow(0, "feed", Statistics())
    for number in range(60):
        signal, segment = list(taken)[number % 3]
        told = in_columns([reward(signal, taken[signal, segment])])
        app.learning.learned(0, "feed", [interaction(number, context={"device": segment})], told, Statistics())
    page = LivePage(app)
    page.sample(0.0)
    model = page.now("feed", None).model
    assert model is not None
    table = model.by_segment
    assert table is not None
    assert (table.feature, table.segments, table.signals) == ("device", ["tv", "phone"], ["skip", "like"])
    counts = {
        (signal, segment): [round(count) for count in table.counts[row][column]]
        for row, signal in enumerate(table.signals)
        for column, segment in enumerate(table.segments)
    }
    assert counts["skip", "tv"] == [20, 0, 0, 0]
    assert counts["skip", "phone"] == [0, 0, 20, 0]
    assert counts["like", "phone"] == [0, 0, 0, 0]
    assert model.shown is not None
    assert model.shown.segments == ["tv", "phone"]
    assert [one.name for one in model.signals] == ["skip", "like"], "pooled, they stay"


def test_the_table_of_segments_is_bounded() -> None:
    app = create_app(with_segments(most=50))
    app.learning.follow(0, "feed", Statistics())
    for number in range(600):
        context: Features = {"device": f"d{number % 60}"}
        told = in_columns([reward(f"s{number % 40}", 1)])
        app.learning.learned(0, "feed", [interaction(number, context=context)], told, Statistics())
    page = LivePage(app)
    page.sample(0.0)
    model = page.now("feed", None).model
    assert model is not None
    assert model.by_segment is not None
    assert len(model.by_segment.segments) == MOST_SEGMENTS
    assert len(model.by_segment.signals) == len(model.by_segment.counts) == MOST_SEGMENT_SIGNALS


def test_where_no_segments_are_configured_it_says_that_people_differ_without_naming_them() -> None:
    app = create_app(settings())
    app.learning.follow(0, "feed", Statistics())
    for number in range(200):
        one = interaction(number, context={"user": f"secret {number % 5}"})
        told = in_columns([reward("skip", 1 if number % 5 == 0 else -1)])
        app.learning.learned(0, "feed", [one], told, Statistics())
    live = LivePage(app).now("feed", None)
    assert live.model is not None
    assert live.model.differing == [Differing("skip", "user", (4, 0, 1))]
    assert live.model.by_segment is None
    assert b"secret" not in msgspec.json.encode(live)


def test_a_policy_is_compared_with_what_was_shown_with_chance_and_with_one_action_for_everybody() -> None:
    app, learner = create_app(settings()), learner_for(settings().models["feed"])
    log = uniform_log(600)
    app.learning.follow(0, "feed", learner.statistics)
    for start in range(0, len(log), 4):
        stretch = log[start : start + 4]
        app.learning.learned(0, "feed", stretch, learner.learn(stretch), learner.statistics)
        if start == 40:
            app.learning.published(learner.snapshot(None), 0.0, 1_000)
    model = LivePage(app).now("feed", None).model
    assert model is not None
    compared = {one.name: one for one in model.compared}
    assert set(compared) == {"logged", "random", "constant"}
    for one in compared.values():
        assert one.lower <= one.value <= one.upper
        assert (one.action is not None) == (one.name == "constant")
    assert compared["logged"].value == pytest.approx(compared["random"].value), "the log was made at random"
    assert model.value is not None
    assert model.value.logged == compared["logged"].value


def test_what_comes_is_told_by_the_second_with_its_past() -> None:
    app = create_app(settings())
    page = LivePage(app)
    for second in range(100):
        app.metrics.received.labels("impressions").inc(5)
        app.metrics.received.labels("feedback").inc(2)
        app.metrics.received.labels("interactions").inc(1)
        app.metrics.lag.labels("impressions", "0").set(second)
        app.metrics.lag.labels("feedback", "0").set(1)
        page.sample(float(second))
    flow = page.now(None, None).flow
    assert (flow[0].impressions, flow[0].at) == (0.0, 0), "what came before is no rate"
    assert flow[-1] == Flow(99_000, impressions=5.0, feedback=2.0, learned=0.0, lag=100)
    for second in range(100, 120):
        page.sample(float(second))
    assert page.now(None, None).flow[-1].impressions == 0


def test_it_says_when_what_waits_is_learned() -> None:
    configured = settings().model_copy(update={"join": JoinConfig(wait=600, grace=30)})
    assert LivePage(create_app(configured)).now(None, None).window == 630


def test_before_anything_is_learned_nothing_is_made_up() -> None:
    page = LivePage(create_app(settings()))
    page.sample(0.0)
    model = page.now(None, "waiting for partitions").model
    assert model is not None
    assert (model.rates, model.value, model.policy_version, model.published, model.past) == (None, None, None, None, [])


def test_models_that_are_learned_here_come_first_and_others_say_who_has_them() -> None:
    app = create_app(settings())
    partitions = {name: contract_partition(name.encode(), 4) for name in MODELS}
    assert len(set(partitions.values())) == 2, "the models have to lie apart for this test"
    app.partitions.learners[partitions["search"]] = None  # type: ignore[assignment]  # only its place is asked for
    live = LivePage(app).now(None, None)
    assert live.models == ["search", "feed"]
    assert live.model is not None
    assert (live.model.name, live.model.here) == ("search", True)
    assert (live.interactions.partitions, live.interactions.of) == ([partitions["search"]], 4)
    other = LivePage(app).now("feed", None).model
    assert other is not None
    assert (other.here, other.partition) == (False, partitions["feed"])
    unknown = LivePage(app).now("no such model", None).model
    assert unknown is not None
    assert unknown.name == "search"


# -- how it is served -----------------------------------------------------------------------------------------


def served(app: Groundswell, path: str) -> tuple[int, dict[str, str], bytes]:
    async def ask() -> Any:
        async with TestClient(TestServer(await app.web.wsgi())) as client:
            answer = await client.get(path)
            return answer.status, dict(answer.headers), await answer.read()

    status, headers, body = asyncio.run(ask())
    return status, headers, body


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/page.css", "text/css"),
        ("/page.js", "text/javascript"),
        ("/live.json", "application/json"),
    ],
)
def test_the_page_lets_nothing_run_in_it_but_itself(path: str, kind: str) -> None:
    status, headers, body = served(create_app(settings()), path)
    assert status == 200
    assert headers["Content-Type"].startswith(kind)
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert not [rule for rule in policy.values() if "unsafe" in rule or "http" in rule or "*" in rule]
    assert b"http://" not in body.replace(b"http://www.w3.org/2000/svg", b"")
    assert b"https://" not in body


def test_the_page_has_words_for_each_reason_why_a_signal_has_no_worth() -> None:
    script = served(create_app(settings()), "/page.js")[2].decode()
    words = re.search(r"const DOUBTS = \{\n(.*?)\};", script, re.DOTALL)
    assert words is not None
    assert set(re.findall(r"^  (\w+): ", words[1], re.MULTILINE)) == set(get_args(WorthDoubt))
