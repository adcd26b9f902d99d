"""What newcomers get wrong, as they meet it: said by the worker while it runs, and by the doctor, with what to do."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.doctor.examination import examine
from streams.settings import Settings
from tests.factories import feedback, impression
from tests.integration.workers import Apps, RunningWorker

pytestmark = pytest.mark.timeout(400)

MANY = 150
HOURS_MS = 5 * 3_600_000
MODELS = {"feed": {"definitely_negative": ["dislike"]}}
ENVIRONMENT = {"GROUNDSWELL_JOIN__IDLE": "1", "GROUNDSWELL_JOIN__BACKWARD": "60"}

Event = tuple[str, dict[str, Any]]
Mistake = Callable[[int, int, random.Random], list[Event]]
"""What an app sends for its numbered page at this time (ms)."""


def one_id_for_a_page(number: int, now: int, chance: random.Random) -> list[Event]:
    shown = [impression(f"page{number}", now, chosen=item, propensity=1 / 3, probabilities=None) for item in range(3)]
    return [*(("impressions", one) for one in shown), ("feedback", feedback(f"page{number}", now))]


def people_as_numbers(number: int, now: int, chance: random.Random) -> list[Event]:
    shown = impression(f"i{number}", now, context={"user": 1_000 + chance.randrange(6), "age": chance.randrange(90)})
    return [("impressions", shown), ("feedback", feedback(f"i{number}", now))]


def local_time(number: int, now: int, chance: random.Random) -> list[Event]:
    return [
        ("impressions", impression(f"i{number}", now - HOURS_MS)),
        ("feedback", feedback(f"i{number}", now + chance.randrange(1_000))),
    ]


def counted_from_one(number: int, now: int, chance: random.Random) -> list[Event]:
    shown = impression(f"i{number}", now, chosen=1 + chance.randrange(3), propensity=1 / 3, probabilities=None)
    return [("impressions", shown), ("feedback", feedback(f"i{number}", now))]


def other_capitals(number: int, now: int, chance: random.Random) -> list[Event]:
    signal = chance.choice(["click", "Dislike"])
    return [("impressions", impression(f"i{number}", now)), ("feedback", feedback(f"i{number}", now, signal=signal))]


def values_within_names(number: int, now: int, chance: random.Random) -> list[Event]:
    signal = f"watched {chance.uniform(0, 99):.2f} s"
    return [("impressions", impression(f"i{number}", now)), ("feedback", feedback(f"i{number}", now, signal=signal))]


@pytest.mark.parametrize(
    ("mistake", "condition", "says", "check", "seen", "remedy"),
    [
        (
            one_id_for_a_page, "id_reused", "67% of the impressions bear the impression_id of another",
            "ids of impressions", "300 of the last 450 messages bear the impression_id of an earlier one",
            "an `impression_id` of its own for each thing that is shown",
        ),
        (
            people_as_numbers, "numeric_id", "'user' holds 6 whole numbers in", "numbers of feed",
            "'user' holds 6 whole numbers in 150 impressions that seem to be ids", '"user": "1001"',
        ),
        (
            local_time, "local_time", "the event times of impressions are about 5 h behind, as local time", "join",
            "of feedback joined no impression: late ", "in UTC; a date without its zone is local time",
        ),
        (
            counted_from_one, "chosen_from_one", "it seems to be counted from 1, so that the action before",
            "chosen of feed", "`chosen` is one beyond the last action in ", "Count from 0",
        ),
        (
            other_capitals, "signal_misspelt", "times, and the configuration names 'dislike'",
            "signals", "'Dislike' came ", "in the app as the configuration does",
        ),
        (
            values_within_names, "signals_never_again", "differ in nothing but their numbers, 'watched # s'",
            "signals", "differ in nothing but their numbers, 'watched # s'", '"signal": "watched", "value": 83.21',
        ),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)  # fmt: skip
def test_a_mistake_is_answered(
    tmp_path: Path,
    servers: str,
    mistake: Mistake,
    condition: str,
    says: str,
    check: str,
    seen: str,
    remedy: str,
) -> None:
    apps, chance, standing = Apps(servers), random.Random(5), dict[str, str]()

    def stands() -> bool:
        standing.update(
            (one["name"], one["says"]) for one in msgspec.json.decode(worker.get("/live.json")[1])["conditions"]
        )
        return condition in standing

    with RunningWorker(tmp_path, servers, environment=ENVIRONMENT) as worker:
        for number in range(MANY):
            for topic, message in mistake(number, round(time.time() * 1000), chance):
                apps.send(topic, message)
        apps.flush()
        worker.until(stands, f"{condition} to be said")
    apps.close()
    assert says in standing[condition]
    assert f"condition={condition}" in worker.said() or f'"condition": "{condition}"' in worker.said()
    settings = Settings.model_validate({"kafka": {"bootstrap_servers": servers}, "models": MODELS})
    found = {one.check: one for one in examine(settings)}[check]
    assert found.status != "pass"
    assert seen in found.seen
    assert remedy in found.remedy
