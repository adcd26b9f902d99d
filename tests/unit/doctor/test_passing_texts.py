"""What the doctor makes of texts in contexts that never come again."""

from __future__ import annotations

import msgspec
import pytest

from groundswell.events import Impression
from streams.doctor.findings import Status
from streams.doctor.passing_texts import of_passing_texts
from tests.factories import impression

SHOWN = msgspec.convert(impression(), Impression)


def shown(feature: str, text: str, number: int) -> Impression:
    context = {"user": f"u{number % 9}", feature: text.format(number)}
    return msgspec.structs.replace(SHOWN, impression_id=f"i{number}", context=context)


@pytest.mark.parametrize(
    ("feature", "text"),
    [
        ("request_id", "r-{}"), ("requestId", "r-{}"), ("at_time", "2026-01-01T00:00:{}"), ("TraceID", "{}"),
        ("page", "i{}"),  # that of the impression
    ],
)  # fmt: skip
def test_what_names_one_impression_is_told(feature: str, text: str) -> None:
    found = of_passing_texts("feed", [shown(feature, text, number) for number in range(200)])
    assert (found.check, found.status) == ("texts of feed", Status.WARN)
    assert found.seen.startswith(f"'{feature}': another text in each of the last 200 impressions")
    assert "leave out of `context`" in found.remedy


@pytest.mark.parametrize(
    ("feature", "text", "count"),
    [
        ("visitor", "v{}", 200),  # there may be many
        ("request_kind", "GET", 200),
        ("request_id", "r-{}", 90),
    ],
)
def test_of_others_nothing_is_said(feature: str, text: str, count: int) -> None:
    assert of_passing_texts("feed", [shown(feature, text, number) for number in range(count)]).status is Status.PASS


def test_what_was_sent_twice_is_one() -> None:
    some = [shown("request_id", "r-{}", number) for number in range(200)]
    assert of_passing_texts("feed", some + some).status is Status.WARN
