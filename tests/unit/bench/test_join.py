"""What the benchmarks of the join compare, without running any of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.bench.join import ratios
from experiments.bench.race import Measured, middle
from experiments.bench.result import at_least, conclude
from experiments.bench.workload import ALWAYS, GRACE, MODELS, WAIT, Logs
from processors.admission.event_records import Admission
from processors.join.config import JoinConfig
from processors.join.entries import ObservedFeedback, ShownImpression
from processors.join.fold import Join
from tests.factories import admitted


def test_every_record_is_let_in_and_every_impression_closes_with_its_feedback() -> None:
    logs = Logs(2_000)
    admission, join = Admission(MODELS, 10**9), Join(JoinConfig(wait=WAIT, grace=GRACE))
    shown = [admitted(admission.impressions, *one, offset, ALWAYS) for offset, one in enumerate(logs.impressions)]
    answers = [admitted(admission.feedback, *one, offset, ALWAYS) for offset, one in enumerate(logs.feedback)]
    join.add_impressions([one for one in shown if isinstance(one, ShownImpression)])
    join.add_feedback([one for one in answers if isinstance(one, ObservedFeedback)])
    last, answer = logs.closing(0)
    late = admitted(admission.impressions, *last, 2_000, ALWAYS)
    assert isinstance(late, ShownImpression)
    join.add_impressions([late])
    orphan = admitted(admission.feedback, *answer, 2_000, ALWAYS)
    assert isinstance(orphan, ObservedFeedback)
    closed = join.add_feedback([orphan]).closed
    assert len(closed) == len(logs.impressions)
    assert sum(len(one.feedback) for one in closed) == len(logs.feedback)
    assert 340 <= sum(len(value) for _, value in logs.impressions) / len(logs.impressions) <= 360
    assert len(logs.feedback) / len(logs.impressions) == pytest.approx(0.6, abs=0.05)


def test_a_ratio_says_how_many_times_a_peer_we_are() -> None:
    rows = {name: {"per_cpu_second": rate} for name, rate in (("groundswell", 40.0), ("Faust", 2.0), ("Quix", 10.0))}
    assert ratios(rows) == {"Faust": 20.0, "Quix": 4.0}


def test_medians_are_of_rates() -> None:
    runs = [Measured(100, wall, cpu) for wall, cpu in ((10, 5), (20, 4), (50, 10))]
    assert middle(runs) == {"per_second": 5.0, "per_cpu_second": 20.0, "busy": 0.2}


@pytest.mark.parametrize(("reached", "status"), [(2.0, 1), (3.0, 0)])
def test_a_missed_bar_is_the_exit_status(tmp_path: Path, reached: float, status: int) -> None:
    bar = at_least("times Quix", 3.0, reached)
    assert conclude(tmp_path, "t", {"groundswell": {"per_second": 1.0}}, [bar], bench="join") == status
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["bars"] == [{"name": "times Quix", "bar": ">= 3", "reached": reached, "met": status == 0}]
