"""What the join and the learner say of time: how late feedback is, how long writing takes, what waits to be saved."""

from __future__ import annotations

import time

import pytest
from prometheus_client.samples import Sample

from streams.observing.metrics import Metrics
from tests.unit.stand_ins import batch
from tests.unit.worker.test_partition_join import T0, Joined, answer, end_of, shown
from tests.unit.worker.test_partition_learner import RECORDS, Learned


def samples(metrics: Metrics, name: str) -> list[Sample]:
    return [one for family in metrics.registry.collect() for one in family.samples if one.name == name]


def value(metrics: Metrics, name: str) -> float:
    (sample,) = samples(metrics, name)
    return sample.value


@pytest.mark.parametrize(
    ("answered_at", "lateness"),
    [(T0 + 50, None), (T0 + 100, None), (T0 + 110, 0.010), (T0 + 5_100, 5.0)],
    ids=["in time", "at the last moment", "a little late", "very late"],
)
def test_lateness_is_by_how_much_the_wait_was_missed(answered_at: int, lateness: float | None) -> None:
    joined = Joined(remember=100.0)
    joined.shows(shown(0, "a"))
    joined.answers(answer(0, "a", answered_at))
    assert value(joined.metrics, "groundswell_feedback_lateness_seconds_count") == (lateness is not None)
    assert value(joined.metrics, "groundswell_feedback_lateness_seconds_sum") == pytest.approx(lateness or 0)


def test_the_joins_delay_begins_with_the_end_of_the_wait() -> None:
    joined = Joined()
    at = round(time.time() * 1000) - 60_000
    joined.shows(shown(0, "a", at), shown(1, "b", at + 5), end_of("impressions", 2, at + 50_000))
    assert value(joined.metrics, "groundswell_join_delay_seconds_count") == 0
    joined.answers(end_of("feedback", 0, at + 50_000))
    assert value(joined.metrics, "groundswell_join_delay_seconds_count") == 1, "of each batch the oldest"
    assert value(joined.metrics, "groundswell_join_delay_seconds_sum") == pytest.approx(59.9, abs=5)


def test_what_waits_for_a_checkpoint_is_known_until_there_is_one() -> None:
    learned = Learned(checkpoint_seconds=5)
    assert samples(learned.metrics, "groundswell_unsaved_since_timestamp_seconds") == []
    learned.reads([batch(RECORDS[:10])])
    before = time.time()
    learned.time_passes(100)
    assert value(learned.metrics, "groundswell_unsaved_since_timestamp_seconds") == pytest.approx(before, abs=5)
    learned.time_passes(105)
    assert samples(learned.metrics, "groundswell_unsaved_since_timestamp_seconds") == []
    assert value(learned.metrics, "groundswell_checkpoint_seconds_count") == 1


def test_a_restarted_learner_knows_how_old_its_policy_is() -> None:
    learned = Learned()
    learned.reads([batch(RECORDS[:30])])
    published = value(learned.metrics, "groundswell_policy_published_timestamp_seconds")
    learned.checkpoints()
    learned.metrics = Metrics()
    learned.restart()
    assert value(learned.metrics, "groundswell_policy_published_timestamp_seconds") == published
