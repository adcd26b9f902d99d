"""One model that several partitions learn together: everything counts once, and what is published is of all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from experiments.people.three_state import ThreeStateUsers
from experiments.servers.apache_kafka import ApacheKafka
from groundswell import policy
from groundswell.events import Action
from processors.wire.envelopes import decode_interaction
from tests.integration.days import ACTIONS, Day, first_deliveries, learned
from tests.integration.workers import CONFIGURATION, TOPICS, RunningWorker, read_all, until, with_topics

pytestmark = pytest.mark.timeout(400)

SHARDED = CONFIGURATION + 'sharded_by = "user"\n'
EVENTS = 4_000
SESSION = {"GROUNDSWELL_KAFKA__SESSION_TIMEOUT": "6"}


@pytest.fixture
def kafka_servers(tmp_path: Path) -> Iterator[str]:
    with ApacheKafka(tmp_path / "kafka") as kafka:
        yield with_topics(kafka.bootstrap_servers)


def last_policy(servers: str) -> policy.PolicySnapshot:
    return policy.decode(read_all(servers, TOPICS.policies)[-1].value)


def assert_learned_together(servers: str, day: Day) -> None:
    """Check that each person's interactions lay on one partition, several took part, and the policy knows them all."""
    partitions = defaultdict(set)
    for record in read_all(servers, TOPICS.interactions):
        partitions[decode_interaction(record.value).impression.context["user"]].add(record.partition)
    assert {len(of_user) for of_user in partitions.values()} == {1}
    assert len(set.union(*partitions.values())) > 1, "all people lie on one partition: choose others"
    log = first_deliveries(servers)
    assert {one.impression.impression_id: one.signals for one in log} == day.expected
    newest, states = last_policy(servers), ThreeStateUsers(3, ACTIONS, 0.3, seed=0).states
    actions = [Action(f"a{number}") for number in range(ACTIONS)]
    for user in range(3):
        scores = policy.Policy(newest).scores({"user": f"u{user}"}, actions)
        assert scores.index(max(scores)) == states[user].argmax()


def test_a_killed_worker_goes_on_with_all_its_shards(tmp_path: Path, servers: str) -> None:
    day = Day(servers)
    with RunningWorker(tmp_path, servers, configuration=SHARDED) as worker:
        day.goes_on(EVENTS // 2)
        worker.until(lambda: worker.metric("groundswell_policy_version") > EVENTS // 10, "a policy of some shards")
        worker.kill()
        worker.start()
        day.goes_on(EVENTS // 2)
        day.ends()
        worker.until(lambda: learned(servers) == set(day.expected), "everything to be learned")
        worker.until(lambda: worker.metric("groundswell_policy_version") == EVENTS, "the policy of all shards")
        assert worker.stop()[0] == 0
    assert_learned_together(servers, day)


@pytest.mark.kafka
def test_of_two_workers_with_shards_of_one_model_one_is_killed(tmp_path: Path, kafka_servers: str) -> None:
    day = Day(kafka_servers)
    with ExitStack() as running:
        first, second = (
            running.enter_context(
                RunningWorker(tmp_path, kafka_servers, name=name, environment=SESSION, configuration=SHARDED)
            )
            for name in ("first", "second")
        )
        day.goes_on(EVENTS // 2)
        until(lambda: read_all(kafka_servers, TOPICS.policies), "a policy")
        first.kill()
        day.goes_on(EVENTS // 2)
        day.ends()
        second.until(lambda: learned(kafka_servers) == set(day.expected), "everything to be learned")
        second.until(lambda: second.metric("groundswell_policy_version") == EVENTS, "the policy of all shards")
        assert second.stop()[0] == 0
    assert_learned_together(kafka_servers, day)
