"""VowpalWabbit's decision-service JSON as impressions and feedback."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from streams.replay.dsjson import FIRST_TIME_MS, DecisionLog, DsjsonMapping
from tests.unit.replay.reading import complaints, read

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
    return DecisionLog(path, mapping)


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


@pytest.mark.parametrize(("value", "signals"), [(2.0, ["click", "like"]), (1.0, ["click"]), (0.0, [])])
def test_a_number_that_fits_several_rules_gives_several_signals_unless_they_are_bound(
    tmp_path: Path, value: float, signals: list[str]
) -> None:
    rules = [{"signal": "like", "above": 1.5}, {"signal": "click", "above": 0}]
    both = DsjsonMapping.model_validate({**MAPPING.model_dump(), "signals": rules})
    [(_, feedback)] = read(log(tmp_path, decision(o=[{"v": value}]), mapping=both))
    assert sorted(one.signal for one in feedback) == signals
    rules[1]["below"] = 1.5
    bound = DsjsonMapping.model_validate({**MAPPING.model_dump(), "signals": rules})
    [(_, feedback)] = read(log(tmp_path, decision(o=[{"v": value}]), mapping=bound))
    assert [one.signal for one in feedback] == signals[-1:]


def test_a_sub_sampled_log_carries_its_weight(tmp_path: Path) -> None:
    [(impression, _)] = read(log(tmp_path, decision(pdrop=0.75)))
    assert impression.weight == 4.0


def test_decisions_come_in_time_order_once_each(tmp_path: Path) -> None:
    opened = log(tmp_path, decision("b", 2), decision("c", 3), decision("b", 9), decision("a", 1))
    assert (opened.rows, opened.duplicates) == (4, 1)
    assert [impression.impression_id for impression, _ in read(opened)] == ["a", "b", "c"]
    assert [impression.impression_id for impression, _ in read(opened, limit=2)] == ["a", "b"]


def test_what_was_never_shown_is_left_out_and_counted(tmp_path: Path) -> None:
    reward = {"RewardValue": 1.0, "EnqueuedTimeUtc": "2020-11-15T17:09:31.8350000Z", "EventId": "lost"}
    opened = log(tmp_path, decision("a", _skipLearn=True), reward, decision("b"))
    assert opened.left_out.counts == {"never shown": 1, "without a decision": 1}
    assert [impression.impression_id for impression, _ in read(opened)] == ["b"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"a": [1, 2]}, "line 1: a: [1, 2] with p [0.7, 0.2, 0.1] for 3 actions"),
        ({"a": [1, 1, 2]}, "line 1: a:"),
        ({"p": [1.0]}, "line 1: a:"),
        ({"p": [0.7, 0.7, 0.7]}, "sum to 1"),
        ({"Timestamp": "then"}, "line 1: Timestamp: 'then' is no time of ISO 8601"),
        ({"pdrop": 1.0}, "line 1: pdrop"),
        (
            {"c": {"_multi": [{"TAction": {"name": "x"}}]}, "a": [1], "p": [1.0]},
            "no 'TAction.id' among 'TAction.name'",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    told = complaints(log(tmp_path, decision(**changes)))
    assert complaint in told
    assert "log.json.gz, line 1" in told


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("[checkpoint]", "line 2: line: no JSON at character 2"),
        ('{"EventId": "e3", "Timestamp": "2026-11-22T1', "line 2: line: no JSON at character"),
        ("[1, 2]", "line 2: line: expected an object, found '[1, 2]'"),
        (json.dumps(decision("e2", pdrop="none")), "line 2: pdrop: Expected `float | null`, got `str`"),
        (json.dumps(decision("e2", a="1")), "line 2: a: Expected `array | null`, got `str`"),
        (json.dumps(decision("e2", o=[7])), "line 2: o: Expected `object`, got `int`"),
        (json.dumps(decision("e2", EventId=None)), "line 2: EventId: missing, though other lines have one"),
        (json.dumps(decision("e2", Timestamp=None)), "line 2: Timestamp: missing, though other lines have one"),
        (json.dumps(decision("e2", c=[])), "line 2: c: [], expected the context's namespaces"),
        (json.dumps(decision("e2", c={"_multi": []})), "line 2: c._multi: no actions to choose from"),
        (json.dumps(decision("e2", c={"A": {"x": 1}})), "line 2: c._multi: no actions to choose from"),
        (json.dumps(decision("e2", c={"_multi": [5]})), "line 2: c._multi: [5], expected a list with the namespaces"),
        (
            json.dumps(decision("e2", c={"A": {}}, _label_ca={"action": 1.5})),
            "line 2: _label_ca: a decision over a cont",
        ),
        (
            json.dumps(decision("e2", c=decision()["c"] | {"_slots": [{"_id": "top"}, {"_id": "side"}]})),
            "line 2: c._slots: a decision over slots without a list `_outcomes`, which says what was shown in each",
        ),
        (json.dumps(decision("e2", _outcomes=[{"_a": [0]}])), "line 2: c._slots: None, expected 1 slots"),
        (json.dumps(decision("e2", _outcomes={"_a": [0]})), "line 2: c._slots: a decision over slots without a list"),
        (json.dumps(decision("e2", _outcomes=[{}] * 101)), "a list `_outcomes`, of 1 to 100 slots"),
        (json.dumps(decision("e2", o=[{"v": "\ud83d"}])), "line 2: line: '\\ud83d' holds half of a surrogate pair"),
        (json.dumps(decision("e2", a=["\ud83d", 2])), "line 2: line: '\\ud83d' holds half of a surrogate pair"),
        (json.dumps(decision("e2", c={"G": {"x": "\udc00"}, "_multi": decision()["c"]["_multi"]})), "half of a surrog"),
        (json.dumps(decision("e2", o=[{"v": "s" * 200}])), "line 2: o: Expected `str` of length <= 128"),
    ],
)
def test_a_line_that_is_no_decision_is_left_out_and_spoils_no_other(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "log.json"
    path.write_text(f"{json.dumps(decision())}\n{line}\n\n{json.dumps(decision('e3'))}\n")
    opened = DecisionLog(path, MAPPING)
    assert complaint in complaints(opened)
    assert [impression.impression_id for impression, _ in read(DecisionLog(path, MAPPING))] == ["e1", "e3"]
    assert (opened.rows, opened.left_out.total()) == (3, 1)


def igl(shown: int, signal: str, **changes: Any) -> dict[str, Any]:
    """Three dishes of which one was shown, as VowpalWabbit's files for interaction-grounded learning have it."""
    probabilities = [0.7 if place == shown else 0.15 for place in range(3)]
    return {
        "_label_cost": 0,
        "_label_probability": 0.7,
        "_label_Action": shown + 1,
        "_labelIndex": shown,
        "o": [{"v": {f"v={signal}": 1}, "_definitely_bad": False}],
        "a": [0, 1, 2],
        "c": {
            "Person": {"name=ida": 1},
            "_multi": [{"Dish": {f"dish={dish}": 1, "warm": 1}} for dish in ("soup", "rice", "pasta")],
        },
        "p": probabilities,
    } | changes


