"""The benchmark of latency takes times from what lies on the topics, and quantiles from the worker's histograms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from experiments.bench.latency import WAIT, SeenPolicy, SeenReward, policy_delays, reward_delays
from experiments.bench.workload import GRACE
from experiments.servers.worker_metrics import buckets, quantile

WINDOW_MS = round(1000 * (WAIT + GRACE))


def test_a_reward_is_late_from_the_end_of_the_grace_on() -> None:
    rewards = [SeenReward(1_000, 0, 1_000 + WINDOW_MS + late) for late in (0, 250)]
    assert reward_delays(rewards) == [0.0, 0.25]


@pytest.mark.parametrize(
    ("learned_before", "waited"),
    [
        pytest.param(0, [4.0], id="the first interaction is in the first policy"),
        pytest.param(9, [4.0], id="the tenth is the last in a policy of ten"),
        pytest.param(10, [9.0], id="the eleventh is in the next"),
        pytest.param(20, [], id="no policy includes it yet"),
    ],
)
def test_a_reward_waits_for_the_first_policy_that_includes_it(learned_before: int, waited: list[float]) -> None:
    policies = [SeenPolicy(10, 5_000), SeenPolicy(20, 10_000)]
    reward = SeenReward(0, learned_before, 1_000)
    assert policy_delays([reward], policies, 0, math.inf) == waited


def test_what_a_policy_outside_of_the_time_includes_does_not_count() -> None:
    policies = [SeenPolicy(10, 5_000), SeenPolicy(20, 10_000)]
    rewards = [SeenReward(0, before, 1_000) for before in (0, 10)]
    assert policy_delays(rewards, policies, 6_000, 10_001) == [9.0]
    assert policy_delays(rewards, policies, 5_000, 10_000) == [4.0]


def test_quantiles_of_a_histogram_are_those_of_its_values_to_within_a_bucket() -> None:
    registry = CollectorRegistry()
    histogram = Histogram("delay_seconds", "d", buckets=[n / 10 for n in range(1, 21)], registry=registry)
    values = np.random.default_rng(0).exponential(0.3, 5_000)
    for value in values:
        histogram.observe(value)
    counts = buckets(generate_latest(registry).decode(), "delay_seconds")
    for q in (0.1, 0.5, 0.99):
        assert quantile(counts, q) == pytest.approx(np.quantile(values, q), abs=0.1)


def test_beyond_the_last_bound_a_quantile_is_that_bound_and_of_nothing_it_is_none() -> None:
    assert quantile({1.0: 0, 2.0: 1, math.inf: 10}, 0.99) == 2.0
    assert math.isnan(quantile({1.0: 0, math.inf: 0}, 0.5))
