"""Rounds with changing actions: the Facebook days, the image feed, and the compiled loop over them."""

import gzip
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from experiments.papers import drift, feeds, production
from experiments.papers.experiment import Run
from experiments.papers.facebook import MODEL
from experiments.people import facebook, image_feed
from experiments.people.rounds import GIVEN, INFERRED, TRUE, played


def statuses(days: int, posts: int) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {
            "status_id": f"{day}_{post}",
            "status_message": f"message of the day {day}",
            "link_name": None if post % 2 else "Some Link",
            "status_type": "link",
            "status_published": f"2016-03-{days - day:02d} 10:{post:02d}:00",
            **{column: int(rng.integers(100)) for column in facebook.COLUMNS[1:]},
        }
        for day in range(days)
        for post in range(posts)
    ]
    return pl.DataFrame(rows)


def test_days_are_in_order_with_ten_posts_one_liked_and_one_hated(tmp_path: Path) -> None:
    content = statuses(5, 12).write_csv().encode()
    (tmp_path / "time_facebook_statuses.csv.gz").write_bytes(gzip.compress(content))
    days = facebook.days(tmp_path, "TIME", seed=0)
    assert [day.posts[0].id.split("_")[0] for day in days] == ["4", "3", "2", "1", "0"]
    for day in days:
        assert len(day.posts) == 10
        assert sorted(day.states) == [-1, *[0] * 8, 1]
    assert days[0].posts[0].features["type"] == "link"
    assert "word message" in days[0].posts[0].features


def test_the_state_goes_by_the_pages_own_reactions() -> None:
    posts = pl.DataFrame({column: [0, 0, 0] for column in facebook.COLUMNS[1:]})
    posts = posts.with_columns(num_comments=pl.Series([90, 1, 0]), num_likes=pl.Series([500, 100, 0]))
    assert facebook.states(posts, "Fox News").tolist() == [-1, 1, 0]


def test_missing_posts_say_where_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GROUNDSWELL_FACEBOOK", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match="interactive-facebook-reactions"):
        facebook.path()


def test_learners_of_the_image_feed_differ_as_they_should() -> None:
    rounds = image_feed.rounds(3)
    rounds = replace(
        rounds, contexts=rounds.contexts[:30_000], sets=rounds.sets[:30_000], readers=rounds.readers[:30_000]
    )
    liked = {}
    for source in (INFERRED, GIVEN, TRUE):
        nothing = np.zeros(len(image_feed.SIGNALS))
        outcome = played(rounds, MODEL.model_copy(update={"definitely_negative": {"dislike"}}), 1, source, nothing)
        liked[source] = float((outcome.true[15_000:] == 1).mean())
        assert outcome.propensities.min() > 0
    assert liked[GIVEN] < liked[INFERRED] < liked[TRUE]


def test_a_lift_comes_with_an_interval_around_it() -> None:
    runs: Sequence[Run] = [Run("x", seed, {"a": {"click": 110 + seed}, "b": {"click": 100}}) for seed in range(10)]
    value, low, high = production.lift(runs, "a", "b", "click")
    assert value == pytest.approx(1.145)
    assert low < value < high


def test_a_signal_turns_its_meaning_for_some_people_only() -> None:
    people = feeds.three_state(0)
    changed = drift.after(drift.MEANING, people, 0)
    click, skip = people.signals.index("click"), people.signals.index("skip")
    assert changed.emissions[0, 2, skip] == people.emissions[2, click]
    assert np.array_equal(changed.emissions[-1], people.emissions)
