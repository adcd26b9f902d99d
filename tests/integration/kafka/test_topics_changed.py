"""Topics that are deleted and made again, or grow, and members that move: seen, said, and nothing learned wrong."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.errors import UnknownTopicOrPartitionError

from experiments.servers.apache_kafka import ApacheKafka
from streams.doctor.examination import examine
from streams.settings import Settings, load_settings
from streams.worker.topic_adoption import adopt_topics
from tests.factories import feedback, impression
from tests.integration.workers import Apps, RunningWorker, read_all, until, with_topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

CONFIGURATION = """
[topics]
event_partitions = 2
interaction_partitions = 2
[join]
wait = 2.0
grace = 0.5
backward = 1.0
remember = 5.0
idle = 1.0
[learning]
publish_seconds = 0.5
checkpoint_seconds = 0.5
[models.feed]
definitely_negative = ["dislike"]
hash_bits = 12
"""
OLD, NEW = 20, 50


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[ApacheKafka]:
    with ApacheKafka(tmp_path / "kafka") as running:
        yield running


class Case:
    """A worker's settings, what is sent, and what became of it."""

    def __init__(self, kafka: ApacheKafka, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kafka, self.directory, self.servers = kafka, directory, kafka.bootstrap_servers
        (directory / "settings.toml").write_text(CONFIGURATION)
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", self.servers)
        self.settings: Settings = load_settings(directory / "settings.toml")
        with_topics(self.servers, self.settings.topics)

    def worker(self, module: str = "streams.cli", name: str = "worker", **environment: str) -> RunningWorker:
        command = (sys.executable, "-m", module, "worker")
        return RunningWorker(
            self.directory,
            self.servers,
            configuration=CONFIGURATION,
            environment=environment,
            command=command,
            name=name,
        )

    def send(self, tag: str, count: int) -> None:
        apps, now = Apps(self.servers), round(time.time() * 1000)
        for number in range(count):
            apps.send("impressions", impression(f"{tag}{number}", now))
            apps.send("feedback", feedback(f"{tag}{number}", now + 10))
        apps.flush()
        apps.close()

    def learned(self, tag: str = "") -> list[str]:
        """Return whose rewards there are, each as often as it was rewarded."""
        ids = [str(json.loads(record.value)["impression_id"]) for record in read_all(self.servers, "rewards")]
        return [one for one in ids if one.startswith(tag)]

    def signals(self, tag: str) -> set[str]:
        rewards = [json.loads(record.value) for record in read_all(self.servers, "rewards")]
        return {one["signal"] for one in rewards if one["impression_id"].startswith(tag)}

    def make_again(self, *topics: str, when: Callable[[], bool] = lambda: True) -> None:
        """Delete topics and make them again as soon as the condition holds."""
        with closing(KafkaAdminClient(bootstrap_servers=self.kafka.administration)) as admin:
            admin.delete_topics(list(topics))
            until(lambda: not set(topics) & set(admin.list_topics()), "the topics to be gone")
            until(when, "what is waited for before they are made again")

            def made() -> bool:
                try:
                    return bool(with_topics(self.servers, self.settings.topics))
                except UnknownTopicOrPartitionError:
                    return False

            until(made, "the topics to be there again")

    def failures(self) -> list[str]:
        return [f"{one.seen} {one.remedy}" for one in examine(self.settings) if one.status == "fail"]

    def adopted(self) -> dict[str, int]:
        """Take over what has changed; return how many impressions were set aside, by topic."""
        done: dict[str, int] = {}
        for one in adopt_topics(self.settings, check=False):
            done[one.topic] = done.get(one.topic, 0) + one.set_aside
        return done


@pytest.fixture
def case(kafka: ApacheKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    return Case(kafka, tmp_path, monkeypatch)


def refused(worker: RunningWorker) -> str:
    """Start a worker that ends by itself; return what it says last."""
    with pytest.raises(AssertionError, match="the worker ended"), worker:
        pass
    return last_line(worker)


def last_line(worker: RunningWorker) -> str:
    line: dict[str, Any] = json.loads(worker.said().strip().splitlines()[-1])
    return str(line["message"])


def test_topics_made_again_while_no_worker_runs_are_refused_until_they_are_adopted(case: Case) -> None:
    with case.worker() as worker:
        case.send("old", OLD)
        worker.until(lambda: len(case.learned("old")) == OLD, "the old ones to be learned")
        assert case.failures() == []
        worker.stop()
    case.make_again("impressions", "feedback")
    case.send("new", NEW)
    again = case.worker()
    said = refused(again)
    assert "was deleted and made again" in said
    assert "groundswell adopt-topics" in said
    assert [one for one in case.failures() if "groundswell adopt-topics" in one]
    assert adopt_topics(case.settings, check=True)
    assert "was deleted and made again" in refused(case.worker()), "to check changes nothing"
    assert case.adopted() == {"impressions": 0, "feedback": 0}
    assert case.adopted() == {}, "once is enough"
    with case.worker() as worker:
        worker.until(lambda: len(case.learned("new")) >= NEW, "the new ones to be learned")
        assert case.failures() == []
        worker.stop()
    assert sorted(case.learned()) == sorted(
        [f"old{number}" for number in range(OLD)] + [f"new{number}" for number in range(NEW)]
    )
    assert case.signals("new") == {"click"}


def test_topics_made_again_while_a_worker_runs_end_it_and_the_new_ones_are_all_learned(case: Case) -> None:
    with case.worker(GROUNDSWELL_LOG_LEVEL="DEBUG") as worker:  # which tells of the group
        case.send("old", OLD)
        worker.until(lambda: len(case.learned("old")) == OLD, "the old ones to be learned")
        # Without them the group makes an assignment, which the next worker is given as long as nobody makes another.
        case.make_again("impressions", "feedback", when=lambda: worker.said().count("Successfully synced group") > 1)
        case.send("new", NEW)
        assert worker.ended() != 0
        assert "was deleted and made again" in last_line(worker)
    assert set(case.adopted()) == {"impressions", "feedback"}
    with case.worker() as worker:
        worker.until(lambda: len(case.learned("new")) >= NEW, "the new ones to be learned")
        worker.stop()
    assert len(case.learned()) == len(set(case.learned())) == OLD + NEW
    assert case.signals("new") == {"click"}


def test_what_waited_when_its_topic_was_made_again_is_set_aside_and_never_learned_as_none(case: Case) -> None:
    with case.worker(GROUNDSWELL_JOIN__WAIT="600") as worker:
        case.send("old", OLD)
        worker.until(lambda: worker.metric("groundswell_join_pending") == OLD, "them to wait")
        worker.stop()
    case.make_again("feedback")
    assert case.adopted() == {"feedback": OLD}
    with case.worker() as worker:
        case.send("new", NEW)
        worker.until(lambda: len(case.learned("new")) >= NEW, "the new ones to be learned")
        worker.stop()
    assert case.learned("old") == []
    dead = read_all(case.servers, "dead-letter")
    assert {record.key.decode() for record in dead} == {f"old{number}" for number in range(OLD)}
    assert {dict(record.headers)["reason"] for record in dead} == {b"topic_made_again"}


def test_interactions_made_again_are_written_anew_and_what_was_learned_is_not_learned_twice(case: Case) -> None:
    with case.worker() as worker:
        case.send("old", OLD)
        worker.until(lambda: len(case.learned("old")) == OLD, "the old ones to be learned")
        worker.until(lambda: worker.metric("groundswell_checkpoint_bytes") > 0, "a checkpoint")
        worker.stop()
    case.make_again("interactions")
    assert "interactions was deleted and made again" in refused(case.worker())
    assert set(case.adopted()) == {"interactions"}
    with case.worker() as worker:
        case.send("new", NEW)
        worker.until(lambda: len(case.learned("new")) >= NEW, "the new ones to be learned")
        worker.stop()
    assert len(read_all(case.servers, "interactions")) == OLD + NEW
    assert len(case.learned()) == len(set(case.learned())) == OLD + NEW


def test_partitions_that_are_added_end_the_worker_and_it_says_what_the_next_start_says(case: Case) -> None:
    with case.worker() as worker:
        with closing(KafkaAdminClient(bootstrap_servers=case.kafka.administration)) as admin:
            admin.create_partitions({"impressions": 4, "feedback": 4})
        assert worker.ended() != 0
        assert "has 4 partitions, expected 2" in last_line(worker)


MOVED = {"GROUNDSWELL_KAFKA__SESSION_TIMEOUT": "60"}


def test_a_static_member_that_comes_back_at_another_address_has_its_partitions_again(case: Case) -> None:
    with case.worker(**MOVED) as worker:
        case.send("a", OLD)
        worker.until(lambda: len(case.learned("a")) == OLD, "the first to be learned")
        worker.kill()
        with case.worker(**MOVED) as moved:
            assert moved.port != worker.port
            case.send("b", OLD)
            moved.until(lambda: len(case.learned("b")) == OLD, "the others to be learned")
            moved.stop()


def test_of_two_workers_with_one_instance_the_first_ends_and_says_why(case: Case) -> None:
    named = {**MOVED, "GROUNDSWELL_KAFKA__INSTANCE": "w0"}
    with case.worker(**named) as first, case.worker(name="second", **named) as second:
        assert first.ended() == 1
        assert 'another worker has taken the place of `kafka.instance = "w0"`' in last_line(first)
        case.send("a", OLD)
        second.until(lambda: len(case.learned("a")) == OLD, "the second to learn")
        second.stop()


def test_a_worker_whose_coordination_has_ended_ends_and_says_so(case: Case) -> None:
    said = refused(case.worker("tests.integration.deserting_worker"))
    assert "what keeps this worker in its group has ended" in said
    assert "planted" in said
