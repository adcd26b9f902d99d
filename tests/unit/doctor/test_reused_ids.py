"""What the doctor makes of ids that come again: told where one stands for several things, and not for retries."""

from __future__ import annotations

import pytest

from streams.doctor.findings import Status
from streams.doctor.reused_ids import Told, of_reused_ids


def page(number: int, items: int) -> list[Told]:
    """Return the impressions of a page, all under the page's id."""
    return [
        Told((f"page-{number}",), b"item %d" % item, f"impressions[0]@{10 * number + item}") for item in range(items)
    ]


def own(number: int) -> list[Told]:
    return [Told((f"i{one}",), b"item", f"impressions[0]@{one}") for one in range(number)]


def test_one_id_for_a_whole_page_is_told_with_an_example_and_what_to_do() -> None:
    found = of_reused_ids("impressions", "impression_id", [one for number in range(50) for one in page(number, 3)])
    assert found.status is Status.FAIL
    assert found.check == "ids of impressions"
    assert found.seen.startswith("100 of the last 150 messages bear the impression_id of an earlier one")
    assert "as impressions[0]@492 after impressions[0]@490" in found.seen
    assert "an `impression_id` of its own for each thing that is shown" in found.remedy
    assert "`decision`" in found.remedy


@pytest.mark.parametrize(
    "told",
    [own(200), own(200) * 2, [*own(200), *page(1, 3)], page(1, 3), [*own(100), *page(1, 6)], []],
    ids=["each its own", "all sent twice", "two stray ones", "one page", "one in twenty", "nothing"],
)
def test_elsewhere_nothing_is_said(told: list[Told]) -> None:
    assert of_reused_ids("impressions", "impression_id", told).status is Status.PASS


def test_pieces_of_feedback_to_other_impressions_may_have_the_same_id() -> None:
    told = [Told((f"i{one}", "click"), b"click", f"feedback[0]@{one}") for one in range(200)]
    assert of_reused_ids("feedback", "feedback_id", told).status is Status.PASS
