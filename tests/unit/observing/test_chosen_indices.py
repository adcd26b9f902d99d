"""Indices that are counted from 1: told where the last one is out of range and the first never comes."""

from __future__ import annotations

import random
from typing import Any

import pytest

from processors.admission.event_records import Admission
from streams.observing.chosen_indices import SILENCE_SECONDS, ChosenIndices
from tests.factories import Record, encode, impression, models
from tests.unit.stand_ins import Time

ADMISSION = Admission(models("feed"), 60_000)
CHANCE = random.Random(5)


def came(indices: ChosenIndices, chosen: list[int], actions: int, batch: int = 60) -> str | None:
    """Let impressions come that chose these, in batches; return what is said then."""
    for begin in range(0, len(chosen), batch):
        records = [record(one, actions) for one in chosen[begin : begin + batch]]
        indices.came(records, ADMISSION.impressions(records))
    return indices.says("feed")


def record(chosen: int, actions: int) -> Record:
    changes: dict[str, Any] = {"probabilities": None, "propensity": 1 / actions}
    offered = [{"id": f"a{number}"} for number in range(actions)]
    return Record(b"i1", encode(impression(chosen=chosen, actions=offered, **changes)), 0, 1_000_000)


def drawn(first: int, last: int, number: int = 300) -> list[int]:
    return [CHANCE.randint(first, last) for _ in range(number)]


@pytest.mark.parametrize("actions", [2, 3, 10])
@pytest.mark.parametrize("batch", [1, 7, 300])
def test_a_count_from_1_is_told(actions: int, batch: int) -> None:
    says = came(ChosenIndices(), drawn(1, actions), actions, batch) or ""
    assert says.startswith("`chosen` is one beyond the last action in ")
    share = int(says.split(" in ", 1)[1].split("%")[0]) / 100
    assert share == pytest.approx(1 / actions, abs=0.09)
    assert "never 0 in the others: it seems to be counted from 1" in says


@pytest.mark.parametrize(
    ("chosen", "actions"),
    [
        (drawn(0, 2), 3),
        ([*drawn(0, 2), 3, 3, 3, 3], 3),
        ([*drawn(1, 2), 3, 3], 3),
        ([*drawn(1, 2), *drawn(3, 9, 30)], 3),
        (drawn(1, 2), 3),
        ([1, 2, 3, 3, 3], 3),
        ([], 3),
    ],
    ids=[
        "from 0",
        "from 0, and wrong now and then",
        "two are refused",
        "anything",
        "none is refused",
        "few",
        "nothing",
    ],
)
def test_elsewhere_nothing_is_said(chosen: list[int], actions: int) -> None:
    assert came(ChosenIndices(), chosen, actions) is None


def test_it_ends_when_the_app_is_mended_or_stops() -> None:
    clock = Time()
    indices = ChosenIndices(clock)
    assert came(indices, drawn(1, 3), 3) is not None
    assert came(indices, drawn(0, 2), 3) is None
    indices = ChosenIndices(clock)
    assert came(indices, drawn(1, 3), 3) is not None
    clock.now += SILENCE_SECONDS
    assert indices.says("feed") is None


def test_of_other_models_nothing_is_known() -> None:
    indices = ChosenIndices()
    came(indices, drawn(1, 3), 3)
    assert indices.says("other") is None
