"""The loop of an app on a broker: policies are followed, messages written, and nothing of it harms a request."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer

from experiments.servers.embedded_broker import EmbeddedBroker, free_port
from groundswell import Action
from groundswell.client import EventLog, EventLogError, Policies, UnfitError
from groundswell.client.decisions import Decision, decide
from groundswell.events import Feedback, Impression
from groundswell.policy import Policy, encode
from groundswell.signatures import Signer, Verifier, new_key_pair
from streams.kafka.topics import create_topics
from streams.settings import KafkaSettings, TopicSettings
from tests.integration.workers import PATIENCE, read_all, until, with_topics
from tests.unit.groundswell.test_newest_snapshot import records, snapshot

ACTIONS = [Action("a"), Action("b", {"length": 3})]


@pytest.fixture
def servers(broker: str) -> str:
    create_topics(KafkaSettings(bootstrap_servers=broker), TopicSettings())
    return broker


@pytest.fixture
def policies(servers: str, tmp_path: Path) -> Iterator[Policies]:
    with Policies(servers, "feed", keep=tmp_path / "kept.json") as following:
        yield following


def publish(servers: str, *versions: int, damaged: bool = False, weights: int = 3) -> None:
    with closing(KafkaProducer(bootstrap_servers=servers)) as producer:
        for version in versions:
            for key, value in records(snapshot(version, weights=weights)):
                producer.send("policies", key=key, value=value[:-9] if damaged else value)
        producer.flush()


def decision(impression_id: str | None = None, **context: str) -> Decision:
    return decide("feed", Policy.uniform(), "uniform", context, ACTIONS, impression_id)


def version_of(policies: Policies) -> int | None:
    return policies.decide({"user": "ann"}, ACTIONS).policy_version


def test_policies_are_followed_and_the_last_good_one_goes_on(servers: str, policies: Policies) -> None:
    assert policies.wait(PATIENCE)
    assert policies.decide({}, ACTIONS).basis == "uniform"
    publish(servers, 100, 200)
    until(lambda: version_of(policies) == 200, "the newest policy")
    assert policies.decide({}, ACTIONS).basis == "policy"
    publish(servers, 300, damaged=True)
    publish(servers, 150)
    publish(servers, 400, weights=200_000)  # in several records
    until(lambda: version_of(policies) == 400, "the policy after the damaged one")


def test_with_a_verifier_only_what_is_signed_is_believed(servers: str) -> None:
    private_key, public_key = new_key_pair()
    signer = Signer(private_key)
    with Policies(servers, "feed", verifier=Verifier(public_key)) as policies:
        publish(servers, 300)
        key, value = records(snapshot(200))[0]
        with closing(KafkaProducer(bootstrap_servers=servers)) as producer:
            producer.send("policies", key=key, value=value, headers=signer.headers("policies", 0, key, value))
            producer.flush()
        until(lambda: version_of(policies) == 200, "the policy that is signed")


def test_an_app_that_starts_while_kafka_is_away_goes_on_by_the_policy_that_was_kept(
    servers: str, policies: Policies, tmp_path: Path
) -> None:
    publish(servers, 100)
    until(lambda: version_of(policies) == 100, "the policy")
    with Policies(f"127.0.0.1:{free_port()}", "feed", keep=tmp_path / "kept.json") as alone:
        found = alone.decide({"user": "ann"}, ACTIONS)
        assert (found.policy_version, found.basis) == (100, "last_known")
        until(lambda: alone.following.problem, "it to be said that Kafka is away")
    (tmp_path / "kept.json").write_bytes(encode(snapshot(50, model="other")))
    with Policies(f"127.0.0.1:{free_port()}", "feed", keep=tmp_path / "kept.json") as alone:
        assert alone.decide({"user": "ann"}, ACTIONS).basis == "uniform"


def test_kafka_may_go_and_come_again(tmp_path: Path) -> None:
    running = EmbeddedBroker(tmp_path / "broker")
    servers = running.bootstrap_servers
    with Policies(servers, "feed", request_timeout_ms=1_000) as policies:
        until(lambda: policies.following.problem, "it to be said that Kafka is away")
        assert policies.decide({}, ACTIONS).basis == "uniform"
        with running:
            create_topics(KafkaSettings(bootstrap_servers=servers), TopicSettings())
            publish(servers, 100)
            until(lambda: policies.basis == "policy", "the policy")
        until(lambda: policies.basis == "last_known", "it to be noticed that Kafka is away")
        assert version_of(policies) == 100
        with running:
            publish(servers, 200)
            until(lambda: policies.basis == "policy" and version_of(policies) == 200, "the policy after the outage")


def test_what_is_shown_and_what_comes_back_meet_on_one_partition(servers: str) -> None:
    shown = [decision(f"imp-{number}", user="ann") for number in range(20)]
    with EventLog(servers) as log:
        for one in shown:
            log.shown(one, occurred_at=1_000)
            log.feedback(one.impression_id, "click", 2.5, feedback_id=f"{one.impression_id}-click", occurred_at=1_001)
    assert (log.written, log.failed) == (40, 0)
    impressions, feedback_places = (
        {record.key.decode(): record.partition for record in read_all(servers, topic)}
        for topic in ("impressions", "feedback")
    )
    assert impressions == feedback_places
    assert [impressions[f"imp-{number}"] for number in (4, 2, 0, 10)] == [0, 1, 2, 3]
    impression = msgspec.json.decode(read_all(servers, "impressions")[0].value, type=Impression)
    of = next(one for one in shown if one.impression_id == impression.impression_id)
    assert (impression.chosen, impression.probabilities, impression.actions) == (of.index, of.probabilities, ACTIONS)
    feedback = msgspec.json.decode(read_all(servers, "feedback")[0].value, type=Feedback)
    assert (feedback.signal, feedback.value, feedback.occurred_at) == ("click", 2.5, 1_001)


def test_one_refused_record_takes_no_other_with_it(servers: str) -> None:
    with EventLog(servers, max_request_size=2_000) as log:
        large = log.shown(decision("large", text="x" * 5_000))
        unfit = log.feedback("i", "")
        never = log.shown(msgspec.structs.replace(decision("n"), context={"": "no name"}))
        fine = log.shown(decision("fine"))
        fine.result(PATIENCE)
        for failed, kind in ((large, EventLogError), (unfit, UnfitError), (never, UnfitError)):
            with pytest.raises(EventLogError) as told:
                failed.result(PATIENCE)
            assert type(told.value) is kind
    assert [record.key for record in read_all(servers, "impressions")] == [b"fine"]
    assert (log.written, log.failed) == (1, 3)


def test_a_log_that_never_reaches_kafka_says_so_and_holds_no_more_than_it_may() -> None:
    with EventLog(f"127.0.0.1:{free_port()}", waiting=3) as log:
        sent = [log.feedback("i", "click") for _ in range(5)]
        for one in sent[3:]:
            with pytest.raises(EventLogError, match="is it away"):
                one.result(0)
        log.close(seconds=0.1)
    for one in sent[:3]:
        with pytest.raises(EventLogError, match="before Kafka could be reached"):
            one.result(0)
    with pytest.raises(EventLogError, match="closed"):
        log.feedback("i", "click").result(0)


@pytest.mark.parametrize(
    "made", [lambda **wrong: EventLog("x:1", **wrong), lambda **wrong: Policies("x:1", "m", **wrong)]
)
def test_a_misspelt_argument_is_told_at_once(made: Any) -> None:
    with pytest.raises(TypeError, match="did you mean 'security_protocol'"):
        made(security_protocoll="SSL")


def test_asyncio_may_wait_for_it(servers: str) -> None:
    async def request() -> str:
        with EventLog(servers) as log:
            await log.shown(decision("a"))
            await log.feedback("a", "click")
        return "done"

    assert asyncio.run(request()) == "done"
    assert len(read_all(servers, "feedback")) == 1


def test_a_model_of_another_name_is_told(servers: str) -> None:
    publish(servers, 3)
    with Policies(servers, "fed") as policies:
        assert policies.wait(PATIENCE)
        assert policies.following.up_to_date
        assert "no policy of the model 'fed', but of 'feed'" in (policies.following.problem or "")
        assert policies.decide({}, ACTIONS).basis == "uniform"


def test_arguments_that_kafka_python_refuses_later_end_no_log_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "groundswell"):
        log = EventLog(f"127.0.0.1:{free_port()}", acks="some")
        waiting = log.feedback("i", "click")
        until(lambda: "Kafka cannot be reached" in caplog.text, "the warning")
        log.close(seconds=0.1)
    assert "Kafka cannot be reached" in caplog.text
    with pytest.raises(EventLogError):
        waiting.result(0)


def test_after_a_message_that_expired_others_are_written(tmp_path: Path) -> None:
    """A broker that stands still and goes on, as a machine does that is paused."""
    with EmbeddedBroker(tmp_path / "broker") as broker:
        servers, pid = with_topics(broker.bootstrap_servers), broker.pid
        assert pid is not None
        with EventLog(servers, request_timeout_ms=500, delivery_timeout_ms=2_000) as log:
            until(lambda: log.feedback("i1", "click").exception(PATIENCE) is None, "the first message")
            os.kill(pid, signal.SIGSTOP)
            try:
                os.waitid(os.P_PID, pid, os.WSTOPPED)
                assert isinstance(log.feedback("i1", "click").exception(PATIENCE), EventLogError)
            finally:
                os.kill(pid, signal.SIGCONT)
            until(lambda: log.feedback("i1", "click").exception(PATIENCE) is None, "a message after it")
