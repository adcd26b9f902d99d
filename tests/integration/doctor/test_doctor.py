"""`groundswell doctor` against a broker: nothing there, all well, and one thing wrong at a time."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from typer.testing import CliRunner

from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.embedded_broker import EmbeddedBroker, free_port
from groundswell.policy import encode as encode_policy
from processors.learners.learner_choice import learner_for
from state.learner_checkpoints import CHECKPOINT_KEY, Checkpoint, Publication
from state.learner_checkpoints import encode as encode_checkpoint
from streams.cli import cli
from streams.doctor.examination import examine
from streams.doctor.findings import Finding
from streams.settings import Settings
from streams.worker.outputs import contract_partition
from tests.factories import encode, feedback, impression, models
from tests.integration.workers import TOPICS, Apps, with_topics
from tests.unit.rounds import uniform_log

MODELS = {"feed": {"definitely_negative": ["dislike"]}}


def settings(servers: str, **changes: Any) -> Settings:
    return Settings.model_validate({"kafka": {"bootstrap_servers": servers}, "models": MODELS, **changes})


def examined(servers: str, **changes: Any) -> dict[str, Finding]:
    return {one.check: one for one in examine(settings(servers, **changes))}


@pytest.fixture
def apps(servers: str) -> Iterator[Apps]:
    apps = Apps(servers)
    yield apps
    apps.close()


def test_where_nobody_answers_nothing_more_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.doctor.examination.PATIENCE_OF_A_READER", 0.1)
    found = examined(f"127.0.0.1:{free_port()}")
    assert list(found) == ["security", "broker"]
    assert found["broker"].status == "fail"
    assert "KAFKA_BOOTSTRAP_SERVERS" in found["broker"].remedy


def test_missing_topics_are_named_with_the_command_that_makes_them(broker: str) -> None:
    found = examined(broker)
    missing = {check for check, one in found.items() if one.status == "fail"}
    assert missing >= {"topic impressions", "topic groundswell-pending-changelog", "topic checkpoints"}
    assert all("topics create" in found[check].remedy for check in missing)


def test_a_cluster_that_works_is_found_well(servers: str, apps: Apps) -> None:
    now = round(time.time() * 1000)
    for number in range(20):
        apps.send("impressions", impression(f"i{number}", now))
        apps.send("feedback", feedback(f"i{number}", now + 1))
    learner = learner_for(models("feed")["feed"])
    learner.learn(uniform_log(50))
    publications = {"feed": Publication(500, version=50)}
    checkpoint = encode_checkpoint(Checkpoint(0, {"floors": {}, "seen": {}}, {"feed": learner.state()}, publications))
    partition = contract_partition(b"feed", TOPICS.interaction_partitions)
    apps.send_bytes(TOPICS.checkpoints, CHECKPOINT_KEY, checkpoint, partition=partition)
    apps.send_bytes(TOPICS.policies, b"feed", encode_policy(learner.snapshot(None)), partition=0)
    apps.flush()
    found = examined(servers)
    # No worker runs, but what was sent just now need not have been read.
    assert {check for check, one in found.items() if one.status != "pass"} == {"group groundswell"}
    assert "version 50" in found["policy of feed"].seen
    assert "feed up to interaction 0" in found[f"checkpoint {partition}"].seen
    assert "last 20 are valid" in found["messages of impressions"].seen
    assert "20 records are not read" in found["lag on feedback"].seen


@pytest.mark.kafka
def test_a_fresh_cluster_of_apache_kafka_is_found_well(tmp_path: Path) -> None:
    with ApacheKafka(tmp_path / "kafka") as kafka:
        servers = with_topics(kafka.bootstrap_servers)
        apps, now = Apps(servers), round(time.time() * 1000)
        apps.send("impressions", impression("i", now))
        apps.send("feedback", feedback("i", now + 1))
        apps.flush()
        apps.close()
        found = examined(servers)
    assert {check: one.seen for check, one in found.items() if one.status != "pass"} == {
        "group groundswell": "no worker runs",
        "policy of feed": "none has been published",
    }
    assert found["retention of impressions"].seen == "7 days"


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_whatever_apps_compress_with_is_read(servers: str, codec: str) -> None:
    now = round(time.time() * 1000)
    with closing(KafkaProducer(bootstrap_servers=servers, compression_type=codec)) as producer:
        for number in range(50):
            producer.send("impressions", key=f"i{number}".encode(), value=encode(impression(f"i{number}", now)))
        producer.flush()
    assert "last 50 are valid" in examined(servers)["messages of impressions"].seen


def test_reading_needs_no_package_for_development() -> None:
    needed = {re.split(r"[<>=; ]", one)[0] for one in requires("groundswell-worker") or () if "extra ==" not in one}
    assert {"cramjam", "zstandard", "lz4", "python-snappy"} <= needed


def test_the_join_is_looked_at(servers: str, apps: Apps) -> None:
    now = round(time.time() * 1000)
    apps.send("impressions", impression("i", now))
    apps.flush()
    found = examined(servers)["join"]
    assert found.status == "pass"
    assert "1 impression waits for feedback, the first until" in found.seen
    for answers in ([], [feedback("i", now)]):
        interaction = {"schema_version": 1, "impression": impression("i", now), "feedback": answers}
        apps.send_bytes(TOPICS.interactions, b"feed", encode(interaction), partition=0)
    apps.flush()
    for number in range(9):
        headers = [("reason", b"late")]
        apps.send_bytes(TOPICS.late_feedback, b"x", b"{}", partition=number % TOPICS.event_partitions, headers=headers)
    apps.flush()
    found = examined(servers)["join"]
    assert found.status == "warn"
    assert "1 of the last 2 interactions with feedback" in found.seen
    assert "late 9" in found.seen
    assert "join.wait" in found.remedy


def test_feedback_that_went_aside_before_its_windows_closed_has_not_come_to_nothing_unsaid(
    servers: str, apps: Apps
) -> None:
    now = round(time.time() * 1000)
    for number in range(9):
        headers = [("reason", b"late")]
        name = f"i{number}".encode()
        apps.send_bytes(TOPICS.late_feedback, name, b"{}", partition=number % TOPICS.event_partitions, headers=headers)
        apps.send("impressions", impression(f"i{number}", now - 5 * 3_600_000))
        apps.send("feedback", feedback(f"i{number}", now))
    apps.flush()
    time.sleep(0.01)  # what comes next is logged later
    for number in range(8):
        interaction = {"schema_version": 1, "impression": impression(f"i{number}", now), "feedback": []}
        apps.send_bytes(TOPICS.interactions, b"feed", encode(interaction), partition=0)
    apps.flush()
    found = examined(servers)
    assert found["join"].status == "fail"
    assert "8 pieces of feedback joined no impression: late 8" in found["join"].seen
    assert "see the event times of impressions (about 5 h behind, as local time is" in found["join"].remedy
    assert "9 of 9 messages were logged long after" in found["clocks of producers of impressions"].seen


def test_what_was_replayed_does_not_wait(servers: str, apps: Apps) -> None:
    now, long_ago = round(time.time() * 1000), round(time.time() * 1000) - 86_400_000
    for number in range(20):
        apps.send("impressions", impression(f"old{number}", long_ago))
    for partition in range(TOPICS.event_partitions):
        mark = {"schema_version": 1, "watermark": long_ago}
        apps.send_bytes(TOPICS.impressions, None, encode(mark), partition=partition)
    apps.flush()
    assert "no interaction yet; 0 impressions wait for feedback (" in examined(servers)["join"].seen
    apps.send("impressions", impression("new", now))
    apps.flush()
    assert "1 impression waits for feedback, the first until" in examined(servers)["join"].seen


def test_what_producers_do_wrong_is_told(servers: str, apps: Apps) -> None:
    now = round(time.time() * 1000)
    for number in range(10):
        name = f"i{number}"
        wrong = (contract_partition(name.encode(), TOPICS.event_partitions) + 1) % TOPICS.event_partitions
        apps.send("impressions", impression(name, now + 30_000), partition=wrong)
        apps.send("feedback", {**feedback(name, now + 3_600_000), "schema_version": 2 if number < 5 else 1})
    apps.send_bytes("feedback", b"i0", b"{")
    apps.flush()
    found = examined(servers)
    assert found["messages of impressions"].status == "fail"
    assert "murmur2" in found["messages of impressions"].remedy
    assert found["clocks of producers of impressions"].status == "warn"
    assert found["messages of feedback"].status == "fail"
    assert "schema 5, from_the_future 5, not_json 1" in found["messages of feedback"].seen
    assert found["clocks of producers of feedback"].status == "fail"


@pytest.mark.parametrize("unit", [1e-3, 1e3, 1e6])
def test_times_in_another_unit_are_told_as_such_and_blame_no_clock(servers: str, apps: Apps, unit: float) -> None:
    now = round(time.time() * 1000)
    for number in range(10):
        apps.send("impressions", impression(f"i{number}", round(now * unit)))
    apps.flush()
    found = examined(servers)
    assert found["messages of impressions"].status == "fail"
    assert "milliseconds" in found["messages of impressions"].seen
    assert "clocks of producers of impressions" not in found


def test_shares_that_are_not_those_logged_and_texts_that_pass_are_told(servers: str, apps: Apps) -> None:
    now = round(time.time() * 1000)
    for number in range(200):
        context = {"user": f"u{number % 5}", "request_id": f"r{number}"}
        apps.send("impressions", impression(f"i{number}", now, chosen=0, context=context))
    apps.flush()
    found = examined(servers)
    assert [found[f"{one} of feed"].status for one in ("shares", "texts")] == ["warn", "warn"]


def test_without_a_configuration_it_asks_for_it_and_blames_no_message(servers: str, apps: Apps) -> None:
    apps.send("impressions", impression("i0", round(time.time() * 1000)))
    apps.flush()
    found = examined(servers, models={})
    assert "--config" in found["models"].remedy
    assert not [one for one in found.values() if one.status == "fail"]


def test_actions_that_are_new_with_every_impression_are_told(servers: str, apps: Apps) -> None:
    now = round(time.time() * 1000)
    for number in range(200):
        actions = [{"id": f"{number}-{one}"} for one in range(3)]
        apps.send("impressions", impression(f"i{number}", now, actions=actions))
    apps.flush()
    found = examined(servers)["action ids of feed"]
    assert (found.status, "600 of 600" in found.seen) == ("warn", True)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (b"nonsense", "not a checkpoint"),
        (b'{"kind":"chunked","slot":0,"chunks":2,"sha256":"x"}', "not a manifest of chunks"),
        (b'{"kind":"chunked","slot":0,"chunks":2,"sha256":"' + b"0" * 64 + b'"}', "not complete"),
    ],
)
def test_a_checkpoint_that_no_worker_could_use_fails(servers: str, apps: Apps, value: bytes, word: str) -> None:
    apps.send_bytes(TOPICS.checkpoints, CHECKPOINT_KEY, value, partition=1)
    apps.flush()
    found = examined(servers)["checkpoint 1"]
    assert (found.status, word in found.seen) == ("fail", True), found


def test_a_checkpoint_of_another_configuration_fails(servers: str, apps: Apps) -> None:
    state = learner_for(models("feed")["feed"]).state()
    value = encode_checkpoint(Checkpoint(0, {}, {"feed": state}, {"feed": Publication(500)}))
    apps.send_bytes(TOPICS.checkpoints, CHECKPOINT_KEY, value, partition=1)
    apps.flush()
    changed = {"feed": {"definitely_negative": ["dislike", "report"]}}
    found = examined(servers, models=changed)["checkpoint 1"]
    assert found.status == "fail"
    assert "another configuration" in found.seen
    assert examined(servers)["checkpoint 1"].status == "pass"


def test_a_checkpoint_that_has_read_more_interactions_than_there_are_fails(servers: str, apps: Apps) -> None:
    value = encode_checkpoint(Checkpoint(7, {"floors": {}, "seen": {}}, {}, {}))
    apps.send_bytes(TOPICS.checkpoints, CHECKPOINT_KEY, value, partition=1)
    apps.flush()
    found = examined(servers)[f"log of {TOPICS.interactions}"]
    assert (found.status, "[1] ends at 0 and was read up to 7" in found.seen) == ("fail", True), found
    assert "groundswell adopt-topics" in found.remedy


def test_a_damaged_policy_fails(servers: str, apps: Apps) -> None:
    snapshot = encode_policy(learner_for(models("feed")["feed"]).snapshot(None))
    apps.send_bytes(TOPICS.policies, b"feed", snapshot.replace(b'"version":0', b'"version":7'), partition=0)
    apps.flush()
    assert examined(servers)["policy of feed"].status == "fail"


def test_topics_made_by_hand_are_looked_at(broker: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker)
    layout = {"cleanup.policy": "compact"}
    admin.create_topics([NewTopic(TOPICS.impressions, TOPICS.event_partitions, 1, topic_configs=layout)])
    admin.create_topics([NewTopic(TOPICS.feedback, TOPICS.event_partitions + 1, 1)])
    admin.close()
    found = examined(broker)
    assert found["layout of impressions"].status == "fail"
    assert found["topic feedback"].status == "fail"
    assert "layout of feedback" not in found


def test_scripts_go_by_the_exit_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "groundswell.toml"
    config.write_text('[models.feed]\ndefinitely_negative = ["dislike"]\n')
    with EmbeddedBroker(tmp_path / "broker") as running:
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", running.bootstrap_servers)
        unwell = CliRunner().invoke(cli, ["doctor", "--config", str(config), "--json"])
        assert unwell.exit_code == 1
        assert json.loads(unwell.stdout)["well"] is False
        with_topics(running.bootstrap_servers)
        well = CliRunner().invoke(cli, ["doctor", "--config", str(config)])
    assert well.exit_code == 0, well.stdout
    assert "pass broker: " in well.stdout
    assert "warn messages of impressions: there are none" in well.stdout


def test_messages_are_never_quoted(servers: str, apps: Apps) -> None:
    apps.send_bytes("impressions", b"i", encode({"schema_version": 1, "note": "private-note"}))
    apps.flush()
    assert "private-note" not in "".join(f"{one.seen}{one.remedy}" for one in examined(servers).values())
