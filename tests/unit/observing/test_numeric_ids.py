"""Numbers in contexts that are names: told where they surely are, and not of ages, counts, prices and scores."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from groundswell.events import FeatureValue
from streams.observing.conditions import Conditions
from streams.observing.metrics import Metrics
from streams.observing.numeric_ids import KEPT, MOST_FEATURES, NumericIds, NumericIdsReport, in_words, names_somebody

NOW = 1_790_000_000
Values = Callable[[random.Random], FeatureValue]


def drawn(values: Values, number: int = 300) -> Iterator[FeatureValue]:
    chance = random.Random(5)
    return (values(chance) for _ in range(number))


def told(name: str, values: Values, number: int = 300) -> str:
    seen = NumericIds()
    seen.observe({name: value} for value in drawn(values, number))
    return in_words(seen.judged()) or ""


def one_of(number: int, largest: int) -> Values:
    """Return what draws one of so many ids."""
    ids = random.Random(7).sample(range(largest // 10, largest), number)
    return lambda chance: chance.choice(ids)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("user", lambda chance: 1_000 + chance.randrange(40)),
        ("user", lambda chance: 1 + chance.randrange(2)),
        ("user_id", lambda chance: chance.randrange(10**6)),
        ("userId", lambda chance: float(chance.randrange(1, 40))),
        ("customer", one_of(50, 10**9)),
        ("zip", one_of(50, 10**5)),
        ("categoryid", lambda chance: chance.randrange(12)),
        ("u", one_of(60, 10**9)),
        ("u", lambda chance: chance.randrange(1 << 60, 1 << 62)),
    ],
)
def test_ids_are_told(name: str, values: Values) -> None:
    assert "that seem to be ids: numbers count as quantities, with one slope for all" in told(name, values)
    assert told(name, lambda chance: str(values(chance))) == "", "as texts they are what they should be"
    assert told(name, values, number=19) == "", "a few say nothing"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("age", lambda chance: 18 + chance.randrange(70)),
        ("born", lambda chance: 1940 + chance.randrange(70)),
        ("price", lambda chance: 10 * chance.randrange(10**6)),
        ("price", lambda chance: chance.choice([99, 199, 1999, 129_900])),
        ("income", lambda chance: 1000 * chance.randrange(1_000, 5_000)),
        ("followers", lambda chance: round(chance.paretovariate(0.4))),
        ("bytes", lambda chance: chance.randrange(10**6, 10**9)),
        ("visits_per_user", lambda chance: chance.randrange(100)),
        ("users", lambda chance: chance.randrange(100)),
        ("new_user", lambda chance: chance.randrange(3)),
        ("member", lambda chance: chance.randrange(2)),
        ("account", lambda chance: chance.random() * 1e4),
        ("user", lambda chance: chance.random()),
        ("paid", lambda chance: chance.randrange(100)),
        ("grid", lambda chance: chance.randrange(100)),
        ("user", lambda chance: chance.random() < 0.5),
        ("score", lambda chance: chance.gauss(0, 1)),
    ],
)
def test_quantities_are_not(name: str, values: Values) -> None:
    assert told(name, values) == ""


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000])
@pytest.mark.parametrize("fraction", [0, 0.25])
def test_times_since_1970_are_told_as_what_they_are(unit: int, fraction: float) -> None:
    says = told("at", lambda chance: unit * (NOW + chance.randrange(10**6)) + chance.randrange(1, unit + 9) + fraction)
    assert says.startswith("'at' holds times since 1970, which only go on")


def test_names_are_known_however_they_are_written() -> None:
    assert all(map(names_somebody, ["id", "USER_ID", "userId", "user.id", "visitor", "app-user", "deviceID", "uid"]))
    assert not any(map(names_somebody, ["", "_", "video", "days_since_session", "number_of_ids", "humid", "ideas"]))


def test_it_is_said_by_model_until_the_app_is_mended_and_of_a_few_features_by_name() -> None:
    conditions = Conditions(Metrics())
    report = NumericIdsReport(conditions)
    report.learned("feed", [{f"{name}_id": 1_000 + number for name in "abcde"} for number in range(40)])
    (stands,) = conditions.standing()
    assert (stands.name, stands.subject) == ("numeric_id", "feed")
    assert stands.says.startswith("'a_id' holds 40 whole numbers in 40 impressions that seem to be ids; 'b_id' holds")
    assert "; and so do 2 more: numbers count as quantities" in stands.says
    report.learned("feed", [{f"{name}_id": str(number) for name in "abcde"} for number in range(KEPT)])
    assert conditions.standing() == []
    report.learned("feed", [{"user": number} for number in range(40)])
    report.leave("feed")
    assert conditions.standing() == []


def test_ever_new_features_take_no_more_room() -> None:
    seen = NumericIds()
    seen.observe({f"id{number}_id": number} for number in range(10_000))
    assert len(seen._features) == MOST_FEATURES
