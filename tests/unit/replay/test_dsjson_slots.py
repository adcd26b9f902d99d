"""Lines of DSJSON over several slots: an impression a slot, in the context of the slot, from what was left for it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from groundswell.client.slots import is_of_slot
from groundswell.events import Action, DecisionSlot, FeatureValue, Impression, contradiction
from streams.replay.dsjson import FIRST_TIME_MS, DecisionLog, DsjsonMapping
from streams.replay.dsjson_export import Decided, export
from streams.replay.dsjson_lines import DsjsonLines
from tests.unit.replay.reading import complaints, read
from tests.unit.replay.test_dsjson_lines import FEATURES, SIGNALS, impressions, same
from tests.unit.replay.vowpal import ODD, by_vowpal, plain

MAPPING = DsjsonMapping.model_validate(
    {
        "format": "dsjson",
        "model": "shop",
        "action_id": "i.id",
        "signals": [{"signal": "click", "above": 0}],
        "bad_rows": "skip",
    }
)


def coffee(event: str | None = "e1", **changes: Any) -> dict[str, Any]:
    """Two slots and three drinks, as VowpalWabbit's `--ccb_explore_adf` has them: latte first, then mocha."""
    return {
        "Timestamp": "2021-04-26T17:23:28.1726275Z",
        "Version": "1",
        "EventId": event,
        "c": {
            "Weather": {"sunny": True},
            "_multi": [{"i": {"id": name}} for name in ("mocha", "latte", "americano")],
            "_slots": [{"_id": "main", "sj": {"size": "large"}}, {"sj": {"size": "small"}}],
        },
        "_outcomes": [
            {
                "_label_cost": -1.0,
                "_id": "x",
                "_a": [1, 0, 2],
                "_p": [0.5, 0.25, 0.25],
                "_o": [{"v": 1.0}, {"v": "buy"}],
            },
            {"_label_cost": 0.0, "_id": "y", "_a": [0, 2], "_p": [0.75, 0.25], "_o": []},
        ],
    } | changes


def log(folder: Path, *lines: dict[str, Any]) -> DecisionLog:
    path = folder / "log.json"
    path.write_text("\n".join(map(json.dumps, lines)))
    return DecisionLog(path, MAPPING)


def test_each_slot_is_an_impression_with_its_own_feedback(tmp_path: Path) -> None:
    opened = log(tmp_path, coffee(pdrop=0.5))
    (main, seen), (side, seen_aside) = read(opened)
    assert opened.rows == 2
    assert (main.impression_id, side.impression_id) == ("e1/0", "e1/1")
    assert (main.decision, side.decision) == (DecisionSlot("e1", 0, 2), DecisionSlot("e1", 1, 2))
    assert main.context == {"Weather.sunny": True, "slot": "main", "slot.sj.size": "large"}
    assert side.context == {"Weather.sunny": True, "slot": "1", "slot.sj.size": "small"}
    assert ([one.id for one in main.actions], main.chosen) == (["mocha", "latte", "americano"], 1)
    assert main.probabilities == [0.25, 0.5, 0.25]
    assert ([one.id for one in side.actions], side.chosen) == (["mocha", "americano"], 0)
    assert side.probabilities == [0.75, 0.25]
    assert (main.weight, side.weight) == (2.0, 2.0)
    assert [(one.signal, one.impression_id) for one in seen] == [("click", "e1/0"), ("buy", "e1/0")]
    assert seen_aside == []


def test_a_line_that_comes_again_repeats_all_of_its_slots(tmp_path: Path) -> None:
    opened = log(tmp_path, coffee(), coffee(), coffee("e2"))
    assert (opened.rows, opened.duplicates) == (6, 2)
    assert [one.impression_id for one, _ in read(opened)] == ["e1/0", "e1/1", "e2/0", "e2/1"]


