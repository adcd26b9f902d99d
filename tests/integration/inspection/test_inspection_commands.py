"""`groundswell policy` and `groundswell dead-letters` against a broker."""

from __future__ import annotations

import json
import logging

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner

from experiments.servers.embedded_broker import free_port
from groundswell.policy import encode
from streams.cli import cli
from streams.kafka.topic_inspector import TopicInspector
from tests.integration.workers import with_topics
from tests.unit.inspection.test_published_policies import snapshot


@pytest.fixture
def servers(broker: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    return with_topics(broker)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_policy_is_asked_what_it_would_show(servers: str) -> None:
    producer = KafkaProducer(bootstrap_servers=servers)
    for version in (6, 7):
        producer.send("policies", key=b"feed", value=encode(snapshot(version=version)))
    producer.flush()
    assert run("policy", "show").startswith("feed, version 7, published ")
    assert json.loads(run("policy", "show", "--model", "feed", "--json"))["version"] == 7
    told = run("policy", "ask", "--context", "user=ann", "--actions", "a,b,c")
    assert [line.split() for line in told.splitlines()[2:]] == [
        ["a", "10.0%", "+0.000"],
        ["b", "80.0%", "+0.750"],
        ["c", "10.0%", "+0.000"],
    ]
    assert "nothing is known" in run("policy", "ask", "--context", "user=bob", "--actions", "a,b,c")
    asked = json.loads(run("policy", "ask", "--context", "user=ann", "--actions", "a,b", "--json"))
    assert (asked["version"], asked["actions"][1]["score"]) == (7, 0.75)


def test_dead_letters_are_read_by_reason(servers: str) -> None:
    producer = KafkaProducer(bootstrap_servers=servers)
    for reason in ("schema", "model", "schema"):
        producer.send("dead-letter", key=b"i1", value=b"[]", headers=[("reason", reason.encode())])
    producer.send("late-feedback", key=b"i1", value=b"{}", headers=[("reason", b"orphan"), ("lateness_ms", b"7")])
    producer.flush()
    assert "dead-letter: 3 messages in all: schema 2, model 1" in run("dead-letters")
    assert run("dead-letters", "--reason", "model").count("[]") == 1
    assert "there is no reason 'nonsense'; reasons are bad_probabilities," in run(
        "dead-letters", "--reason", "nonsense"
    )
    assert len(json.loads(run("dead-letters", "--json", "-n", "1"))["messages"]) == 1
    assert "orphan: 7 ms late" in run("dead-letters", "--late")


@pytest.mark.parametrize(
    "command", [["policy", "show"], ["policy", "ask", "--actions", "a,b"], ["dead-letters"], ["dead-letters", "--late"]]
)
def test_what_cannot_be_looked_at_is_said_in_a_line(
    command: list[str], broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    without_topics = CliRunner().invoke(cli, command)
    monkeypatch.setattr("streams.kafka.access_check.PATIENCE_OF_A_READER", 0.1)  # nobody is there to answer
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{free_port()}")
    without_broker = CliRunner().invoke(cli, command)
    for result, said in ((without_topics, "topics create"), (without_broker, "no Kafka broker answers")):
        assert result.exit_code == 2, result.output
        assert said in result.output
        assert result.output.count("\n") == 1


def test_what_clients_tell_of_connections_is_not_shown(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def talkative(self: TopicInspector, *topics: str) -> None:
        logging.getLogger("kafka.net.selector").error("Bootstrap connection failed")
        require(self, *topics)

    require = TopicInspector.require
    monkeypatch.setattr(TopicInspector, "require", talkative)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    assert CliRunner().invoke(cli, ["policy", "show"]).output.startswith("groundswell: there is no topic policies")
