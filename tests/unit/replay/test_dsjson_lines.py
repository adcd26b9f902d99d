"""DSJSON that is written: `replay` reads it back to the same impressions, and VowpalWabbit learns from it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from groundswell.events import Action, FeatureValue, Impression, contradiction
from streams.replay.dsjson import DecisionLog, DsjsonMapping
from streams.replay.dsjson_export import CostError, Decided, costs_of, export
from streams.replay.dsjson_lines import DsjsonLines, UnwritableError
from tests.unit.replay.reading import read
from tests.unit.replay.vowpal import ODD, by_vowpal, plain

NAMES = st.one_of(
    st.sampled_from(
        ["user", "hour", "User", "User.age", "User.is.new", "Action", "a.", ".a", "a..b", "x._y", "c", "id"]
    ),
    st.text(min_size=1, max_size=8).filter(lambda text: not text.startswith("_")),
)
VALUES = st.one_of(st.text(max_size=8), st.booleans(), st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9))
FEATURES = st.dictionaries(NAMES, VALUES, max_size=4)
SIGNALS = st.lists(
    st.one_of(st.sampled_from(["click", "1.5", "v=like", "0", "-"]), st.text(min_size=1, max_size=20)), max_size=3
)


@st.composite
def impressions(draw: st.DrawFn, number: int = 0) -> Impression:
    ids = draw(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=4, unique=True))
    shares = draw(st.lists(st.integers(1, 100), min_size=len(ids), max_size=len(ids)))
    features = draw(st.lists(FEATURES, min_size=len(ids), max_size=len(ids)))
    return Impression(
        schema_version=1,
        impression_id=f"i{number}",
        occurred_at=draw(st.integers(4_102_444_800, 1_790_000_000_000)),  # not in seconds, nor in the future
        model="feed",
        context=draw(FEATURES),
        actions=[Action(id, one) for id, one in zip(ids, features, strict=True)],
        chosen=draw(st.integers(0, len(ids) - 1)),
        probabilities=[share / sum(shares) for share in shares],
        weight=draw(st.sampled_from([1.0, 2.0, 4.0, 1000.0])),
    )


def same(found: Impression, impression: Impression) -> bool:
    """Say whether two impressions are the same, the weight but for rounding."""
    weights = [one.weight for one in (found, impression)]
    return weights == pytest.approx([impression.weight] * 2, rel=1e-9) and found == msgspec.structs.replace(
        impression, weight=found.weight
    )


def written(folder: Path, decided: Sequence[Decided], lines: DsjsonLines, **costs: float) -> DecisionLog:
    """Return what `replay` finds in the file that is written of decisions."""
    path = folder / "out.json"
    exported = export(path, lines, iter(decided), costs or None)
    return DecisionLog(path, DsjsonMapping.model_validate(tomllib.loads(exported.mapping.read_text("utf-8"))))


@given(impressions(), SIGNALS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_written_is_read_back_as_it_was(tmp_path: Path, impression: Impression, signals: list[str]) -> None:
    assume(contradiction(impression) is None)
    assume(not any("Id" in one.features for one in impression.actions))
    log = written(tmp_path, [Decided(impression, signals, 0.5)], DsjsonLines("feed", "Id"))
    [(found, feedback)] = read(log)
    assert same(found, impression)
    assert [one.signal for one in feedback] == list(dict.fromkeys(one for one in signals if one != "none"))


@given(impressions(), st.sampled_from(["TAction.id", "id", "a.b.c"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_actions_that_have_their_id_as_a_feature_keep_it(tmp_path: Path, impression: Impression, name: str) -> None:
    actions = [Action(one.id, {**one.features, name: one.id}) for one in impression.actions]
    impression = msgspec.structs.replace(impression, actions=actions)
    assume(contradiction(impression) is None)
    [(found, _)] = read(written(tmp_path, [Decided(impression, [], None)], DsjsonLines("feed", name)))
    assert same(found, impression)


def test_a_line_has_its_label_before_its_context_and_what_it_costs() -> None:
    line = DsjsonLines("feed", definitely_bad={"skip"}).line(plain(weight=4.0), ["skip", "skip", "none"], -1.0)
    assert line == (
        b'{"_label_cost":-1.0,"_label_probability":0.7,"_label_Action":2,"_labelIndex":1,'
        b'"Timestamp":"2026-11-22T01:20:00.000Z","Version":"1","EventId":"i","pdrop":0.75,"a":[2,1,3],"p":[0.7,0.2,0.1],'
        b'"c":{"user":"ann","_multi":[{"Action":{"id":"a"}},{"Action":{"id":"b"}},{"Action":{"id":"c"}}]},'
        b'"o":[{"v":{"v=skip":1},"_definitely_bad":true}]}\n'
    )


def test_a_probability_alone_is_that_of_the_shown_action_and_the_others_share_the_rest(tmp_path: Path) -> None:
    lines = DsjsonLines("feed")
    log = written(tmp_path, [Decided(plain(probabilities=None, propensity=0.5), [], None)], lines)
    [(found, _)] = read(log)
    assert (found.probabilities, lines.spread) == ([0.25, 0.5, 0.25], 1)


def test_what_no_line_can_say_is_left_out_and_told(tmp_path: Path) -> None:
    lines = DsjsonLines("feed")
    decided = [
        Decided(plain(weight=0.5), [], 1.0),
        Decided(plain(weight=1e7), [], 1.0),
        Decided(plain(actions=[Action("a")], chosen=0, probabilities=None, propensity=0.5), [], 1.0),
        Decided(plain(context={"_tag": "x", "user": "ann"}), [], None),
    ]
    exported = export(tmp_path / "out.json", lines, iter(decided), None)
    told = "\n".join(exported.in_words())
    for said in (
        "1 line written",
        "left out: 2 impressions with a weight that is not from 1 to 1e+06",
        "left out: 1 impression with a single action",
        "feature '_tag' is not written (1 times)",
        "1 impression has no reward yet",
    ):
        assert said in told


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        ([Action("a", {"Action.id": "other"})], "has a feature 'Action.id', 'other': choose another name"),
        ([Action("a", {"Action.id": "a"}), Action("b")], "has no feature 'Action.id', and others have"),
        ([Action("a"), Action("b", {"Action.id": "b"})], "has a feature 'Action.id', 'b'"),
    ],
)
def test_a_name_that_tells_no_actions_apart_is_refused(actions: list[Action], said: str) -> None:
    shares = [1 / len(actions)] * len(actions)
    with pytest.raises(UnwritableError, match=said):
        DsjsonLines("feed").line(plain(actions=actions, chosen=0, probabilities=shares), [])


def test_of_a_file_that_cannot_be_written_to_its_end_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("before")
    other = plain(actions=[Action("a", {"Action.id": "other"})], chosen=0, probabilities=[1.0])
    with pytest.raises(UnwritableError):
        export(
            tmp_path / "out.json", DsjsonLines("feed"), iter([Decided(one, [], 0.0) for one in (plain(), other)]), None
        )
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("out.json", "before")]


@pytest.mark.parametrize("name", ["_id", "a._b", "", "a.", "."])
def test_a_name_that_would_not_be_read_is_refused(name: str) -> None:
    with pytest.raises(UnwritableError, match="must be a name"):
        DsjsonLines("feed", name)


@pytest.mark.parametrize("given", ["click", "=1", "click=", "click=nan", "click=inf", "click=-1e7"])
def test_costs_that_are_none_are_refused(given: str) -> None:
    with pytest.raises(CostError, match="a cost is SIGNAL=NUMBER"):
        costs_of([given])


def test_costs_are_those_of_the_signals_or_minus_the_reward(tmp_path: Path) -> None:
    assert costs_of(["click=-1", "a=b=2.5"]) == {"click": -1.0, "a=b": 2.5}
    decided = [Decided(plain(), ["click", "share", "other"], 0.25), Decided(plain(), [], None)]
    for costs, expected in ((None, [-0.25, 0.0]), ({"click": -1.0, "share": -2.0}, [-3.0, 0.0])):
        export(tmp_path / "out.json.gz", DsjsonLines("feed"), iter(decided), costs)
        export(tmp_path / "out.json", DsjsonLines("feed"), iter(decided), costs)
        lines = (tmp_path / "out.json").read_text().splitlines()
        assert [json.loads(line)["_label_cost"] for line in lines] == expected


def test_vowpal_wabbit_reads_odd_lines(tmp_path: Path) -> None:
    decided = [
        Decided(plain(context=context, actions=[Action(one) for one in ids], **more), ["\0", "1.5", 'a"b', "😀"], 1.0)
        for context, ids, more in ODD
    ]
    export(tmp_path / "out.json", DsjsonLines("feed"), iter(decided), None)
    counts, weight, _ = by_vowpal(tmp_path / "out.json")
    assert counts == [4] * len(ODD)
    assert weight == pytest.approx(1e6 + len(ODD) - 1, rel=0.1)  # it has 24 bits for pdrop


@given(st.lists(st.tuples(impressions(), SIGNALS), min_size=20, max_size=20))
@settings(max_examples=2, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None)
def test_vowpal_wabbit_reads_every_line(tmp_path: Path, made: list[tuple[Impression, list[str]]]) -> None:
    fit = [Decided(one, signals, 0.5) for one, signals in made if contradiction(one) is None]
    fit = [one for one in fit if not any("Id" in action.features for action in one.impression.actions)]
    export(tmp_path / "out.json", DsjsonLines("feed", "Id"), iter(fit), None)
    counts, _, _ = by_vowpal(tmp_path / "out.json")
    assert counts == [len(one.impression.actions) + 1 for one in fit]


def test_vowpal_wabbit_learns_from_the_lines(tmp_path: Path) -> None:
    likes = {"ann": 0, "bob": 2}
    decided = []
    for number in range(1_200):
        user, chosen = ("ann", "bob")[number % 2], number // 2 % 3
        context: dict[str, FeatureValue] = {"user": user, "Client.device": "phone"}
        shown = plain(
            impression_id=f"i{number}", context=context, chosen=chosen, probabilities=[0.5, 0.25, 0.25], weight=2.0
        )
        decided.append(Decided(shown, [], float(likes[user] == chosen)))
    export(tmp_path / "out.json", DsjsonLines("feed"), iter(decided), None)
    lines = DsjsonLines("feed")
    asked = [(lines.line(plain(context={"user": user}), []) or b"").decode() for user in likes]
    counts, weight, played = by_vowpal(tmp_path / "out.json", *asked)
    assert set(counts) == {4}
    assert weight > 0
    for (user, best), shares in zip(likes.items(), played, strict=True):
        assert shares[best] == pytest.approx(1 - 0.1 + 0.1 / 3, abs=1e-3), user