def test_without_times_the_slots_of_a_line_were_shown_together(tmp_path: Path) -> None:
    opened = log(tmp_path, *(coffee(None, Timestamp=None) for _ in range(2)))
    assert [(one.impression_id, one.occurred_at - FIRST_TIME_MS) for one, _ in read(opened)] == [
        ("log.json:1/0", 0),
        ("log.json:1/1", 0),
        ("log.json:2/0", 1000),
        ("log.json:2/1", 1000),
    ]


def test_a_number_alone_is_an_observation(tmp_path: Path) -> None:
    [(_, seen)] = read(log(tmp_path, coffee(_outcomes=[outcome(_o=[0, 1])], c=one_slot())))
    assert [one.signal for one in seen] == ["click"]


def outcome(**changes: Any) -> dict[str, Any]:
    return {"_a": [0, 1], "_p": [0.5, 0.5], "_o": []} | changes


def one_slot(**changes: Any) -> dict[str, Any]:
    return {"_multi": [{"i": {"id": name}} for name in ("mocha", "latte")], "_slots": [{}]} | changes


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"_outcomes": [outcome(_a=[0, 2])]}, "_outcomes._a: [0, 2], expected the places of actions, of 2"),
        ({"_outcomes": [outcome(_a=[0, True])]}, "_outcomes._a: [0, True]"),
        ({"_outcomes": [outcome(_a=None)]}, "_outcomes._a: None"),
        ({"_outcomes": [outcome(_a=[0, 0])]}, "a: [1, 1] with p [0.5, 0.5] for 1 actions"),
        ({"_outcomes": [outcome(_p=[0.5])]}, "with p [0.5] for 2 actions"),
        ({"_outcomes": [outcome(_a=[0], _p=[0.5])]}, "sum to"),
        ({"_outcomes": ["x"]}, "_outcomes: number 0 is 'x', expected an object"),
        ({"c": one_slot(_slots=[])}, "c._slots: [], expected 1 slots"),
        ({"c": one_slot(_slots=[5])}, "c._slots: number 0 is 5, expected an object"),
        ({"c": one_slot(_multi=5)}, "c._multi: 5, expected a list"),
        ({"c": 5}, "c._multi: None, expected a list"),
        ({"o": [{"v": 1.0}]}, "o: observations of all slots together"),
        ({"c": one_slot(slot="top")}, "c: has the feature 'slot' already"),
        ({"c": one_slot(_multi=[{"i": {"id": "mocha"}, "_slot_id": 0}])}, "c._multi: a slate, which is not supported"),
    ],
)
def test_a_slot_that_is_wrong_is_named_and_spoils_no_other(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    wrong = coffee("e2", **({"c": one_slot(), "_outcomes": [outcome()]} | changes))
    assert complaint in complaints(log(tmp_path, coffee(), wrong))
    assert [one.impression_id for one, _ in read(log(tmp_path, coffee(), wrong))] == ["e1/0", "e1/1"]


def slots(*, decision: str = "d1", shift: int = 0, **changes: Any) -> list[Decided]:
    """A decision over two slots as it is logged: each with its signals and reward."""
    context: dict[str, FeatureValue] = {"user": "ann", "User.age": 31}
    actions = [Action("a", {"Item.price": 2.5}), Action("b"), Action("c")]
    top = Impression(
        schema_version=1,
        impression_id=f"{decision}/0",
        occurred_at=1_795_310_400_000 + shift,
        model="shop",
        context={**context, "slot": "top", "slot.size": "large"},
        actions=actions,
        chosen=1,
        probabilities=[0.25, 0.5, 0.25],
        weight=2.0,
        decision=DecisionSlot(decision, 0, 2),
    )
    side = msgspec.structs.replace(
        top,
        impression_id=f"{decision}/1",
        context={**context, "slot": "side", "slot.Place.left": True},
        actions=[actions[0], actions[2]],
        probabilities=[0.75, 0.25],
        chosen=0,
        decision=DecisionSlot(decision, 1, 2),
    )
    return [Decided(top, ["click"], 0.5), Decided(msgspec.structs.replace(side, **changes), ["skip"], -0.25)]


def exported(folder: Path, decided: list[Decided], lines: DsjsonLines) -> DecisionLog:
    """Return what `replay` finds in the file that is written of decisions."""
    written = export(folder / "out.json", lines, iter(decided), None)
    return DecisionLog(folder / "out.json", DsjsonMapping.model_validate(tomllib.loads(written.mapping.read_text())))


def test_a_decision_is_one_line_whatever_comes_between_and_is_read_back_as_it_was(tmp_path: Path) -> None:
    (top, side), (above, aside) = slots(), slots(decision="d2", shift=1000)
    lines = DsjsonLines("shop", "Id", definitely_bad={"skip"})
    opened = exported(tmp_path, [side, above, top, aside], lines)
    assert (lines.written, lines.left_out) == (2, {})
    assert [one for one, _ in read(opened)] == [one.impression for one in (top, side, above, aside)]
    assert [[piece.signal for piece in seen] for _, seen in read(opened)] == [["click"], ["skip"]] * 2
    first = json.loads((tmp_path / "out.json").read_text().splitlines()[0])
    assert list(first) == ["Timestamp", "Version", "EventId", "pdrop", "c", "_outcomes"]
    assert [one["_label_cost"] for one in first["_outcomes"]] == [-0.5, 0.25]
    assert [one["_a"] for one in first["_outcomes"]] == [[1, 0, 2], [0, 2]]
    assert first["c"]["_slots"] == [{"_id": "top", "size": "large"}, {"_id": "side", "Place": {"left": True}}]


@pytest.mark.parametrize(
    ("decided", "reason", "count"),
    [
        (slots()[:1], "other slots of the decision missing", 1),
        (slots(context={"user": "ann"}), "a slot that the context does not name", 2),
        (slots(context={"user": "bob", "slot": "side"}), "another context", 2),
        (slots(weight=1.0), "another context, weight or actions", 2),
        (slots(actions=[Action("a"), Action("c")]), "another context, weight or actions", 2),
        (slots(weight=0.5), "another context, weight or actions", 2),
        (slots(actions=[Action("c")], probabilities=None, propensity=0.5), "a single action that was not certain", 2),
    ],
)
def test_a_decision_that_no_line_can_say_is_left_out_and_told(
    tmp_path: Path, decided: list[Decided], reason: str, count: int
) -> None:
    lines = DsjsonLines("shop", "Id")
    exported(tmp_path, decided, lines)
    [(told, found)] = lines.left_out.items()
    assert reason in told
    assert (found, lines.written) == (count, 0)


def test_actions_that_repeat_are_written_too(tmp_path: Path) -> None:
    top, _ = slots()
    again = msgspec.structs.replace(
        top.impression,
        impression_id="d1/1",
        context={**top.impression.context, "slot": "side"},
        decision=DecisionSlot("d1", 1, 2),
    )
    opened = exported(tmp_path, [top, Decided(again, [], None)], DsjsonLines("shop", "Id"))
    assert [one for one, _ in read(opened)] == [top.impression, again]


def odd_slots(
    decision: str, context: dict[str, FeatureValue], ids: Sequence[str], count: int = 2, *, repeats: bool = False
) -> list[Decided]:
    """A decision whose context and slots have these features, each slot showing what is first among what is left."""
    of_slot = {f"slot.{name}": value for name, value in context.items()}
    actions = [Action(one, context) for one in ids]
    return [
        Decided(
            Impression(
                schema_version=1,
                impression_id=f"{decision}/{number}",
                occurred_at=1_795_310_400_000,
                model="shop",
                context={**context, **of_slot, "slot": f"{number}"},
                actions=left,
                chosen=0,
                probabilities=[1.0, *[0.0] * (len(left) - 1)],
                decision=DecisionSlot(decision, number, count),
            ),
            ["\0", "1.5", 'a"b', "😀"],
            1.0,
        )
        for number in range(count)
        for left in [actions if repeats else actions[number:]]
    ]


def test_vowpal_wabbit_reads_odd_lines_over_slots_and_others_between_them(tmp_path: Path) -> None:
    decided = [one for number, (context, ids, _) in enumerate(ODD) for one in odd_slots(f"o{number}", context, ids)]
    decided += odd_slots("repeats", {}, "ab", repeats=True)
    decided += odd_slots("alone", {}, "a", 1)
    decided += odd_slots("last", {}, "ab")
    decided += odd_slots("too few", {}, "ab", 3, repeats=True)
    decided.append(Decided(plain(model="shop"), ["click"], 1.0))
    lines = DsjsonLines("shop", "Id")
    exported(tmp_path, decided, lines)
    counts, _, _ = by_vowpal(tmp_path / "out.json", kind="--ccb_explore_adf")
    odd = [1 + len(ids) + 2 for _, ids, _ in ODD]
    assert counts == [*odd, 1 + 2 + 2, 1 + 1 + 1, 1 + 2 + 2, 1 + 3 + 1]
    [(told, left_out)] = lines.left_out.items()
    assert ("fewer actions than slots" in told, left_out) == (True, 3)


@st.composite
def decisions(draw: st.DrawFn) -> list[Decided]:
    """A decision over slots of which each shows an action that is left."""
    first = draw(impressions(draw(st.integers(0, 2**32))))
    assume(not any(map(is_of_slot, first.context)))
    assume(not any("Id" in one.features for one in first.actions))
    left, number = list(first.actions), draw(st.integers(1, len(first.actions)))
    names = draw(st.lists(st.text(min_size=1, max_size=6), min_size=number, max_size=number, unique=True))
    decided = []
    for slot, name in enumerate(names):
        shares = draw(st.lists(st.integers(1, 100), min_size=len(left), max_size=len(left)))
        impression = msgspec.structs.replace(
            first,
            impression_id=f"{first.impression_id}/{slot}",
            context={**first.context, "slot": name, **{f"slot.{one}": value for one, value in draw(FEATURES).items()}},
            actions=list(left),
            chosen=draw(st.integers(0, len(left) - 1)),
            probabilities=[share / sum(shares) for share in shares],
            decision=DecisionSlot(first.impression_id, slot, number),
        )
        assume(contradiction(impression) is None)
        decided.append(Decided(impression, draw(SIGNALS), 0.5))
        del left[impression.chosen]
    return decided


@given(decisions())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back_as_it_was(tmp_path: Path, decided: list[Decided]) -> None:
    lines = DsjsonLines("feed", "Id")
    found = list(read(exported(tmp_path, decided, lines)))
    assert (lines.written, len(found)) == (1, len(decided))
    for one, (impression, feedback) in zip(decided, found, strict=True):
        assert same(impression, one.impression)
        signals = dict.fromkeys(one.signals)
        assert [piece.signal for piece in feedback] == [signal for signal in signals if signal != "none"]


@given(st.lists(decisions(), min_size=20, max_size=20, unique_by=lambda slots: slots[0].impression.impression_id))
@settings(max_examples=2, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_vowpal_wabbit_reads_every_line(tmp_path: Path, made: list[list[Decided]]) -> None:
    exported(tmp_path, [one for slots in made for one in slots], DsjsonLines("feed", "Id"))
    counts, _, _ = by_vowpal(tmp_path / "out.json", kind="--ccb_explore_adf")
    assert counts == [1 + len(slots[0].impression.actions) + len(slots) for slots in made]


def test_vowpal_wabbit_learns_from_it_slot_by_slot(tmp_path: Path) -> None:
    decided = [one for number in range(300) for one in slots(decision=f"d{number}")]
    exported(tmp_path, decided, DsjsonLines("shop", "Id"))
    first = (tmp_path / "out.json").read_text().splitlines()[0]
    counts, _, [(top, side)] = by_vowpal(tmp_path / "out.json", first, kind="--ccb_explore_adf")
    assert counts == [6] * 300  # what is shared, three actions, two slots
    assert top[0][0] == 1  # was good there
    assert dict(side)[2] > dict(side)[0]  # what was shown there was bad
