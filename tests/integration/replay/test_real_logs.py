"""Real logs from file to policies: replayed through broker, join and learner, and counted independently."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl
import pytest
from rich.console import Console

from groundswell import policy
from groundswell.chunks import assemble
from groundswell.events import Interaction, Reward
from processors.wire.envelopes import decode_interaction
from streams.replay.mapping_file import load_mapping
from streams.replay.replay import replay
from tests.integration.workers import TOPICS, RunningWorker, read_all
from tests.real_logs import PROJECT, real_log

pytestmark = pytest.mark.timeout(600)

# The mappings assume that feedback comes at most 20 s later. Replayed, both topics are in event-time order.
CONFIGURATION = """
[join]
wait = 30.0
grace = 5.0
backward = 0.0
remember = 60.0
idle = 600.0
[learning]
publish_interactions = 20_000
[models.{model}]
definitely_negative = ["hate"]
"""


class Outcome(NamedTuple):
    """What lies on the topics when a log has gone through."""

    interactions: list[Interaction]
    rewards: list[Reward]
    policy: policy.PolicySnapshot
    strays: int
    refused: int


def through_the_worker(directory: Path, servers: str, log: Path, model: str, mapping: str) -> Outcome:
    with RunningWorker(directory, servers, configuration=CONFIGURATION.format(model=model)) as worker:
        summary = replay(
            log,
            load_mapping(PROJECT / "streams" / "replay" / "mappings" / mapping),
            bootstrap_servers=servers,
            impressions_topic=TOPICS.impressions,
            feedback_topic=TOPICS.feedback,
            speed=None,
            limit=None,
            console=Console(file=io.StringIO()),
        )
        worker.until(
            lambda: worker.metric("groundswell_policy_version", model=model) == summary.impressions,
            "a policy that includes the whole log",
            patience=500,
        )
        assert worker.stop()[0] == 0
    return Outcome(
        [decode_interaction(record.value) for record in read_all(servers, TOPICS.interactions)],
        [msgspec.json.decode(record.value, type=Reward) for record in read_all(servers, TOPICS.rewards)],
        newest_policy(servers, model),
        len(read_all(servers, TOPICS.late_feedback)),
        len(read_all(servers, TOPICS.dead_letter)),
    )


def newest_policy(servers: str, model: str) -> policy.PolicySnapshot:
    """Return the policy as an app would find it, in one record or in chunks."""
    newest = {record.key: record.value for record in read_all(servers, TOPICS.policies)}
    value, _ = assemble(model.encode(), newest)
    assert value is not None
    return policy.decode(value)


def shown(interactions: list[Interaction]) -> Counter[str]:
    return Counter(one.impression.actions[one.impression.chosen].id for one in interactions)


def test_kuairand_is_joined_row_by_row_and_learned(tmp_path: Path, servers: str) -> None:
    path = real_log("kuairand_pure/processed_splits_val.parquet")
    rows = pl.read_parquet(path).unique(["user_id", "video_id", "time_ms"], keep="first", maintain_order=True)
    columns = {
        "is_click": "click", "is_like": "like", "is_follow": "follow", "is_comment": "comment",
        "is_forward": "forward", "is_hate": "hate", "long_view": "long_view",
    }  # fmt: skip
    signals = {signal: int(rows[column].sum()) for column, signal in columns.items()}
    silent = rows.filter(pl.sum_horizontal(*columns) == 0).height
    tags = dict(rows["tag"].str.split(",").list.first().value_counts().iter_rows())

    outcome = through_the_worker(tmp_path, servers, path, "kuairand", "kuairand-pure.toml")
    interactions = outcome.interactions
    assert len(interactions) == len({one.impression.impression_id for one in interactions}) == rows.height == 91_805
    assert {one.impression.impression_id for one in interactions} == {
        ":".join(map(str, row)) for row in rows.select("user_id", "video_id", "time_ms").iter_rows()
    }
    assert Counter(signal for one in interactions for signal in one.signals) == {**signals, "none": silent}
    assert shown(interactions) == tags
    assert (outcome.strays, outcome.refused) == (0, 0)
    rewarded = Counter(one.impression_id for one in outcome.rewards)
    assert rewarded == Counter(one.impression.impression_id for one in interactions)
    # One hate in 1,500 impressions, of people who are seen but a few times, tells too little; and that is what is said.
    assert Counter(one.doubt for one in outcome.rewards)["uninformative_feedback"] > rows.height / 2
    assert outcome.policy.version == rows.height
    assert outcome.policy.bandit.indices


def test_open_bandit_keeps_its_logged_propensities_to_the_rewards(tmp_path: Path, servers: str) -> None:
    path = real_log("open_bandit/bts/women/women.csv.gz")
    rows = pl.read_csv(path)
    outcome = through_the_worker(tmp_path, servers, path, "open_bandit", "open-bandit.toml")
    interactions = outcome.interactions
    clicks = int(rows["click"].sum())
    assert len(interactions) == rows.height == 10_000
    assert Counter(one.signals[0] for one in interactions) == {"click": clicks, "none": rows.height - clicks}
    assert shown(interactions) == {str(item): count for item, count in rows["item_id"].value_counts().iter_rows()}
    assert sorted(one.impression.chosen_propensity for one in interactions) == sorted(rows["propensity_score"])
    arms = len(interactions[0].impression.actions)
    logged = {one.impression.impression_id: 1 / (arms * one.impression.chosen_propensity) for one in interactions}
    cut = {one.impression_id for one in outcome.rewards if one.weight < 0.999 * logged[one.impression_id]}
    assert all(
        one.weight == pytest.approx(logged[one.impression_id])
        for one in outcome.rewards
        if one.impression_id not in cut
    )
    # A policy that has nearly settled shows some items at propensities down to 1e-6: what such plays move is bounded.
    assert len(cut) < 0.02 * rows.height
    assert min(logged[one] for one in cut) > 5
    assert (outcome.strays, outcome.refused) == (0, 0)
    assert outcome.policy.version == rows.height
