"""What docs/clients.md tells the authors of apps is true: its messages, its policy evaluation, its keys."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings
from msgspec import UNSET, UnsetType

from groundswell import policy
from groundswell.chunks import split
from groundswell.events import Action, FeatureValue, Feedback, Impression, contradiction
from groundswell.exploration import Exploration
from groundswell.features import Feature, action_features, context_features, crossed
from groundswell.policy import InDoubt, Policy, PolicySnapshot, Weights
from streams.worker.outputs import contract_partition

TEXT = (Path(__file__).parents[3] / "docs" / "clients.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
MESSAGES = [block for language, block in BLOCKS if language == "json"]
PYTHON = next(block for language, block in BLOCKS if language == "python" and "def scores" in block)
JAVASCRIPT = next(block for language, block in BLOCKS if language == "javascript" and "function scores" in block)

values = st.one_of(st.text("ab=é🙂", max_size=3), st.booleans(), st.integers(-3, 3), st.floats(-2e9, 2e9, width=32))
named = st.dictionaries(st.text("abcé", min_size=1, max_size=3), values, max_size=4)
explorations = st.one_of(
    st.builds(Exploration, st.just("epsilon-greedy"), st.floats(0, 1)),
    st.builds(Exploration, st.just("squarecb"), st.floats(0.1, 100)),
    st.builds(Exploration, st.just("softmax"), st.floats(0.05, 10)),
)


def doubts(features: list[Feature]) -> st.SearchStrategy[InDoubt | UnsetType]:
    """Return doubts about some of a context's features, the constant among them, or about another context."""
    keys = st.lists(st.sampled_from([17, *(key for key, _ in features)]), min_size=1, max_size=3)
    return st.one_of(st.just(UNSET), st.builds(InDoubt, st.floats(0, 1), keys.map(sorted)))


@st.composite
def decisions(draw: st.DrawFn) -> tuple[PolicySnapshot, dict[str, FeatureValue], list[Action]]:
    """Return a snapshot with weights for some of the features of a context and actions."""
    context = draw(named)
    actions = [Action(id=f"a{number}", features=draw(named)) for number in range(draw(st.integers(3, 5)))]
    crosses = draw(st.booleans())
    keys = sorted(
        {
            crossed(g, h) % 2**18
            for g, _ in context_features(context, crosses)
            for action in actions
            for h, _ in action_features(action)
        }
    )
    # Eighths, so that sums in another order are the same and ties are ties in every language.
    weights = draw(st.lists(st.integers(-80, 80), min_size=len(keys), max_size=len(keys)))
    snapshot = PolicySnapshot(
        model="feed",
        version=9,
        parent=4,
        bits=18,
        context_crosses=crosses,
        shared_weights=draw(st.booleans()),
        exploration=draw(explorations),
        in_doubt=draw(doubts(context_features(context, crosses))),
        bandit=Weights(keys, [weight / 8 for weight in weights]),
        inverse_kinematics=None,
        configuration="",
    )
    return snapshot, context, actions


@pytest.fixture(scope="module")
def documented() -> dict[str, Callable[..., Any]]:
    names: dict[str, Callable[..., Any]] = {}
    exec(PYTHON, names)
    return names


def test_the_example_messages_keep_the_contract() -> None:
    impression = msgspec.json.decode(MESSAGES[0], type=Impression)
    feedback = msgspec.json.decode(MESSAGES[1], type=Feedback)
    assert contradiction(impression) is None
    assert feedback.impression_id == impression.impression_id
    assert feedback.occurred_at > impression.occurred_at


def test_the_example_keys_lie_where_they_are_said_to_lie() -> None:
    examples = re.findall(r"`(imp-\d+)` belongs on (\d)", TEXT)
    assert {int(partition) for _, partition in examples} == {0, 1, 2, 3}
    for key, partition in examples:
        assert contract_partition(key.encode(), 4) == int(partition)


@given(decision=decisions())
def test_the_python_evaluates_any_policy_as_groundswell_does(
    documented: dict[str, Callable[..., Any]],
    decision: tuple[PolicySnapshot, dict[str, FeatureValue], list[Action]],
) -> None:
    snapshot, context, actions = decision
    document = documented["checked"](policy.encode(snapshot))
    found = documented["probabilities"](document, context, msgspec.to_builtins(actions))
    assert found == pytest.approx(Policy(snapshot).probabilities(context, actions), rel=1e-6, abs=1e-9)


@given(decision=decisions())
@settings(max_examples=5)
def test_the_python_refuses_a_damaged_policy(
    documented: dict[str, Callable[..., Any]],
    decision: tuple[PolicySnapshot, dict[str, FeatureValue], list[Action]],
) -> None:
    with pytest.raises(ValueError, match="checksum"):
        documented["checked"](policy.encode(decision[0]).replace(b'"version":9', b'"version":8'))


def test_the_python_puts_chunks_together_only_if_all_are_there(
    documented: dict[str, Callable[..., Any]],
) -> None:
    value = bytes(range(256)) * 8000
    records = dict(split(b"feed", value, 0)[0])
    whole_value = documented["whole_value"]
    assert whole_value(b"feed", records) == value
    for key in list(records)[:-1]:
        assert whole_value(b"feed", {one: piece for one, piece in records.items() if one != key}) is None
    assert whole_value(b"feed", {b"feed": b"{}"}) == b"{}"
    assert whole_value(b"feed", {}) is None


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node to run the JavaScript of the docs")
def test_the_javascript_evaluates_policies_as_groundswell_does(tmp_path: Path) -> None:
    cases: list[tuple[PolicySnapshot, dict[str, FeatureValue], list[Action]]] = []

    @given(decision=decisions())
    @settings(max_examples=60, database=None)
    def collect(decision: tuple[PolicySnapshot, dict[str, FeatureValue], list[Action]]) -> None:
        cases.append(decision)

    collect()
    (tmp_path / "policy.mjs").write_text(JAVASCRIPT)
    (tmp_path / "main.mjs").write_text(
        'import { readFileSync } from "node:fs";\n'
        'import { checked, probabilities } from "./policy.mjs";\n'
        'const cases = JSON.parse(readFileSync("cases.json", "utf8"));\n'
        "console.log(JSON.stringify(cases.map(([document, context, actions]) =>\n"
        "  probabilities(checked(Buffer.from(document)), context, actions))));\n"
    )
    (tmp_path / "cases.json").write_text(
        json.dumps(
            [(policy.encode(one).decode(), known, msgspec.to_builtins(offered)) for one, known, offered in cases]
        )
    )
    run = subprocess.run(["node", "main.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    for found, (snapshot, context, actions) in zip(json.loads(run.stdout), cases, strict=True):
        assert found == pytest.approx(Policy(snapshot).probabilities(context, actions), rel=1e-6, abs=1e-9)
