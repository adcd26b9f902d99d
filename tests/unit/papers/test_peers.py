import json
from pathlib import Path

import pytest

pytest.importorskip("vowpalwabbit", reason="install the extra `bench` to compare with VowpalWabbit")

from experiments.bench import learner
from experiments.papers import feeds, peers
from experiments.people.self_play import play


def test_vowpal_wabbit_learns_from_its_own_play(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "HORIZON", 3_000)
    values = peers.by_itself(feeds.three_state(3, p_dislike=0.5), 3)
    assert values[-500:].mean() > values[:500].mean() + 0.3


def test_vowpal_wabbit_takes_our_interactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "HORIZON", 200)
    people = feeds.three_state(3)
    assert len(peers.from_log(people, play(people, feeds.MODEL, 200, 3))) == 200


def test_the_bench_measures_both_in_one_run(tmp_path: Path) -> None:
    status = learner.bench_learner(tmp_path, count=2_000)
    result = json.loads((tmp_path / "results.json").read_text())
    assert list(result["contenders"]) == ["K = 11", "K = 50", "K = 200"]
    assert all(rate > 0 for row in result["contenders"].values() for rate in row.values())
    assert [bar["bar"] for bar in result["bars"]] == [">= 3.5", ">= 12", ">= 15"]
    assert status == (0 if all(bar["met"] for bar in result["bars"]) else 1)
