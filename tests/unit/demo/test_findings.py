"""What a run found: doubt is counted by its reason, and what was learned of a signal is set beside the truth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from experiments.demo.audit import UNKNOWN, Judged
from experiments.demo.findings import Unknown, holds, signal_figures, unknown_states
from groundswell.events import Doubt
from groundswell.worth import Worth, WorthTable


def judged(signal: str = "click", state: int = 1, doubt: Doubt | None = None, weight: float = 1.0) -> Judged:
    return Judged("i", "action-0", signal, state, doubt, weight)


def worth(signal: str, segment: str | None = None, **changed: Any) -> Worth:
    row = {"log_odds": 0.0, "low": -1.0, "high": 1.0, "plays": 50.0, "share": 0.5} | changed
    return Worth(signal=signal, segment=segment, **row)


def test_unknown_states_are_counted_by_their_reason_and_the_last_one_is_named() -> None:
    run = [
        judged(state=UNKNOWN, doubt="no_definite_signal"),
        judged(),
        judged(state=UNKNOWN, doubt="undetermined_signal"),
        judged(state=UNKNOWN, doubt="undetermined_signal"),
        judged(),
    ]
    reasons = {"undetermined_signal": 2, "no_definite_signal": 1}
    assert unknown_states(run) == Unknown(count=3, share=0.6, reasons=reasons, last=4)


def test_without_doubt_there_is_no_last_one() -> None:
    assert unknown_states([judged()]) == Unknown(count=0, share=0.0, reasons={}, last=None)
    assert unknown_states([]).share == 0.0


def test_the_truth_of_a_signal_counts_impressions_as_if_all_actions_were_shown_alike() -> None:
    run = [judged(weight=3.0), judged(weight=1.0), judged("skip", weight=5.0)]
    table = WorthTable(model="m", interactions=3, feature=None, rows=[worth("click"), worth("skip")])
    click, skip = signal_figures(table, run, np.array([0, 1, -1], dtype=np.int8))
    assert (click.signal, click.true_share, click.holds) == ("click", 0.25, False)  # log odds -1.1
    assert (skip.true_share, skip.holds) == (0.0, False)


def test_only_rows_over_all_people_are_compared_and_only_with_what_came() -> None:
    rows = [worth("click", "phone"), worth("never"), worth("click", log_odds=None, low=None, high=None, doubt="few")]
    never, few = signal_figures(
        WorthTable(model="m", interactions=1, feature="device", rows=rows), [judged()], np.array([1], dtype=np.int8)
    )
    assert (never.signal, never.true_share, never.holds) == ("never", None, None)
    assert (few.doubt, few.true_share, few.holds) == ("few", 1.0, None)


def test_before_the_worker_has_said_anything_there_is_nothing_to_compare() -> None:
    assert signal_figures(None, [judged()], np.array([1], dtype=np.int8)) == []


@pytest.mark.parametrize(
    ("low", "high", "share", "held"),
    [
        (None, -1.0, 0.0, True),
        (1.0, None, 1.0, True),
        (1.0, 4.0, 1.0, False),
        (-4.0, -1.0, 0.0, False),
        (-1.0, 1.0, 0.5, True),
        (-1.0, 1.0, 1 / (1 + math.exp(-1.01)), False),
    ],
)
def test_no_bound_holds_also_what_is_certain(low: float | None, high: float | None, share: float, held: bool) -> None:
    assert holds(worth("click", low=low, high=high), share) == held
