"""What a log whose rows are all right may still get wrong: each kind is told, and what is right is not."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import pytest

from groundswell.events import Action, FeatureValue, Feedback, Impression
from streams.replay.remarks import Remarks

ACTIONS = ["a", "b", "c", "d"]
Context = Callable[[int, bool], Mapping[str, FeatureValue]]


def right(number: int, answered: bool) -> Mapping[str, FeatureValue]:
    return {"user": f"u{number % 7}", "age": number % 7 + 20, "night": number % 2 == 0, "price": number / 7}


def remarks(
    context: Context = right,
    *,
    impressions: int = 300,
    propensity: float = 1 / len(ACTIONS),
    actions: int = len(ACTIONS),
    signals: Mapping[str, float] | None = None,
    features: tuple[str, ...] = (),
    declared: tuple[str, ...] = (),
    definite: tuple[str, ...] = (),
) -> str:
    """Return what is told of a log in which each signal comes that often."""
    drawn = random.Random(5)
    found = Remarks(features, declared, definite)
    for number in range(impressions):
        came = [s for s, often in ({"click": 0.3} if signals is None else signals).items() if drawn.random() < often]
        impression = Impression(
            schema_version=1,
            impression_id=f"i{number}",
            occurred_at=number,
            model="m",
            context=dict(context(number, bool(came))),
            actions=[Action(one) for one in ACTIONS[:actions]],
            chosen=drawn.randrange(actions),
            propensity=propensity,
        )
        pieces = [
            Feedback(schema_version=1, impression_id=f"i{number}", feedback_id=s, occurred_at=number, signal=s)
            for s in came
        ]
        found.observe(impression, pieces)
    return "\n".join(found.in_words())


def test_of_a_log_that_is_right_nothing_is_told() -> None:
    assert remarks(features=("user", "age"), declared=("click",), definite=("click", "dislike")) == ""


def test_of_no_impressions_nothing_is_told() -> None:
    assert remarks(impressions=0, features=("user",), declared=("click",), definite=("dislike",)) == ""


@pytest.mark.parametrize(
    ("context", "says"),
    [
        (
            lambda n, _: {"request": f"r{n}"},
            "context.request: has another value in each of 300 impressions; if it is an",
        ),
        (lambda n, _: {"request": 10_000 + n}, "context.request: has another value in each of 300 impressions"),
        (
            lambda n, _: {"user_id": n % 9},
            "context.user_id: holds 9 whole numbers in 200 impressions that seem to be ids. Numbers count as",
        ),
        (lambda n, _: {"userId": n % 9}, "context.userId: holds 9 whole numbers"),
        (lambda n, _: {"User.id": n % 9}, '(in a mapping type = "category")'),
        (lambda n, _: {"u": 400_000_000 + 7_654_321 * (n % 11)}, "context.u: holds 11 whole numbers"),
        (lambda n, _: {"at": 1_790_000_000.25 + n % 99}, "context.at: holds times since 1970"),
        (lambda n, came: {"stayed": n / 3 + 1} if came else {}, "context.stayed: tells of every impression whether"),
        (lambda n, came: {"stayed": n / 3 + 1 if came else 0}, "context.stayed: tells of every impression whether"),
        (lambda n, came: {"clicked": came}, "context.clicked: tells of every impression whether something came back"),
        (lambda n, came: {"at": f"{n % 60}"} if came else {}, "context.at: tells of every impression whether"),
        (lambda n, came: {} if came else {"left": True}, "context.left: tells of every impression whether"),
    ],
)
def test_features_that_are_ids_or_tell_what_came_back_are_told(context: Context, says: str) -> None:
    assert says in remarks(lambda n, came: {**right(n, came), **context(n, came)})


@pytest.mark.parametrize(
    "context",
    [
        lambda n, _: {"paid": n % 9, "grid": n % 3, "valid": n % 2},
        lambda n, _: {"user_id": str(n % 9)},
        lambda n, _: {"users": n % 9, "member": n % 2},
        lambda n, _: {"price": n / 3},
        lambda n, came: {"stayed": 1.0} if came and n % 9 else {},
        lambda n, came: {"stayed": int(came or n % 10 == 0)},
    ],
)
def test_features_that_only_look_like_it_are_not(context: Context) -> None:
    assert remarks(context) == ""


def test_a_few_impressions_say_nothing_of_features() -> None:
    assert remarks(lambda n, came: {"request": f"r{n}", "came": came}, impressions=12) == ""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"actions": 1}, "every impression offers a single action: without a choice nothing is learned"),
        ({"features": ("size",)}, "context.size: not one impression has it; see its column, and the keys of its table"),
        ({"signals": {"click": 0.3, "None": 0.3, "N/A": 0.1}}, "feedback: 'N/A', 'None' count as signals"),
        ({"signals": {}}, "feedback: nothing comes back to any impression"),
        ({"declared": ("click", "like")}, "feedback.like: comes back to no impression; is its value written as in"),
        ({"definite": ("hide",)}, "none of the definite signals of the configuration (hide) comes back"),
        ({"definite": ("buy", "Click"), "signals": {"click": 0.3, "buy": 0.1}}, "feedback: 'click' came "),
        (
            {"signals": {f"watched {n}.5 s": 0.1 for n in range(30)}},
            "nothing but their numbers, 'watched # s'",
        ),
        ({"propensity": 1.0}, "propensity: every impression says that its action was certain"),
        ({"propensity": 0.9}, "propensity: 1/(K p) averages 0.28"),
        ({"propensity": 1e-6}, "had a propensity below 0.001: it cannot come that often"),
    ],
)
def test_what_nothing_or_the_wrong_thing_would_be_learned_of_is_told(changes: dict[str, object], says: str) -> None:
    told = remarks(**changes)  # type: ignore[arg-type]
    assert says in told
    assert told.count("\n") == 0
