"""What docs/clients.md tells the authors of apps is true: its messages, its policy evaluation, its keys."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from groundswell import policy
from groundswell.chunks import split
from groundswell.events import Feedback, Impression, contradiction
from streams.worker.outputs import contract_partition
from tests.policy_decisions import Decision, as_json, close_to, decisions, drawn, probabilities

TEXT = (Path(__file__).parents[3] / "docs" / "clients.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
MESSAGES = [block for language, block in BLOCKS if language == "json"]
PYTHON = next(block for language, block in BLOCKS if language == "python" and "def scores" in block)
JAVASCRIPT = next(block for language, block in BLOCKS if language == "javascript" and "function scores" in block)


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
    decision: Decision,
) -> None:
    snapshot, context, actions = decision
    document = documented["checked"](policy.encode(snapshot))
    found = documented["probabilities"](document, context, msgspec.to_builtins(actions))
    assert found == close_to(probabilities(decision))


@given(decision=decisions())
@settings(max_examples=5)
def test_the_python_refuses_a_damaged_policy(
    documented: dict[str, Callable[..., Any]],
    decision: Decision,
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
    cases = drawn(200)
    (tmp_path / "policy.mjs").write_text(JAVASCRIPT)
    (tmp_path / "main.mjs").write_text(
        'import { readFileSync } from "node:fs";\n'
        'import { checked, probabilities } from "./policy.mjs";\n'
        'const cases = JSON.parse(readFileSync("cases.json", "utf8"));\n'
        "console.log(JSON.stringify(cases.map(([document, context, actions]) =>\n"
        "  probabilities(checked(Buffer.from(document)), context, actions))));\n"
    )
    (tmp_path / "cases.json").write_text(as_json(cases))
    run = subprocess.run(["node", "main.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    for found, decision in zip(json.loads(run.stdout), cases, strict=True):
        assert found == close_to(probabilities(decision))
