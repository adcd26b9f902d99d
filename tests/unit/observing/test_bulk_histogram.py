"""A histogram that takes many values at once says what it says when it takes them one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest

from streams.observing.bulk_histogram import BulkHistogram

BOUNDS = (0.5, 1.0, 5.0)


@given(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 0.75, 1.0, 4.0, 5.0, 6.0]), max_size=30))
def test_in_bulk_is_the_same_as_one_by_one(values: list[float]) -> None:
    each, bulk = CollectorRegistry(), CollectorRegistry()
    one_by_one = Histogram("delay", "of feedback", buckets=BOUNDS, registry=each)
    for value in values:
        one_by_one.observe(value)
    BulkHistogram("delay", "of feedback", buckets=BOUNDS, registry=bulk).observe_many(values)
    assert samples(bulk) == samples(each)


def test_many_of_the_same_are_as_many_observations() -> None:
    each, bulk = CollectorRegistry(), CollectorRegistry()
    one_by_one = Histogram("delay", "of feedback", buckets=BOUNDS, registry=each)
    for _ in range(7):
        one_by_one.observe(0.75)
    BulkHistogram("delay", "of feedback", buckets=BOUNDS, registry=bulk).observe_many([0.75], times=7)
    assert samples(bulk) == samples(each)


def samples(registry: CollectorRegistry) -> list[bytes]:
    """Return what is exposed, without when it began."""
    return [line for line in generate_latest(registry).splitlines() if b"_created" not in line]
