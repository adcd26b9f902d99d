"""Replaying a log into a broker: what an independent consumer finds on the topics."""

from __future__ import annotations

import io
import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.partitioner.default import murmur2
from rich.console import Console
from typer.testing import CliRunner

from groundswell.events import Feedback, Impression, Watermark
from processors.models.config import ModelConfig
from streams.cli import cli
from streams.kafka.acknowledged_producer import AcknowledgedProducer, SendError
from streams.replay.dsjson import DsjsonMapping
from streams.replay.examination import ReplayError
from streams.replay.mapping import Mapping, MappingError
from streams.replay.mapping_file import load_mapping, mapping_path
from streams.replay.newest_events import newest_events
from streams.replay.replay import replay
from streams.replay.standards import Standards
from streams.replay.summary import ReplaySummary
from streams.settings import KafkaSettings
from tests.real_logs import real_log

PARTITIONS = 4
HOUR = 3_600_000
CONFIGURATION = f"""
[topics]
event_partitions = {PARTITIONS}
[join]
wait = 600
[models.news]
definitely_negative = ["dislike"]
"""
MAPPING = """
model = "news"
impression_id = "request"
propensity = "p"
occurred_at = { column = "at", unit = "s" }
action = { column = "article" }
[[feedback]]
signal = "click"
column = "clicked"
delay_ms = 2_500
"""


@pytest.fixture
def topics(broker: str) -> str:
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in ("impressions", "feedback")])
    admin.close()
    return broker


def replayed(path: Path, mapping: Mapping | DsjsonMapping, servers: str, **options: Any) -> ReplaySummary:
    return replay(
        path,
        mapping,
        bootstrap_servers=servers,
        impressions_topic="impressions",
        feedback_topic="feedback",
        console=Console(file=io.StringIO()),
        **{"speed": None, "limit": None, **options},
    )


def records(topic: str, servers: str) -> Iterator[Any]:
    """Yield everything on the topic, partition by partition."""
    consumer = KafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest", consumer_timeout_ms=30_000)
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    ends = consumer.end_offsets(partitions)
    for partition in partitions:
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        for record in consumer:
            yield record
            if record.offset + 1 == ends[partition]:
                break
    consumer.close()


@pytest.fixture
def small_log(tmp_path: Path) -> tuple[Path, Mapping]:
    lines = ["request,at,article,p,clicked,disliked"]
    lines += [f"r{n},{1_700_000_000 + n},{'abc'[n % 3]},0.5,{n % 2},{int(n % 5 == 0)}" for n in range(200)]
    log = tmp_path / "log.csv"
    log.write_text("\n".join(lines))
    mapping = Mapping.model_validate(
        {
            "model": "news",
            "impression_id": "request",
            "occurred_at": {"column": "at", "unit": "s"},
            "action": {"column": "article"},
            "propensity": "p",
            "feedback": [
                {"signal": "click", "column": "clicked", "delay_ms": 2_500},
                {"signal": "dislike", "column": "disliked", "delay_ms": 500},
            ],
        }
    )
    return log, mapping


def test_everything_arrives_once_by_the_wire_contract_and_in_event_time_order(
    topics: str, small_log: tuple[Path, Mapping]
) -> None:
    summary = replayed(*small_log, topics)
    assert (summary.rows, summary.impressions, summary.feedback) == (200, 200, {"click": 100, "dislike": 40})
    found: dict[str, list[Any]] = {"impressions": [], "feedback": []}
    kinds: dict[str, type[Impression | Feedback]] = {"impressions": Impression, "feedback": Feedback}
    for topic, kind in kinds.items():
        newest = dict.fromkeys(range(PARTITIONS), 0)
        promised: dict[int, int] = {}
        for record in records(topic, topics):
            assert record.partition not in promised, "the end of input is the last message of its partition"
            if record.key is None:
                promised[record.partition] = msgspec.json.decode(record.value, type=Watermark).watermark
                continue
            message: Impression | Feedback = msgspec.json.decode(record.value, type=kind)
            assert record.key == message.impression_id.encode()
            assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % PARTITIONS
            assert message.occurred_at >= newest[record.partition]
            newest[record.partition] = message.occurred_at
            found[topic].append(message)
        last = (1_700_000_000 + 199) * 1_000 + 2_500
        assert promised == dict.fromkeys(range(PARTITIONS), last + HOUR)
        assert summary.watermark == last + HOUR
    assert {i.impression_id for i in found["impressions"]} == {f"r{n}" for n in range(200)}
    assert Counter(f.signal for f in found["feedback"]) == {"click": 100, "dislike": 40}
    assert len({f.feedback_id for f in found["feedback"]}) == 140


