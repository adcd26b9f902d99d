"""Names of signals: those that are nearly the configuration's, and those that never come again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import count

import pytest

from processors.models.config import ModelConfig
from streams.observing.conditions import Conditions
from streams.observing.metrics import Metrics
from streams.observing.signal_names import KEPT, SignalNamesReport, misspelt, named_signals, never_again

CHANCE = random.Random(5)
MODEL = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), definitely_positive=frozenset({"buy"}))


@pytest.mark.parametrize(
    ("came", "named"),
    [
        ("Dislike", "dislike"), ("DISLIKE", "dislike"), ("dislik", "dislike"), ("dislikes", "dislike"),
        ("thumbs-down", "thumbs_down"), ("thumbsDown", "thumbs_down"), ("thumb_down", "thumbs_down"),
        ("add_to_card", "add_to_cart"), ("likes", "like"),
    ],
)  # fmt: skip
def test_what_is_nearly_a_name_of_the_configuration_is_told(came: str, named: str) -> None:
    assert misspelt({came: 3, "click": 40}, {named, "share"}) == [(came, named)]


@pytest.mark.parametrize(
    ("came", "named"),
    [
        ("dislike", "dislike"), ("like", "dislike"), ("unlike", "like"), ("upvote", "downvote"), ("undo", "redo"),
        ("rated_2", "rated_1"), ("thumbs_up", "thumbs_down"), ("-1", "+1"), ("report", "repost"),
        ("unfollow", "follow"), ("swipe_left", "swipe_right"), ("skip", "share"),
        ("\N{THUMBS UP SIGN}", "\N{THUMBS DOWN SIGN}"),
    ],
)  # fmt: skip
def test_other_signals_are_other_signals(came: str, named: str) -> None:
    assert misspelt({came: 3, "click": 40}, {named, "share"}) == []


def test_one_that_comes_as_it_is_named_is_another_than_one_that_is_alike_but_for_its_capitals() -> None:
    assert misspelt({"like": 3, "likes": 3, "Like": 1}, {"like"}) == [("Like", "like")]


def test_what_the_configuration_names_is_all_that_it_says_something_of() -> None:
    model = ModelConfig(
        name="feed",
        definitely_negative=frozenset({"a"}),
        definitely_positive=frozenset({"b"}),
        indifferent=frozenset({"none", "c"}),
        trusted_signals=frozenset({"d"}),
        ignored_signals=frozenset({"e"}),
        value_measures={"f": "length"},
    )
    assert named_signals(model) == frozenset("abcdef")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (lambda: f"watched {CHANCE.uniform(0, 99):.2f} s", "signals of 300 pieces of feedback differ in nothing but"),
        (lambda: f"watched {CHANCE.uniform(0, 99):.2f} s", "their numbers, 'watched # s': each is learned by itself"),
        (lambda: f"dwell={CHANCE.randrange(40)}", "but their numbers, 'dwell=#'"),
        (lambda: f"search:{CHANCE.getrandbits(128):032x}", "have a signal that came once only, such as 'search:"),
    ],
)
def test_names_that_hold_values_or_ids_are_told(name: Callable[[], str], says: str) -> None:
    assert says in (never_again(Counter(name() for _ in range(300))) or "")


NUMBERS = count()


@pytest.mark.parametrize(
    "name",
    [
        lambda: CHANCE.choice(["click", "like", "skip", "dislike"]),
        lambda: f"rated_{CHANCE.randint(1, 5)}",
        lambda: f"watched_{10 * CHANCE.randint(1, 10)}%",
        lambda: "click" if CHANCE.random() < 0.7 else f"{CHANCE.getrandbits(64):016x}",
        lambda: f"category {'abcdefghijklmnopqrstuvwxyz'[next(NUMBERS) % 26]}",
    ],
    ids=["a few", "stars", "percent", "less than half", "a vocabulary"],
)
def test_names_that_come_again_are_not(name: Callable[[], str]) -> None:
    assert never_again(Counter(name() for _ in range(300))) is None


def test_few_names_say_nothing() -> None:
    assert never_again(Counter(f"signal {chr(number)}" for number in range(300, 399))) is None
    assert never_again(Counter()) is None


def test_it_is_said_by_model_until_the_app_is_mended() -> None:
    conditions = Conditions(Metrics())
    report = SignalNamesReport(conditions, {"feed": MODEL})
    report.learned("feed", [["none"], ["Dislike", "click"], ["Dislike"]])
    assert conditions.standing() == [], "two are two"
    report.learned("feed", [["Dislike"], ["none"]])
    (stands,) = conditions.standing()
    assert (stands.name, stands.subject) == ("signal_misspelt", "feed")
    assert stands.says == "'Dislike' came 3 times, and the configuration names 'dislike'"
    for _ in range(KEPT):
        report.learned("feed", [["dislike"], ["click"]])
    assert conditions.standing() == []
    report.learned("feed", [[f"dwell={number}"] for number in range(200)])
    assert [one.name for one in conditions.standing()] == ["signals_never_again"]
    report.leave("feed")
    assert conditions.standing() == []
