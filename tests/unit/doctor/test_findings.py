"""What the doctor makes of what it sees: tables of cases, each with the word it ends in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from groundswell.controls import Control, decode
from processors.join.config import JoinConfig
from streams.doctor import findings
from streams.doctor.findings import DAY_MS, Finding, Unread, failed, passed, warned
from streams.kafka.topics import TopicLayout
from streams.observing.conditions import PROPENSITY_ONE
from streams.settings import KafkaSettings

PASS, WARN, FAIL = "pass", "warn", "fail"
KEPT = {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"}
LOG = TopicLayout("impressions", 2, {**KEPT, "retention.ms": str(7 * DAY_MS)})
COMPACTED = TopicLayout("policies", 2, {"cleanup.policy": "compact"})
HOUR_MS = 3_600_000
ALTER = "`kafka-configs --alter --entity-type topics --entity-name"


def check(finding: Finding, expected: str, word: str) -> None:
    """What is not well says what to do; the word is in what it says."""
    assert finding.status == expected, finding
    assert word in f"{finding.seen} {finding.remedy}", finding
    assert bool(finding.remedy) == (expected != PASS), finding


@pytest.mark.parametrize(
    ("settings", "expected", "word"),
    [
        ({"bootstrap_servers": "127.0.0.1:9092, localhost:9093,[::1]:9094"}, PASS, "this machine only"),
        ({"bootstrap_servers": "kafka.example:9092"}, WARN, "SASL_SSL"),
        ({"bootstrap_servers": "127.0.0.1:9092,10.0.0.7:9092"}, WARN, "read everything"),
        ({"bootstrap_servers": "kafka.example:9092", "security_protocol": "SSL"}, PASS, "SSL"),
        ({"security_protocol": "SSL", "check_hostname": False}, WARN, "name"),
    ],
)
def test_security(settings: dict[str, Any], expected: str, word: str) -> None:
    check(findings.of_security(KafkaSettings(**settings)), expected, word)


OURS = ["dead-letter", "feedback", "impressions", "policies"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("impression", "impressions"),
        ("Impressions", "impressions"),
        ("feedbacks", "feedback"),
        ("impressions", None),
        ("impressions2", None),
        ("shop-impressions", None),
        ("clicks", None),
    ],
)
def test_a_topic_that_a_producer_misspelt_is_told(name: str, meant: str | None) -> None:
    found = list(findings.misspelt_topics(sorted([*OURS, name]), OURS, ["impressions", "feedback"]))
    assert [one.check for one in found] == ([] if meant is None else [f"topic {name}"])
    for one in found:
        check(one, WARN, f"is there beside {meant}")
        assert "delete" not in one.remedy  # somebody else may read it


def test_the_topics_of_another_installation_are_not_taken_for_misspelt_ones() -> None:
    ours = [f"shop-{name}" for name in OURS]
    names = sorted([*ours, *(f"shops-{name}" for name in OURS)])
    assert list(findings.misspelt_topics(names, ours, ["shop-impressions", "shop-feedback"])) == []


def control(**changes: Any) -> Control:
    given = {"schema_version": 1, "model": "feed", "version": 3, "mode": "online", "by": "ann", "at": 5, "why": "so"}
    return decode(json.dumps({**given, **changes}).encode())


@pytest.mark.parametrize(
    ("given", "pinned", "refused", "expected", "word"),
    [
        (None, None, 0, PASS, "newest policy decides"),
        (control(), None, 0, PASS, "online since version 3, by ann: so"),
        (control(mode="frozen", policy_version=7), 7, 0, PASS, "frozen"),
        (control(mode="frozen", policy_version=7), 8, 0, FAIL, "control set"),
        (control(mode="frozen", policy_version=7), None, 0, FAIL, "version 7 is not beside it"),
        (control(), 8, 2, WARN, "2 records are passed over"),
        (None, None, 1, WARN, "1 record is passed over"),
    ],
)
def test_controls(given: Control | None, pinned: int | None, refused: int, expected: str, word: str) -> None:
    check(findings.of_control("feed", given, pinned, refused), expected, word)


def test_controls_that_are_passed_over_are_told_with_the_command_that_writes_one() -> None:
    remedy = findings.of_control("feed", None, None, 1).remedy
    assert "`groundswell control set feed --mode MODE --why WHY`" in remedy
    assert "update groundswell" in remedy


def test_without_a_topic_of_controls_all_else_works() -> None:
    check(findings.without_controls("controls"), WARN, "topics create")


def partition(leader: int = 1, replicas: int = 1, in_sync: int | None = None) -> dict[str, Any]:
    synced = replicas if in_sync is None else in_sync
    return {"leader_id": leader, "replica_nodes": [*range(replicas)], "isr_nodes": [*range(synced)]}


@pytest.mark.parametrize(
    ("described", "replication", "expected", "word"),
    [
        ([], 1, FAIL, "topics create"),
        ([partition()], 1, FAIL, "1 partition, expected 2"),
        ([partition(), partition(leader=-1)], 1, FAIL, "leader"),
        ([partition(replicas=3), partition(replicas=3, in_sync=2)], 3, WARN, "behind"),
        ([partition(), partition()], 3, WARN, "1 copy, kafka.replication is 3"),
        ([partition(replicas=3), partition(replicas=3)], 3, PASS, "3 copies"),
    ],
)
def test_topics(described: list[dict[str, Any]], replication: int, expected: str, word: str) -> None:
    check(findings.of_topic(LOG, {"partitions": described}, replication), expected, word)


@pytest.mark.parametrize(
    ("layout", "config", "expected", "word"),
    [
        (LOG, {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"}, PASS, "LogAppendTime"),
        (LOG, {"cleanup.policy": "delete"}, WARN, "CreateTime"),
        (LOG, {"cleanup.policy": "compact"}, FAIL, "replace"),
        (COMPACTED, {"cleanup.policy": "compact"}, PASS, "compact"),
        (LOG, {"cleanup.policy": "compact,delete"}, FAIL, "replace"),
        (COMPACTED, {"retention.ms": "-1"}, FAIL, "pile up"),
        (COMPACTED, {"cleanup.policy": "compact,delete"}, FAIL, "deleted by age"),
        (COMPACTED, {}, PASS, ""),
        (COMPACTED, {"cleanup.policy": "compact", "max.message.bytes": "1048588"}, PASS, "compact"),
        (
            COMPACTED,
            {"cleanup.policy": "compact", "max.message.bytes": "1000"},
            WARN,
            f"{ALTER} policies --add-config max.message.bytes=1000000`",
        ),
        (LOG, {**KEPT, "retention.ms": str(HOUR_MS)}, WARN, "60 min, topics.retention_hours says 7 days"),
        (LOG, {**KEPT, "retention.ms": str(8 * DAY_MS)}, PASS, "LogAppendTime"),
        (LOG, {**KEPT, "retention.ms": "-1"}, PASS, "retention.ms -1"),
        (
            LOG,
            {**KEPT, "retention.ms": str(HOUR_MS)},
            WARN,
            f"{ALTER} impressions --add-config retention.ms=604800000`",
        ),
        (LOG, {"cleanup.policy": "compact"}, FAIL, f"{ALTER} impressions --add-config cleanup.policy=delete`"),
        (COMPACTED, {"cleanup.policy": "delete"}, FAIL, f"{ALTER} policies --add-config cleanup.policy=compact`"),
        (LOG, {"cleanup.policy": "delete"}, WARN, f"{ALTER} impressions --add-config message.timestamp.type=LogAppen"),
    ],
)
def test_layouts(layout: TopicLayout, config: dict[str, str], expected: str, word: str) -> None:
    check(findings.of_layout(layout, config), expected, word)


@pytest.mark.parametrize(
    ("config", "expected", "word"),
    [
        ({"retention.ms": "-1"}, PASS, "for ever"),
        ({"retention.ms": str(7 * DAY_MS)}, PASS, "7 days"),
        ({}, PASS, "7 days"),
        ({"retention.ms": str(3 * HOUR_MS)}, FAIL, "waits up to 4"),
        ({"retention.ms": str(6 * HOUR_MS)}, WARN, "away for"),
        ({"retention.ms": str(7 * DAY_MS), "retention.bytes": "1000000"}, WARN, "retention.bytes"),
    ],
)
def test_retention_is_held_against_the_wait(config: dict[str, str], expected: str, word: str) -> None:
    join = JoinConfig(wait=3 * 3600, grace=60, backward=60, activation=3600)
    check(findings.of_retention("impressions", config, join), expected, word)


@pytest.mark.parametrize(
    ("refusals", "misplaced", "expected", "word"),
    [
        ([], 0, WARN, "none"),
        ([None] * 100, 0, PASS, "100"),
        ([None] * 99 + ["schema"], 0, WARN, "schema 1"),
        (["schema"] * 4 + ["bad_propensity"] * 6, 0, FAIL, "bad_propensity 6, schema 4"),
        ([None] * 100, 75, FAIL, "murmur2"),
        ([None] * 9 + ["schema"], 0, WARN, "1 of the last 10 is refused: schema 1"),
        ([None, "schema"], 0, WARN, "schema 1"),
        (["schema"], 0, FAIL, "1 of the last 1 is refused"),
        ([None] * 10, 1, WARN, "of 10, 1 lies on another partition"),
        ([None] * 8 + ["schema"] * 2, 0, FAIL, "schema 2"),
    ],
)
def test_samples(refusals: list[str | None], misplaced: int, expected: str, word: str) -> None:
    check(findings.of_sample("impressions", refusals, misplaced), expected, word)


def test_what_is_refused_comes_with_an_example_and_the_command_that_shows_more() -> None:
    found = findings.of_sample("impressions", [None, "schema"], 0, "impressions[2]@17, `chosen` is 5 of 3 actions")
    assert "For example impressions[2]@17, `chosen` is 5 of 3 actions" in found.seen
    assert "`groundswell dead-letters`" in found.remedy


@pytest.mark.parametrize(
    ("delays", "stamped", "expected", "word"),
    [
        ([20, 50, 90_000], True, PASS, "50 ms"),
        ([20, -900, 50], True, PASS, "median"),
        ([20, -5_000, 50], True, WARN, "5 s ahead"),
        ([20, -90_001, 50], True, WARN, "1 of 3 messages up to 90 s ahead"),
        ([50] * 799 + [-2_080_000 * 86_400_000], True, WARN, "1 of 800 messages up to 2,080,000 days ahead"),
        ([20, -90_001, -90_001], True, FAIL, "refused"),
        ([-90_001], True, FAIL, "refused"),
        ([HOUR_MS * 5, HOUR_MS * 3], True, WARN, "3 h after"),
        ([0], False, WARN, "LogAppendTime"),
        (
            [5 * HOUR_MS + 40] * 3,
            True,
            WARN,
            "3 of 3 messages were logged long after their event time, about 5 h behind",
        ),
        ([5 * HOUR_MS + 40] * 3, True, WARN, "in UTC; a date without its zone is local time"),
        ([20] * 90 + [HOUR_MS * 9 // 2 + 900] * 10, True, WARN, "10 of 100 messages were logged long after"),
        ([20] * 90 + [HOUR_MS * 9 // 2 + 900] * 10, True, WARN, "about 4.5 h behind, as local time is"),
        ([20] * 99 + [5 * HOUR_MS], True, PASS, "median"),
        ([20] * 50 + [HOUR_MS + 173_000 * number for number in range(50)], True, PASS, "median"),
        ([-2 * HOUR_MS + 300] * 20, True, FAIL, "about 2 h ahead, as local time is that was written for UTC"),
        ([-2 * HOUR_MS + 300] * 20, True, FAIL, "write `occurred_at` in milliseconds since 1970 in UTC"),
    ],
)
def test_clocks(delays: list[int], stamped: bool, expected: str, word: str) -> None:
    check(findings.of_clocks("impressions", delays, 90_000, broker_stamps=stamped), expected, word)


@pytest.mark.parametrize(
    ("partitions", "retention", "expected", "word"),
    [
        ([Unread(0, 5, 20, 20), Unread(1, 0, None, 0)], DAY_MS, PASS, "everything"),
        ([Unread(0, 5, 10, 20, 500), Unread(1, 0, 8, 8)], DAY_MS, PASS, "10 records"),
        ([Unread(0, 5, None, 20, HOUR_MS)], DAY_MS, WARN, "15 records"),
        ([Unread(0, 5, 10, 20, 13 * HOUR_MS)], DAY_MS, FAIL, "soon"),
        ([Unread(0, 5, 10, 20, 13 * HOUR_MS)], -1, WARN, "13 h"),
        ([Unread(3, 50, 10, 90)], DAY_MS, FAIL, "40 records were deleted"),
        ([Unread(0, 0, None, 0), Unread(1, 0, 9, 4, HOUR_MS)], DAY_MS, WARN, "4 records are not read"),
    ],
)
def test_lag(partitions: list[Unread], retention: int, expected: str, word: str) -> None:
    check(findings.of_lag("impressions", partitions, retention), expected, word)


def test_a_checkpoint_is_too_old_only_where_there_is_something_newer_to_learn() -> None:
    check(findings.of_age("checkpoint 0", "feed", 5 * DAY_MS, 0, 60_000), PASS, "5 days old")
    check(findings.of_age("checkpoint 0", "feed", 5 * DAY_MS, 59_000, 60_000), PASS, "5 days old")
    check(findings.of_age("checkpoint 0", "feed", 70_000, 61_000, 60_000), WARN, "61 s old")


def test_a_group_without_members_is_told() -> None:
    check(findings.of_group("groundswell", 0), WARN, "groundswell worker")
    check(findings.of_group("groundswell", 2), PASS, "2 workers run")


@pytest.mark.parametrize(
    ("found", "well"),
    [
        ([], True),
        ([passed("a", "b"), warned("c", "d", "e")], True),
        ([passed("a", "b"), failed("c", "[bold]d[/]", "e")], False),
    ],
)
def test_scripts_get_all_of_it(found: list[Finding], well: bool) -> None:
    told = json.loads(findings.in_json(found))
    assert told["well"] is well
    assert [one["check"] for one in told["findings"]] == [one.check for one in found]
    for one in found:
        assert findings.in_words(one).plain.startswith(f"{one.status} {one.check}: {one.seen}")
        assert one.remedy in findings.in_words(one).plain


def test_a_log_that_is_another_one_than_is_known_names_the_command() -> None:
    assert findings.of_log("impressions", {}).status == PASS
    found = findings.of_log("impressions", {2: "was made again: its id was a and is b", 3: "…"})
    assert found.status == FAIL
    assert found.seen.startswith("impressions[2] was made again: its id was a and is b (and 1 other")
    assert "groundswell adopt-topics" in found.remedy


def test_propensities_that_cannot_be_right_are_told_with_what_to_do() -> None:
    assert findings.of_propensities("feed", 800, []).status == PASS
    found = findings.of_propensities("feed", 800, [(PROPENSITY_ONE, "every impression …")])
    check(found, WARN, "every impression")
    assert found.remedy == PROPENSITY_ONE.do