def test_a_limit_replays_the_first_rows_and_still_marks_the_end(topics: str, small_log: tuple[Path, Mapping]) -> None:
    summary = replayed(*small_log, topics, limit=7, watermark_margin_ms=10)
    assert (summary.rows, summary.impressions) == (200, 7)
    keys = [record.key for record in records("impressions", topics)]
    assert sorted(key for key in keys if key is not None) == [f"r{n}".encode() for n in range(7)]
    assert keys.count(None) == PARTITIONS


def test_a_check_reads_everything_and_sends_nothing(topics: str, small_log: tuple[Path, Mapping]) -> None:
    summary = replayed(*small_log, topics, check=True)
    assert (summary.impressions, summary.feedback) == (200, {"click": 100, "dislike": 40})
    assert summary.watermark is None
    assert not newest_offsets(topics)


def newest_offsets(servers: str) -> dict[str, int]:
    """Return how many records each topic has, of those that have any."""
    consumer = KafkaConsumer(bootstrap_servers=servers)
    partitions = [TopicPartition(topic, n) for topic in ("impressions", "feedback") for n in range(PARTITIONS)]
    ends = consumer.end_offsets(partitions)
    consumer.close()
    return {f"{at.topic} {at.partition}": end for at, end in ends.items() if end}


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("r200,1700000201,a,0.5,0", r"log\.csv, line 202: columns: 5 values, expected 6"),
        ("r200,1700000201,a,1.5,0,0", r"log\.csv, line 202: propensity"),
        ("r200,4000000000,a,0.5,0,0", r"log\.csv, line 202: occurred_at: 2096-.* lies in the future"),
    ],
)
def test_nothing_is_sent_of_a_log_with_a_row_that_is_wrong(
    topics: str, small_log: tuple[Path, Mapping], row: str, complaint: str
) -> None:
    log, mapping = small_log
    log.write_text(f"{log.read_text()}\n{row}\n")
    with pytest.raises(ReplayError, match=complaint) as refused:
        replayed(log, mapping, topics)
    assert "1 row is wrong, so nothing was sent" in str(refused.value)
    assert "201 rows = 200 impressions + 0 repeated + 1 left out" in str(refused.value)
    assert not newest_offsets(topics)


def test_rows_that_are_wrong_are_left_out_on_request(topics: str, small_log: tuple[Path, Mapping]) -> None:
    log, mapping = small_log
    log.write_text(f"{log.read_text()}\nr200,1700000201,a,1.5,0,0\n")
    summary = replayed(log, mapping.model_copy(update={"bad_rows": "skip"}), topics)
    assert (summary.rows, summary.impressions, summary.refused) == (201, 200, {"propensity": 1})
    keys = [record.key for record in records("impressions", topics) if record.key is not None]
    assert len(keys) == 200


