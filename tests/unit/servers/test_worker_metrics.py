"""What the demo reads from a worker's metrics."""

from __future__ import annotations

from prometheus_client import generate_latest

from experiments.servers.embedded_broker import free_port
from experiments.servers.worker_metrics import get, join_outcomes, leaking_signals
from streams.observing.metrics import Metrics


def test_join_outcomes_are_read_by_name() -> None:
    metrics = Metrics()
    for outcome, count in (("matched", 3), ("none", 12), ("late", 1)):
        metrics.join.labels(outcome).inc(count)
    page = generate_latest(metrics.registry).decode()
    assert join_outcomes(page) == {"matched": 3, "none": 12, "late": 1}


def test_leaking_signals_are_those_of_the_model_the_surest_first() -> None:
    metrics = Metrics()
    for model, signal, left_out, share in (
        ("feed", "position", "false", 0.2),
        ("feed", "autoplay", "true", 0.4),
        ("other", "length", "true", 0.9),
    ):
        metrics.leaking_signals.labels(model, signal, left_out).set(share)
    found = leaking_signals(generate_latest(metrics.registry).decode(), "feed")
    assert list(found.items()) == [("autoplay", (0.4, True)), ("position", (0.2, False))]


def test_nothing_is_read_where_nobody_answers() -> None:
    assert get(f"http://127.0.0.1:{free_port()}/metrics") is None
