"""What the doctor makes of numbers that seem to be ids."""

from __future__ import annotations

import msgspec

from groundswell.events import Action, FeatureValue, Impression
from streams.doctor.findings import Status
from streams.doctor.numeric_ids import of_numeric_ids
from tests.factories import impression

SHOWN = msgspec.convert(impression(), Impression)


def shown(context: dict[str, FeatureValue], features: dict[str, FeatureValue]) -> Impression:
    return msgspec.structs.replace(SHOWN, context=context, actions=[Action("a", features), Action("b")], chosen=0)


def test_ids_as_numbers_are_told_with_what_to_do() -> None:
    found = of_numeric_ids("feed", [shown({"user": 1_000 + number % 9, "age": 30}, {}) for number in range(200)])
    assert (found.check, found.status) == ("numbers of feed", Status.WARN)
    assert found.seen.startswith("'user' holds 9 whole numbers in 200 impressions that seem to be ids")
    assert '"user": "1001"' in found.remedy


def test_so_are_those_of_what_was_shown() -> None:
    found = of_numeric_ids("feed", [shown({"user": "ann"}, {"seller_id": number % 9}) for number in range(200)])
    assert found.status is Status.WARN
    assert "'seller_id (of actions)' holds" in found.seen


def test_of_texts_and_quantities_nothing_is_said() -> None:
    some = [shown({"user": f"{number % 9}", "age": number % 90}, {"price": number}) for number in range(200)]
    assert of_numeric_ids("feed", some).status is Status.PASS
    assert of_numeric_ids("feed", []).status is Status.PASS