DISHES = MAPPING.model_copy(update={"action_id": "Dish.dish"})


def test_files_for_interaction_grounded_learning_say_in_the_label_what_was_shown(tmp_path: Path) -> None:
    interpreted = read(log(tmp_path, igl(2, "click"), igl(0, "none"), igl(1, "skip"), mapping=DISHES))
    assert [i.actions[i.chosen].id for i, _ in interpreted] == ["pasta", "soup", "rice"]
    assert [i.chosen_propensity for i, _ in interpreted] == [0.7, 0.7, 0.7]
    assert [[f.signal for f in feedback] for _, feedback in interpreted] == [["click"], [], ["skip"]]
    assert [i.impression_id for i, _ in interpreted] == ["log.json.gz:1", "log.json.gz:2", "log.json.gz:3"]
    assert [i.occurred_at - FIRST_TIME_MS for i, _ in interpreted] == [0, 1_000, 2_000]
    assert interpreted[0][0].context == {"Person.name=ida": 1}


@pytest.mark.parametrize(
    ("changes", "chosen"),
    [
        ({"a": [1, 2, 3], "p": [0.2, 0.7, 0.1]}, "y"),
        ({"a": [1, 2, 3], "p": [0.2, 0.7, 0.1], "_labelIndex": None}, "y"),
        ({"a": [2, 1, 3], "_labelIndex": None, "_label_Action": None}, "y"),
        ({"a": [1, 0, 2], "_labelIndex": None, "_label_Action": None}, "y"),
        ({"a": [0, 2, 1], "_labelIndex": 0, "_label_Action": 1}, "x"),
    ],
)
def test_what_was_shown_is_what_the_label_says_or_ranks_first(
    tmp_path: Path, changes: dict[str, Any], chosen: str
) -> None:
    [(impression, _)] = read(log(tmp_path, decision(**changes)))
    assert impression.actions[impression.chosen].id == chosen
    assert impression.chosen_propensity == 0.7


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"a": [3, 1, 2]}, "_labelIndex: says that action 1, counted from 0, was shown, but `a` ranks 2 first"),
        ({"a": [1, 2, 3], "_labelIndex": 2, "p": [0.2, 0.1, 0.7]}, "says that action 2 was shown, and _label_Action 1"),
        ({"_labelIndex": 3}, "_labelIndex: says that action 3, counted from 0, was shown, of 3"),
        ({"_label_probability": 0.1}, "_label_probability: 0.1, but by `a` and `p` the action shown had 0.7"),
    ],
)
def test_a_line_that_contradicts_itself_is_refused(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    assert complaint in complaints(log(tmp_path, decision(**changes)))


@pytest.mark.parametrize(
    ("namespaces", "identifier"),
    [
        ({"T": {"id": "tea"}}, "T.id"),
        ({"T": [{"id": "tea"}, {"hot": 1}]}, "T.id"),
        ({"T": [{"hot": 1}, {"id": "tea"}]}, "T.id"),
        ({"T": [[{"id": "tea"}]]}, "T.id"),
        ({"T": [{"id=tea": 1}]}, "T.id"),
        ({"T": {"id=tea": 1, "id=milk": 0}}, "T.id"),
        ({"id": "tea"}, "id"),
    ],
)
def test_an_action_is_known_by_its_feature_wherever_it_lies(
    tmp_path: Path, namespaces: dict[str, Any], identifier: str
) -> None:
    line = {"c": {"_multi": [namespaces]}, "a": [1], "p": [1.0], "o": []}
    [(impression, _)] = read(log(tmp_path, line, mapping=MAPPING.model_copy(update={"action_id": identifier})))
    assert impression.actions[0].id == "tea"


def test_an_id_that_two_features_tell_is_refused(tmp_path: Path) -> None:
    line = igl(0, "click", c={"_multi": [{"Dish": {"dish=soup": 1, "dish=rice": 1}}]}, a=[0], p=[1.0])
    assert "'Dish.dish' is told by several features" in complaints(log(tmp_path, line, mapping=DISHES))


def test_what_is_not_finite_is_left_out_and_null_is_absent(tmp_path: Path) -> None:
    changed = decision(pdrop=None, _labelIndex=None, _label_probability=None)
    changed["c"]["GUser"] = {"age": float("nan"), "seen": None, "far": float("inf"), "id": "ann"}
    [(impression, _)] = read(log(tmp_path, changed))
    assert impression.context == {"GUser.id": "ann"}


def test_rounded_probabilities_are_taken(tmp_path: Path) -> None:
    rounded = decision(p=[1.0000001192092896, 0.0, -5.9604645e-08], _label_probability=1.0)
    [(impression, _)] = read(log(tmp_path, rounded))
    assert impression.probabilities == [0.0, 1.0, 0.0]
