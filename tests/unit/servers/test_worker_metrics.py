"""What the demo reads from a worker's metrics."""

from __future__ import annotations

from prometheus_client import generate_latest

from experiments.servers.embedded_broker import free_port
from experiments.servers.worker_metrics import get, join_outcomes
from streams.observing.metrics import Metrics


def test_join_outcomes_are_read_by_name() -> None:
    metrics = Metrics()
    for outcome, count in (("matched", 3), ("none", 12), ("late", 1)):
        metrics.join.labels(outcome).inc(count)
    page = generate_latest(metrics.registry).decode()
    assert join_outcomes(page) == {"matched": 3, "none": 12, "late": 1}


def test_nothing_is_read_where_nobody_answers() -> None:
    assert get(f"http://127.0.0.1:{free_port()}/metrics") is None
