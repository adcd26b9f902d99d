"""The benchmark of scale measures what it says, without Kafka and at sizes that take no time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.bench.growth import Size, Traffic, microseconds
from experiments.bench.scale import bench_scale
from experiments.bench.workload import FEEDBACK_SHARE
from processors.admission.event_records import Admission
from processors.join.entries import ObservedFeedback, ShownImpression
from processors.models.config import ModelConfig
from tests.factories import admitted

ADMISSION = Admission({"feed": ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}))}, 10**13)


def test_traffic_is_two_logs_in_order_and_its_feedback_comes_within_the_wait() -> None:
    traffic = Traffic(users=50, wait=2.0, seed=0)
    stretches = [traffic.stretch(2_000) for _ in range(10)]
    shown = [admitted(ADMISSION.impressions, *record, 0, 0) for stretch, _ in stretches for record in stretch]
    answers = [admitted(ADMISSION.feedback, *record, 0, 0) for _, stretch in stretches for record in stretch]
    impressions = [one for one in shown if isinstance(one, ShownImpression)]
    feedback = [one for one in answers if isinstance(one, ObservedFeedback)]
    assert (len(impressions), len(feedback)) == (len(shown), len(answers))
    assert [one.occurred_at for one in impressions] == sorted(one.occurred_at for one in impressions)
    assert [one.occurred_at for one in feedback] == sorted(one.occurred_at for one in feedback)
    occurred_at = {one.id: one.occurred_at for one in impressions}
    assert all(0 <= one.occurred_at - occurred_at[one.impression_id] < 2_000 for one in feedback)
    ended = [one for one in impressions if one.occurred_at < impressions[-1].occurred_at - 2_000]
    assert len(feedback) / len(ended) == pytest.approx(FEEDBACK_SHARE, abs=0.15)


def test_every_size_is_measured() -> None:
    sizes = {"few": Size(users=10), "many": Size(users=10_000), "waiting": Size(pending=3_000)}
    runs = microseconds(sizes, count=4_000, warm_up=2_000, runs=2)
    assert [list(costs) for costs in runs] == [list(sizes)] * 2
    assert all(1 < cost < 10_000 for costs in runs for cost in costs.values())


def test_what_was_measured_is_written_with_its_bars(tmp_path: Path) -> None:
    status = bench_scale(tmp_path, 4_000, 1, users=5_000, pending=3_000, kafka=False)
    written = json.loads((tmp_path / "results.json").read_text())
    assert [bar["name"] for bar in written["bars"]] == ["5,000 users, times 1,000", "3,000 waiting, times 300"]
    assert status == (0 if all(bar["met"] for bar in written["bars"]) else 1)
    assert {"1,000 users", "300 waiting", "3,000 waiting"} <= set(written["contenders"])
