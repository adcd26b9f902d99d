"""`groundswell evaluate-policy --model`: what lies on the topics, and the published policy as the live one."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner

from groundswell.exploration import Exploration
from groundswell.policy import PolicySnapshot, Weights
from groundswell.policy import encode as encoded_policy
from streams.cli import cli
from tests.factories import encode, impression
from tests.integration.workers import with_topics

SIZE = 60


def policy(version: int) -> bytes:
    """Return a policy that knows nothing, and shows all actions alike."""
    snapshot = PolicySnapshot(
        model="feed", version=version, parent=None, bits=10, context_crosses=False, shared_weights=False,
        exploration=Exploration("epsilon-greedy", 1.0), bandit=Weights([], []), inverse_kinematics=None,
        configuration="",
    )  # fmt: skip
    return encoded_policy(snapshot)


@pytest.mark.parametrize(("sharded", "told"), [("", False), ('sharded_by = "user"\n', True)])
def test_interactions_are_valued_once_by_their_rewards_beside_the_published_policy(
    broker: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sharded: str, told: bool
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", with_topics(broker))
    config = tmp_path / "groundswell.toml"
    config.write_text(f'[models.feed]\ndefinitely_negative = ["dislike"]\n{sharded}')
    (tmp_path / "candidate.json").write_bytes(policy(3))
    with closing(KafkaProducer(bootstrap_servers=broker)) as producer:
        for number in (*range(SIZE), 7, 8):  # two are on the topic twice
            source = {"partition": 3, "offset": number, "floor": 0, "topic": "t"}
            parts = {"impression": impression(f"i{number}"), "feedback": [], "signals": ["none"]}
            interaction = {"schema_version": 1, "source": source, **parts}
            producer.send("interactions", key=b"feed", value=encode(interaction), partition=1)
            if number == SIZE - 1:
                continue  # it was not judged yet
            judged = {
                "schema_version": 1, "impression_id": f"i{number}", "model": "feed", "occurred_at": 1, "source": source,
                "action": "a", "signal": "none", "state": 1, "reward": 0.5, "posterior": 0.5, "weight": 1.0,
                "ik_version": 1, "policy_version": 1,
            }  # fmt: skip
            producer.send("rewards", key=b"feed", value=encode(judged), partition=1)
        producer.send("policies", key=b"feed", value=policy(12), partition=0)
        producer.flush()
    asked = ["evaluate-policy", "--model", "feed", "--config", str(config), "--json"]
    result = CliRunner().invoke(cli, [*asked, "--policy", str(tmp_path / "candidate.json")])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["decisions"] == SIZE - 1
    assert "1 decision without a reward left out" in " ".join(found["remarks"])
    assert any("shards are read" in remark for remark in found["remarks"]) == told
    (logged, _, candidate, live) = found["values"]
    assert logged["snips"] == 0.5
    assert (candidate["policy"], live["policy"]) == ("candidate", "published, version 12")
    (difference,) = found["differences"]
    assert difference["live"] == "published, version 12"
    assert difference["verdict"] == "undecided"
