"""The shipped mappings on the logs that they are for, against an independent reading of each file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from groundswell.events import Feedback, Impression
from streams.replay.log_files import Log
from streams.replay.mapping import Mapping
from streams.replay.mapping_file import load_mapping, mapping_path
from tests.real_logs import real_log
from tests.unit.replay import reading

SIGNALS = {
    "is_click": "click",
    "is_like": "like",
    "is_follow": "follow",
    "is_comment": "comment",
    "is_forward": "forward",
    "is_hate": "hate",
    "long_view": "long_view",
}


def shipped(name: str) -> Mapping:
    mapping = load_mapping(mapping_path(name))
    assert isinstance(mapping, Mapping)
    return mapping


def read(log: Path, mapping: Mapping) -> list[tuple[Impression, list[Feedback]]]:
    opened = Log(log, mapping)
    interpreted = reading.read(opened)
    assert not opened.left_out.total()
    return interpreted


def test_kuairand_counts_by_signal_tag_and_none_are_the_files() -> None:
    path = real_log("kuairand_pure/processed_splits_val.parquet")
    seen: set[tuple[int, int, int]] = set()
    rows = []
    for row in pl.read_parquet(path).iter_rows(named=True):
        key = (row["user_id"], row["video_id"], row["time_ms"])
        if key not in seen:
            seen.add(key)
            rows.append(row)
    tags = Counter(row["tag"].split(",")[0] for row in rows)
    signals = Counter(signal for row in rows for column, signal in SIGNALS.items() if row[column] == 1)
    unanswered = sum(not any(row[column] for column in SIGNALS) for row in rows)

    interpreted = read(path, shipped("kuairand-pure"))
    impressions = [impression for impression, _ in interpreted]
    assert len(impressions) == len(rows) == 91_805
    assert Counter(i.actions[i.chosen].id for i in impressions) == tags
    assert Counter(f.signal for _, feedback in interpreted for f in feedback) == signals
    assert sum(not feedback for _, feedback in interpreted) == unanswered
    assert {len(i.actions) for i in impressions} == {len(tags)}
    for impression in impressions[::1_000]:
        tag = impression.actions[impression.chosen].id
        assert impression.chosen_propensity == pytest.approx(tags[tag] / len(rows))


def test_of_several_kuairand_signals_the_most_deliberate_comes_last() -> None:
    interpreted = read(real_log("kuairand_pure/processed_splits_val.parquet"), shipped("kuairand-pure"))
    weak = {"click", "long_view"}
    for impression, feedback in interpreted:
        signals = [f.signal for f in feedback]
        assert all(0 < f.occurred_at - impression.occurred_at <= 20_000 for f in feedback)
        if set(signals) - weak:
            assert signals[-1] not in weak


@pytest.mark.parametrize("policy", ["random", "bts"])
@pytest.mark.parametrize("campaign", ["all", "men", "women"])
def test_open_bandit_keeps_its_logged_propensities(policy: str, campaign: str) -> None:
    path = real_log(f"open_bandit/{policy}/{campaign}/{campaign}.csv.gz")
    rows = pl.read_csv(path).sort("timestamp", maintain_order=True)
    items = pl.read_csv(path.parent / "item_context.csv")
    interpreted = read(path, shipped("open-bandit"))
    assert [i.chosen_propensity for i, _ in interpreted] == rows["propensity_score"].to_list()
    assert [int(i.actions[i.chosen].id) for i, _ in interpreted] == rows["item_id"].to_list()
    assert [len(feedback) for _, feedback in interpreted] == rows["click"].to_list()
    features = {action.id: action.features for action in interpreted[0][0].actions}
    assert features == {
        str(item): {"feature_0": value} for item, value in items.select("item_id", "item_feature_0").iter_rows()
    }
