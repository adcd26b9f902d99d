"""`groundswell export-dsjson` from the topics, and from a log as `replay` takes it."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner

from streams.command_line import command_group
from streams.replay.command import replay
from streams.replay.export_command import export_dsjson
from tests.factories import encode, feedback, impression
from tests.integration.workers import with_topics

cli = command_group("As installed.")
cli.command("export-dsjson")(export_dsjson)
cli.command("replay")(replay)

CONFIG = """
[models.feed]
definitely_negative = ["dislike"]
"""
LOG = """id,at,user,item,p,signal
1,2025-11-22T10:00:00Z,ann,shoes,0.5,buy
2,2025-11-22T10:00:05Z,bob,shoes,0.5,dislike
3,2025-11-22T10:00:09Z,bob,books,0.5,
"""
MAPPING = """
model = "feed"
impression_id = "id"
occurred_at = { column = "at", unit = "iso" }
action = { column = "item" }
propensity = "p"
context = { user = "user" }
feedback = [{ signal_from = "signal", delay_ms = 1000 }]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "groundswell.toml"
    path.write_text(CONFIG)
    return path


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == status, result.output
    return result.output


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_interactions_are_written_once_with_their_rewards(
    broker: str, monkeypatch: pytest.MonkeyPatch, config: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", with_topics(broker))
    with closing(KafkaProducer(bootstrap_servers=broker)) as producer:

        def send(topic: str, value: bytes) -> None:
            producer.send(topic, key=b"feed", value=value, partition=1)

        for number in (0, 1, 1, 2):
            answers = [feedback(f"i{number}", 1_000)] if number else []
            source = {"partition": 3, "offset": number, "floor": 0, "topic": "t"}
            signals = [one["signal"] for one in answers] or ["none"]
            parts = {"impression": impression(f"i{number}"), "feedback": answers, "signals": signals}
            send("interactions", encode({"schema_version": 1, "source": source, **parts}))
        for number, reward in ((1, 0.75), (1, 0.75), (2, -0.5)):
            source = {"partition": 3, "offset": number, "floor": 0, "topic": "t"}
            judged = {
                "schema_version": 1, "impression_id": f"i{number}", "model": "feed", "occurred_at": 1, "source": source,
                "action": "a", "signal": "x", "state": 1, "reward": reward, "posterior": 0.5, "weight": 1.0,
                "ik_version": 1, "policy_version": 1,
            }  # fmt: skip
            send("rewards", encode(judged))
        send("interactions", b"[")
        producer.flush()
    out = tmp_path / "out.json"
    told = run("export-dsjson", str(out), "--model", "feed", "--config", str(config))
    assert "3 lines written" in told
    assert "1 impression has no reward yet" in told
    found = {line["EventId"]: line for line in lines_of(out)}
    assert {id: line["_label_cost"] for id, line in found.items()} == {"i0": 0.0, "i1": -0.75, "i2": 0.5}
    assert [len(found[id]["o"]) for id in ("i0", "i1", "i2")] == [0, 1, 1]


def test_a_log_is_written_and_read_back_by_the_mapping_beside_it(config: Path, tmp_path: Path) -> None:
    log, mapping, out = tmp_path / "log.csv", tmp_path / "mapping.toml", tmp_path / "out.json.gz"
    log.write_text(LOG)
    mapping.write_text(MAPPING)
    costs = ["--cost", "buy=-1", "--cost", "dislike=2"]
    options = ["--log", str(log), "--mapping", str(mapping), "--config", str(config)]
    told = run("export-dsjson", str(out), *options, *costs)
    assert "3 lines written" in told
    assert "3 impressions had the probability of the shown action alone" in told
    read = ["--mapping", f"{out}.toml", "--config", str(config), "--check"]
    told = run("replay", str(out), *read)
    assert "3 impressions" in " ".join(told.split())
    run("export-dsjson", str(tmp_path / "again.json"), "--log", str(out), *read[:4], *costs)
    again = lines_of(tmp_path / "again.json")
    assert [line["_label_cost"] for line in again] == [-1.0, 2.0, 0.0]
    assert [line["o"] for line in again] == [
        [{"v": {"v=buy": 1}, "_definitely_bad": False}],
        [{"v": {"v=dislike": 1}, "_definitely_bad": True}],
        [],
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give either --model, or --log and --mapping"),
        (["--model", "feed", "--log", "x"], "give either --model, or --log and --mapping"),
        (["--log", "nowhere.csv", "--mapping", "nothing"], "no mapping"),
        (["--model", "feed", "--cost", "buy"], "a cost is SIGNAL=NUMBER"),
    ],
)
def test_what_cannot_be_written_is_told(options: list[str], said: str, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert said in run("export-dsjson", str(out), *options, "--config", str(config), status=2)
    assert not out.exists()
