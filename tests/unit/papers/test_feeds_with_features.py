"""Rounds with changing actions: the Facebook days, the image feed, and the compiled loop over them."""

import gzip
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from experiments.papers import drift, feeds, production
from experiments.papers.facebook import MODEL
from experiments.papers.runs_and_bars import Run
from experiments.people import facebook, image_feed
from experiments.people.data_place import DataError
from experiments.people.reaction_probabilities import REACTIONS, SILENT, estimated
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
            **{column: int(rng.integers(100)) for column in facebook.COLUMNS},
        }
        for day in range(days)
        for post in range(posts)
    ]
    return pl.DataFrame(rows)


def written(folder: Path, name: str, posts: pl.DataFrame) -> None:
    """Write a page's posts as the data set has them."""
    (folder / f"{name}{facebook.SUFFIX}").write_bytes(gzip.compress(posts.write_csv().encode()))


def moody(posts: int) -> pl.DataFrame:
    """Return posts of which some are loved and liked, others make angry and are commented."""
    rng = np.random.default_rng(1)
    mood = rng.normal(size=posts)
    of = {"like": 6 + mood, "love": 3 + mood, "angry": 3 - mood, "comment": 4 - mood, "share": 5 + 0 * mood}
    counts = {name: np.round(np.exp(of.get(name, 0 * mood + 2) + 0.3 * rng.normal(size=posts))) for name in REACTIONS}
    columns = {f"num_{name}s": pl.Series(count.astype(int)) for name, count in counts.items()}
    return statuses(posts // 10, 10).with_columns(**columns)


def test_days_are_in_order_with_ten_posts_one_liked_and_one_hated(tmp_path: Path) -> None:
    written(tmp_path, "time", statuses(5, 12))
    (page,) = facebook.pages(tmp_path)
    days = facebook.days(page, seed=0)
    assert [day.posts[0].id.split("_")[0] for day in days] == ["4", "3", "2", "1", "0"]
    for day in days:
        assert len(day.posts) == 10
        assert sorted(day.states) == [-1, *[0] * 8, 1]
    assert days[0].posts[0].features["type"] == "link"
    assert "word message" in days[0].posts[0].features


def test_the_state_goes_by_the_pages_own_reactions() -> None:
    posts = pl.DataFrame({column: [0, 0, 0] for column in facebook.COLUMNS})
    posts = posts.with_columns(num_comments=pl.Series([90, 1, 0]), num_likes=pl.Series([500, 100, 0]))
    assert facebook.states(posts, np.array(facebook.EMISSIONS["Fox News"])).tolist() == [-1, 1, 0]


@pytest.mark.parametrize("page", facebook.EMISSIONS)
def test_the_authors_readers_react_once_and_say_what_the_paper_says(page: str) -> None:
    emissions = np.array(facebook.EMISSIONS[page])
    assert np.allclose(emissions.sum(axis=1), 1.0, atol=0.002)
    loved = emissions[:, facebook.SIGNALS.index("love")]
    assert loved[2] > 0 == loved[0], "love comes of joy alone"


def test_reactions_are_estimated_by_what_goes_with_anger_and_what_with_love() -> None:
    emissions = estimated(moody(400).select(facebook.COLUMNS).to_numpy().astype(float))
    state = {name: int(emissions[:, place].argmax()) - 1 for place, name in enumerate(facebook.SIGNALS)}
    assert state == {
        "none": 0, "like": 1, "comment": -1, "share": 0, "love": 1, "wow": 0, "haha": 0, "sad": 0, "angry": -1,
    }  # fmt: skip
    assert np.allclose(emissions.sum(axis=1), 1.0)
    assert emissions[1, 0] == pytest.approx(SILENT)


def test_what_goes_with_anger_does_not_depend_on_how_many_react() -> None:
    totals = moody(400).select(facebook.COLUMNS).to_numpy().astype(float)
    busy = 20 * totals
    assert np.array_equal(estimated(totals) > 0, estimated(busy) > 0)


def test_posts_that_nobody_loves_tell_nothing() -> None:
    with pytest.raises(ValueError, match="give probabilities"):
        estimated(np.zeros((10, len(REACTIONS))))


def test_a_list_names_any_pages_with_probabilities_or_without(tmp_path: Path) -> None:
    for name in ("one", "two"):
        written(tmp_path, name, moody(60))
    listed = tmp_path / "pages.toml"
    listed.write_text(
        f"""
        [[pages]]
        name = "One"
        statuses = "one{facebook.SUFFIX}"
        [pages.reactions]
        "-1" = {{angry = 1.0}}
        "0" = {{none = 0.9, haha = 0.1}}
        "1" = {{like = 0.7, love = 0.3}}
        [[pages]]
        name = "Two"
        statuses = "two{facebook.SUFFIX}"
        """
    )
    one, two = facebook.pages(listed)
    assert (one.name, two.name) == ("One", "Two")
    assert one.emissions[2].tolist() == [0, 0.7, 0, 0, 0.3, 0, 0, 0, 0]
    assert two.emissions[0, facebook.SIGNALS.index("comment")] > 0
    assert len(facebook.days(two, seed=1)) == 6


@pytest.mark.parametrize(
    ("reactions", "complaint"),
    [
        ('"-1" = {angry = 1.0}', "states"),
        ('"-1" = {angry = 1.0}\n"0" = {none = 1.0}\n"1" = {hug = 1.0}', "hug"),
        ('"-1" = {angry = 0.5}\n"0" = {none = 1.0}\n"1" = {like = 1.0}', "sum to 1"),
        ('"-1" = {angry = nan}\n"0" = {none = 1.0}\n"1" = {like = 1.0}', "sum to 1"),
        ('"-1" = "angry"', "no list of pages in TOML"),
        ('"-1" = {', "no list of pages in TOML"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(tmp_path: Path, reactions: str, complaint: str) -> None:
    written(tmp_path, "one", moody(60))
    listed = tmp_path / "pages.toml"
    listed.write_text(f'[[pages]]\nname = "One"\nstatuses = "one{facebook.SUFFIX}"\n[pages.reactions]\n{reactions}\n')
    with pytest.raises(DataError, match=complaint):
        facebook.pages(listed)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "no CSV of posts"),
        ("status_published,num_likes\n2016-01-01,3\n", "missing .*num_angrys"),
        (",".join(("status_published", *facebook.COLUMNS)) + "\n2016-01-01" + ",many" * 8, "as numbers"),
    ],
)
def test_posts_that_are_none_are_refused(tmp_path: Path, content: str, complaint: str) -> None:
    with gzip.open(tmp_path / f"one{facebook.SUFFIX}", "wt") as file:
        file.write(content)
    with pytest.raises(DataError, match=complaint):
        facebook.pages(tmp_path)


def test_missing_posts_say_where_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GROUNDSWELL_FACEBOOK", str(tmp_path / "none"))
    with pytest.raises(DataError, match="interactive-facebook-reactions"):
        facebook.pages()


def test_learners_of_the_image_feed_differ_as_they_should() -> None:
    rounds = image_feed.rounds(3)
    rounds = replace(
        rounds, contexts=rounds.contexts[:30_000], sets=rounds.sets[:30_000], readers=rounds.readers[:30_000]
    )
    liked = {}
    for source in (INFERRED, GIVEN, TRUE):
        nothing = np.zeros(len(image_feed.SIGNALS))
        outcome = played(
            rounds, MODEL.model_copy(update={"definitely_negative": frozenset({"dislike"})}), 1, source, nothing
        )
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
