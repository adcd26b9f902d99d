"""What a worker says first."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from processors.join.config import JoinConfig
from processors.join.entries import ShownImpression
from streams.settings import HttpSettings, Settings
from streams.worker.first_words import FirstClosing, page_address, say_what_starts


def test_it_says_what_it_is_what_it_learns_where_its_page_is_and_how_long_nothing_is_learned() -> None:
    settings = Settings.model_validate(
        {"models": {"feed": {"definitely_negative": ["dislike"]}, "ads": {"definitely_negative": ["hide"]}}}
    )
    with capture_logs() as said:
        say_what_starts(settings)
    assert said[0]["event"].startswith("groundswell ")
    assert said[0]["event"].endswith("http://127.0.0.1:6066/")
    assert said[0]["models"] == ["ads", "feed"]
    assert "10.5 min are over" in said[1]["event"]
    assert (said[1]["wait"], said[1]["grace"]) == (600, 30)


@pytest.mark.parametrize(
    ("host", "address"), [("0.0.0.0", "http://127.0.0.1:80/"), ("::", "http://[::1]:80/"), ("db7", "http://db7:80/")]
)
def test_the_page_is_named_as_it_is_called(host: str, address: str) -> None:
    assert page_address(HttpSettings(host=host, port=80)) == address


def test_of_the_first_impression_it_says_once_when_it_closes() -> None:
    closing = FirstClosing(JoinConfig(wait=600, grace=30))
    with capture_logs() as said:
        closing.impressions_came([])
        for number in range(3):
            closing.impressions_came([ShownImpression(f"i{number}", 1_767_225_600_000 + number, "feed", number, b"")])
    (told,) = said
    assert (told["occurred_at"], told["closes_at"]) == ("2026-01-01T00:00:00+00:00", "2026-01-01T00:10:30+00:00")


def test_an_impression_of_the_year_9999_is_told_as_any_other() -> None:
    closing = FirstClosing(JoinConfig(wait=600, grace=30))
    with capture_logs() as said:
        closing.impressions_came([ShownImpression("i1", 253_402_300_799_999, "feed", 0, b"")])
    (told,) = said
    assert (told["occurred_at"], told["closes_at"]) == ("9999-12-31T23:59:59+00:00", "253402301429999 ms since 1970")
