"""The worker on Apache Kafka itself: joining, learning, and taking over from one that was killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from kafka import KafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from experiments.servers.apache_kafka import ApacheKafka
from groundswell import policy
from streams.settings import load_settings
from tests.factories import encode, feedback, impression
from tests.integration.days import Day, assert_policies_are_the_learners, first_deliveries, learned
from tests.integration.workers import TOPICS, RunningWorker, read_all, until, with_topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

EVENTS = 5_000
ALL = {str(number) for number in range(TOPICS.event_partitions)}
SESSION = {"GROUNDSWELL_KAFKA__SESSION_TIMEOUT": "6"}


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[str]:
    with ApacheKafka(tmp_path / "kafka") as kafka:
        yield with_topics(kafka.bootstrap_servers)


def partitions(worker: RunningWorker) -> set[str]:
    """Return the partitions whose join the worker says it holds."""
    return {
        sample.labels["partition"]
        for family in text_string_to_metric_families(worker.get("/metrics")[1])
        for sample in family.samples
        if sample.name == "groundswell_join_pending"
    }


def shared(first: RunningWorker, second: RunningWorker) -> bool:
    """Say whether both workers hold partitions, and together all of them."""
    mine, other = partitions(first), partitions(second)
    return bool(mine and other) and mine | other == ALL and not mine & other


def test_a_worker_joins_and_learns_everything_once_and_publishes_a_policy(tmp_path: Path, servers: str) -> None:
    day = Day(servers)
    with RunningWorker(tmp_path, servers) as worker:
        day.goes_on(EVENTS)
        day.ends()
        worker.until(lambda: worker.metric("groundswell_policy_version") == EVENTS, "the last policy")
        status, seconds = worker.stop()
        assert (status, seconds < 10) == (0, True), worker.said()[-3_000:]
    rewards = [record.key.decode() for record in read_all(servers, TOPICS.rewards)]
    assert sorted(rewards) == sorted(day.expected)
    log = first_deliveries(servers)
    assert {one.impression.impression_id: one.signals for one in log} == day.expected
    assert len(read_all(servers, TOPICS.interactions)) == EVENTS
    assert_policies_are_the_learners(servers, load_settings(tmp_path / "worker.toml").models["feed"], log)
    assert policy.decode(read_all(servers, TOPICS.policies)[-1].value).version == EVENTS


def test_of_two_workers_one_is_killed_and_the_other_takes_over_without_a_loss(tmp_path: Path, servers: str) -> None:
    day = Day(servers)
    with ExitStack() as running:
        first, second = (
            running.enter_context(RunningWorker(tmp_path, servers, name=name, environment=SESSION))
            for name in ("first", "second")
        )
        until(lambda: shared(first, second), "both workers to hold partitions")
        day.goes_on(EVENTS // 2)
        until(lambda: len(learned(servers)) > EVENTS // 10, "something to be learned")
        day.goes_on(EVENTS // 4)
        first.kill()
        day.goes_on(EVENTS // 4)
        second.until(lambda: partitions(second) == ALL, "the other to take over")
        day.ends()
        second.until(lambda: learned(servers) == set(day.expected), "everything to be learned")
        second.until(lambda: second.metric("groundswell_policy_version") == len(day.expected), "the last policy")
        assert second.stop()[0] == 0
    log = first_deliveries(servers)
    assert {one.impression.impression_id: one.signals for one in log} == day.expected
    assert_policies_are_the_learners(servers, load_settings(tmp_path / "second.toml").models["feed"], log)


def test_a_worker_that_comes_to_help_costs_the_first_nothing_of_what_waits(tmp_path: Path, servers: str) -> None:
    day = Day(servers)
    first = RunningWorker(tmp_path, servers, name="first", environment=SESSION)
    with first:
        day.goes_on(1_000)
        first.until(lambda: first.metric("groundswell_join_pending") > 500, "impressions to wait for feedback")
        first.until(lambda: first.metric("groundswell_consumer_lag") == 0, "all to be read")
        first.stop()
        first.start()
        assert first.metric("groundswell_join_pending") > 500
        with RunningWorker(tmp_path, servers, name="second", environment=SESSION) as second:
            until(lambda: shared(first, second), "both workers to hold partitions")
            day.goes_on(1_000)
            day.ends()
            until(lambda: learned(servers) == set(day.expected), "everything to be learned")
            assert first.stop()[0] == second.stop()[0] == 0
    log = first_deliveries(servers)
    assert {one.impression.impression_id: one.signals for one in log} == day.expected
    assert len(read_all(servers, TOPICS.interactions)) == len(log), "nothing was joined twice"


def test_windows_close_by_the_clock_behind_the_marker_of_a_transaction_and_what_was_taken_back_never_was(
    tmp_path: Path, servers: str
) -> None:
    producer = KafkaProducer(bootstrap_servers=servers, transactional_id="an app", acks="all")
    producer.init_transactions()
    now = round(time.time() * 1000)
    for prefix in ("taken-back", "kept"):
        producer.begin_transaction()
        for number in range(20):
            key = f"{prefix}{number}".encode()
            producer.send(TOPICS.impressions, key=key, value=encode(impression(key.decode(), now)))
            producer.send(TOPICS.feedback, key=key, value=encode(feedback(key.decode(), now)))
        if prefix == "kept":
            producer.commit_transaction()
        else:
            producer.flush()
            producer.abort_transaction()
    producer.close()
    idle = {"GROUNDSWELL_JOIN__IDLE": "1"}
    with RunningWorker(tmp_path, servers, environment=idle) as worker:
        worker.until(lambda: worker.metric("groundswell_join_total", outcome="matched") == 20, "windows to close")
        worker.until(lambda: worker.metric("groundswell_consumer_lag") == 0, "no lag to be left")
        worker.until(lambda: worker.metric("groundswell_policy_version") == 20, "the policy")
    assert {record.key.decode() for record in read_all(servers, TOPICS.rewards)} == {f"kept{n}" for n in range(20)}
