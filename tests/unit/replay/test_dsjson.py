"""VowpalWabbit's decision-service JSON as impressions and feedback."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from streams.replay.dsjson import DecisionLog, DsjsonMapping, open_decisions
from streams.replay.mapped_rows import Interpreted
from streams.replay.mapping import MappingError
from streams.replay.replay import ReplayError, accepted

MAPPING = DsjsonMapping.model_validate(
    {
        "format": "dsjson",
        "model": "news",
        "action_id": "TAction.id",
        "signals": [{"signal": "click", "above": 0}, {"signal": "dislike", "below": 0}],
        "delay_ms": 500,
    }
)


def decision(event: str = "e1", second: int = 1, **changes: Any) -> dict[str, Any]:
    """Three actions of which the second was shown, with probability 0.7."""
    return {
        "_label_cost": 0,
        "_label_probability": 0.7,
        "_label_Action": 2,
        "_labelIndex": 1,
        "Timestamp": f"2020-11-15T17:09:{second:02}.8350000Z",
        "EventId": event,
        "a": [2, 1, 3],
        "p": [0.7, 0.2, 0.1],
        "c": {
            "GUser": {"id": "person5", "tastes": {"sweet": 0.5}, "recent": [3, 4]},
            "_multi": [{"TAction": {"id": name, "long": True}} for name in ("x", "y", "z")],
        },
        "o": [],
    } | changes


def log(folder: Path, *lines: dict[str, Any], mapping: DsjsonMapping = MAPPING) -> DecisionLog:
    path = folder / "log.json.gz"
    path.write_bytes(gzip.compress("\n".join(json.dumps(line) for line in lines).encode()))
    return open_decisions(path, mapping)


def read(opened: DecisionLog, limit: int | None = None) -> list[Interpreted]:
    return list(accepted(opened.outcomes(limit), "stop", Counter()))


def test_a_line_is_a_decision_with_all_its_probabilities(tmp_path: Path) -> None:
    [(impression, feedback)] = read(log(tmp_path, decision()))
    assert impression.impression_id == "e1"
    assert impression.occurred_at == 1_605_460_141_835
    assert [action.id for action in impression.actions] == ["x", "y", "z"]
    assert impression.actions[impression.chosen].id == "y"
    assert impression.probabilities == [0.2, 0.7, 0.1], "in the order of the actions"
    assert impression.context == {
        "GUser.id": "person5",
        "GUser.tastes.sweet": 0.5,
        "GUser.recent.0": 3,
        "GUser.recent.1": 4,
    }
    assert impression.actions[0].features == {"TAction.id": "x", "TAction.long": True}
    assert impression.weight == 1.0
    assert feedback == []


@pytest.mark.parametrize(
    ("observed", "signals"),
    [
        ([{"v": {"v=skip": 1}, "_definitely_bad": False}], ["skip"]),
        ([{"v": "share"}], ["share"]),
        ([{"v": 1.0}], ["click"]),
        ([{"v": -1}], ["dislike"]),
        ([{"v": 0.0}], []),
        ([{"v": "none"}], []),
        ([{"v": 1.0}, {"v": 2.0}, {"v": "share"}], ["click", "share"]),
        ([{"ActionTaken": True}], []),
    ],
)
def test_observations_are_signals(tmp_path: Path, observed: list[dict[str, Any]], signals: list[str]) -> None:
    [(impression, feedback)] = read(log(tmp_path, decision(o=observed)))
    assert [f.signal for f in feedback] == signals
    assert all(f.occurred_at == impression.occurred_at + 500 for f in feedback)
    assert len({f.feedback_id for f in feedback}) == len(signals)


def test_a_sub_sampled_log_carries_its_weight(tmp_path: Path) -> None:
    [(impression, _)] = read(log(tmp_path, decision(pdrop=0.75)))
    assert impression.weight == 4.0


def test_decisions_come_in_time_order_once_each(tmp_path: Path) -> None:
    opened = log(tmp_path, decision("b", 2), decision("c", 3), decision("b", 9), decision("a", 1))
    assert (opened.rows, opened.distinct_rows) == (4, 3)
    assert [impression.impression_id for impression, _ in read(opened)] == ["a", "b", "c"]
    assert [impression.impression_id for impression, _ in read(opened, limit=2)] == ["a", "b"]


def test_what_was_never_shown_is_left_out_and_counted(tmp_path: Path) -> None:
    reward = {"RewardValue": 1.0, "EnqueuedTimeUtc": "2020-11-15T17:09:31.8350000Z", "EventId": "lost"}
    opened = log(tmp_path, decision("a", _skipLearn=True), reward, decision("b"))
    assert opened.left_out == {"never shown": 1, "without a decision": 1}
    assert [impression.impression_id for impression, _ in read(opened)] == ["b"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"a": [1, 2]}, r"row 1: a: \[1, 2\] with p .* for 3 actions"),
        ({"a": [1, 1, 2]}, "row 1: a:"),
        ({"p": [1.0]}, "row 1: a:"),
        ({"p": [0.7, 0.7, 0.7]}, "sum to 1"),
        ({"Timestamp": "then"}, "row 1: EventId, Timestamp: 'e1' at 'then'"),
        ({"EventId": None}, "row 1: EventId, Timestamp: None"),
        ({"pdrop": 1.0}, "row 1: pdrop"),
        (
            {"c": {"_multi": [{"TAction": {"name": "x"}}]}, "a": [1], "p": [1.0]},
            "no 'TAction.id' among TAction.name",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ReplayError, match=complaint):
        read(log(tmp_path, decision(**changes)))


def test_what_is_not_dsjson_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps(decision()) + "\n{oops\n")
    with pytest.raises(MappingError, match="line 2 is not DSJSON"):
        open_decisions(path, MAPPING)
