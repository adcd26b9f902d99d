"""What the doctor makes of the ids of actions: told where they never come back, and nowhere else."""

from __future__ import annotations

from itertools import count, cycle

import msgspec
import pytest

from groundswell.events import Action, DecisionSlot, FeatureValue, Impression
from streams.doctor.action_ids import of_action_ids
from streams.doctor.findings import Status
from tests.factories import impression

SHOWN = msgspec.convert(impression(), Impression)


def fresh(number: int, **features: FeatureValue) -> list[list[Action]]:
    """Return the actions of so many impressions, three each, under ids that never come back."""
    ids = count()
    return [[Action(f"new-{next(ids)}", features) for _ in range(3)] for _ in range(number)]


def shown(actions: list[list[Action]]) -> list[Impression]:
    return [
        msgspec.structs.replace(SHOWN, impression_id=f"i{number}", actions=some) for number, some in enumerate(actions)
    ]


def test_ids_that_never_come_back_are_told_with_what_to_do() -> None:
    found = of_action_ids("feed", shown(fresh(500)))
    assert found.status is Status.WARN
    assert "nearly all action ids (1,500 of 1,500) were met once only" in found.seen
    assert "the same id in every impression" in found.remedy
    assert "`features`" in found.remedy


CATALOGUE = cycle([Action(f"item-{number}") for number in range(1_000)])


@pytest.mark.parametrize(
    "actions",
    [
        [[Action("a"), Action("b"), Action("c")]] * 500,
        [[next(CATALOGUE) for _ in range(3)] for _ in range(500)],
        [[Action("home"), Action("search"), new] for new, _, _ in fresh(500)],
        fresh(500, kind="news"),
        fresh(99),
        [[one] for one, _, _ in fresh(500)],
        [],
    ],
    ids=["few", "a catalogue", "one of three is new", "features", "a small sample", "no choice", "nothing"],
)
def test_elsewhere_nothing_is_said(actions: list[list[Action]]) -> None:
    assert of_action_ids("feed", shown(actions)).status is Status.PASS


def test_what_is_offered_again_in_a_slot_of_the_same_page_or_was_sent_twice_has_not_come_back() -> None:
    pages = [
        msgspec.structs.replace(one, impression_id=f"{one.impression_id}-{slot}", decision=decision)
        for one in shown(fresh(200))
        for slot in range(2)
        for decision in [DecisionSlot(one.impression_id, slot, 2)]
    ]
    assert of_action_ids("feed", pages).status is Status.WARN
    assert of_action_ids("feed", shown(fresh(200)) * 2).status is Status.WARN
