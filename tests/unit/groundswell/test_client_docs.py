"""What docs/clients.md and docs/policy-format.md tell the authors of apps is true: messages, keys, evaluation."""

from __future__ import annotations

import re
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
from tests.policy_decisions import Decision, close_to, decisions, probabilities

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "clients.md").read_text()
MESSAGES = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
SPECIFICATION = (DOCS / "policy-format.md").read_text()
[PYTHON] = re.findall(r"```python\n(.*?)```", SPECIFICATION, re.DOTALL)


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