@pytest.mark.parametrize("topic", ["impressions", "feedback"])
@pytest.mark.parametrize(
    ("there", "late_after_s", "sent"),
    [
        ([{"occurred_at": 1_700_000_700_000}, {"occurred_at": 1_600_000_000_000}], 600, False),
        ([{"occurred_at": 1_700_000_599_999}], 600, True),
        ([{"watermark": 1_700_000_600_000}], 600, False),
        ([{"occurred_at": 1_500_000_000_000}], 0, True),
        ([{"nothing": "of a time"}], 0, True),
    ],
    ids=["newer", "newer by less than the wait and the grace", "an end of input", "older", "garbage"],
)
def test_nothing_is_sent_behind_newer_events_unless_asked_to(
    topics: str, small_log: tuple[Path, Mapping], topic: str, there: list[Any], late_after_s: int, sent: bool
) -> None:
    producer = KafkaProducer(bootstrap_servers=topics)
    for one in there:
        producer.send(topic, msgspec.json.encode(one), partition=2)
    producer.close()
    looking: dict[str, Any] = {
        "newest_there": partial(newest_events, KafkaSettings(bootstrap_servers=topics)),
        "late_after_ms": 1000 * late_after_s,
    }
    if not sent:
        with pytest.raises(ReplayError, match=r"nothing was sent: the topics already hold events .*--anyway"):
            replayed(*small_log, topics, **looking)
        looking = {}
    assert replayed(*small_log, topics, **looking).impressions == 200


def test_a_model_that_is_not_configured_is_refused(topics: str, small_log: tuple[Path, Mapping]) -> None:
    standards = Standards({"shop": ModelConfig(name="shop", definitely_negative=frozenset({"dislike"}))})
    with pytest.raises(MappingError, match="the configuration has no model 'news'"):
        replayed(*small_log, topics, standards=standards)
    assert not newest_offsets(topics)


def test_a_missing_topic_is_named(broker: str, small_log: tuple[Path, Mapping]) -> None:
    with pytest.raises(SendError, match=r"no topic 'impressions'.*groundswell topics create"):
        replayed(*small_log, broker)


@pytest.mark.timeout(300)
def test_kuairand_arrives_with_the_counts_of_its_file(topics: str) -> None:
    log = real_log("kuairand_pure/processed_splits_val.parquet")
    summary = replayed(log, load_mapping(mapping_path("kuairand-pure")), topics)
    shown: Counter[str] = Counter()
    identifiers = set()
    for record in records("impressions", topics):
        if record.key is not None:
            impression = msgspec.json.decode(record.value, type=Impression)
            shown[impression.actions[impression.chosen].id] += 1
            identifiers.add(impression.impression_id)
    signals = Counter(
        msgspec.json.decode(record.value, type=Feedback).signal
        for record in records("feedback", topics)
        if record.key is not None
    )
    assert len(identifiers) == summary.impressions == shown.total() == 91_805
    assert shown == summary.actions
    assert signals == summary.feedback


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_one_that_is_interrupted_says_what_was_sent_and_what_to_do(
    number: int,
    status: int,
    topics: str,
    small_log: tuple[Path, Mapping],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []
    send = AcknowledgedProducer.send

    def interrupted(self: AcknowledgedProducer, topic: str, value: bytes | None, **options: Any) -> None:
        if len(sent) == 20:
            signal.raise_signal(number)
        send(self, topic, value, **options)
        sent.append(topic)

    monkeypatch.setattr(AcknowledgedProducer, "send", interrupted)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", topics)
    (tmp_path / "groundswell.toml").write_text(CONFIGURATION)
    (tmp_path / "mapping.toml").write_text(MAPPING)
    files = [str(small_log[0]), "--mapping", str(tmp_path / "mapping.toml"), "-c", str(tmp_path / "groundswell.toml")]
    before = signal.getsignal(signal.SIGTERM)
    ended = CliRunner().invoke(cli, ["replay", *files])
    assert (ended.exit_code, signal.getsignal(signal.SIGTERM)) == (status, before), ended.output
    impressions = sent.count("impressions")
    assert f"interrupted: {impressions} of 200 impressions and {20 - impressions} pieces of feedback" in ended.output
    assert "no end of input was acknowledged" in ended.output
    assert "Start over on fresh topics" in ended.output
    monkeypatch.setattr(AcknowledgedProducer, "send", send)
    again = CliRunner().invoke(cli, ["replay", *files])
    assert again.exit_code == 0, again.output
    assert "look at this: the topics held events" in again.output
