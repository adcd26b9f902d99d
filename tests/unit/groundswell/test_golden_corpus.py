"""The golden corpus: what this code makes of it, and what a program by docs/policy-format.md alone makes of it."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import golden_controls
from tests.golden_corpus import ACTIONS, CONTEXTS, FOLDER, REFUSED, corpus, policies

SPECIFICATION = (Path(__file__).parents[3] / "docs" / "policy-format.md").read_text()
[PROGRAM] = re.findall(r"```python\n(.*?)```", SPECIFICATION, re.DOTALL)
MOST_BYTES = 300_000
MADE = {**corpus(), **golden_controls.corpus()}
NAMES = ["decisions.json", "records.json", "draws.json", "controls.json"]


@pytest.fixture(scope="module")
def documented() -> dict[str, Callable[..., Any]]:
    names: dict[str, Callable[..., Any]] = {}
    exec(PROGRAM, names)
    return names


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def bits(numbers: list[float]) -> list[bytes]:
    return [struct.pack("<d", number) for number in numbers]


@pytest.mark.parametrize("name", NAMES)
def test_the_corpus_is_not_stale(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == MADE[name], "run `make corpus`, and look at what changed"


def test_the_corpus_is_these_files_and_small() -> None:
    files = [path for path in FOLDER.iterdir() if path.suffix == ".json"]
    assert {path.name for path in files} == set(NAMES)
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


def test_a_program_by_the_specification_decides_to_the_bit(documented: dict[str, Callable[..., Any]]) -> None:
    file = read("decisions.json")
    for one in file["decisions"]:
        document = documented["checked"](file["policies"][one["policy"]].encode())
        asked = document, file["contexts"][one["context"]], file["actions"][one["actions"]]
        told = one["policy"], one["context"], one["actions"]
        assert bits(documented["scores"](*asked)) == bits(one["scores"]), told
        found = documented["probabilities"](*asked)
        if document["exploration"]["kind"] == "softmax":
            assert found == pytest.approx(one["probabilities"], rel=0, abs=1e-12), told
        else:
            assert bits(found) == bits(one["probabilities"]), told
        for u, index in one["draws"]:
            assert documented["draw"](found, u) == index, (told, u)


def test_a_program_by_the_specification_draws_the_same(documented: dict[str, Callable[..., Any]]) -> None:
    for one in read("draws.json"):
        for u, index in one["draws"]:
            assert documented["draw"](one["probabilities"], u) == index, (one["probabilities"], u)


def test_a_program_by_the_specification_goes_by_controls(documented: dict[str, Callable[..., Any]]) -> None:
    file = read("controls.json")
    for one in file["places"]:
        assert documented["place"](one["model"], one["feature"], one["value"]) == one["place"], one
    followed = [one for one in file["sequences"] if one["to_the_end"] and not one["trusted"] and not one["refused"]]
    for told in followed:
        key, newest, pinned = told["model"].encode(), json.loads(file["newest"]) if told["newest"] else None, None
        records: dict[bytes, bytes] = {}
        for record in told["records"]:
            if record["key"] and record["value"]:
                records[record["key"].encode()] = record["value"].encode()
            control = json.loads(records[key]) if key in records else None
            beside = documented["whole_value"](key + b"\0pinned", records)
            if control and beside and documented["checked"](beside)["version"] == control.get("policy_version"):
                pinned = documented["checked"](beside)
        for one in told["decisions"]:
            context = file["contexts"][one["context"]]
            by, *said = documented["chosen"](control if records else None, context, newest, pinned)
            assert [by and by["version"], *said] == [one["policy_version"], one["mode"], one["side"]], told["name"]
            if by is not None:
                assert bits(documented["probabilities"](by, context, file["actions"])) == bits(one["probabilities"])
    assert len(followed) > 20


def test_controls_are_of_every_mode_and_side() -> None:
    found = [one for told in read("controls.json")["sequences"] for one in told["decisions"]]
    assert {(one["mode"], one["side"]) for one in found} == {
        *((mode, None) for mode in (None, "online", "log-only", "apprentice", "frozen")),
        ("canary", "canary"),
        ("canary", "rest"),
    }
    assert {one["policy_version"] for one in found} == {None, 100, 200}


def test_decisions_are_of_every_kind() -> None:
    decided = read("decisions.json")["decisions"]
    assert {one["policy"] for one in decided} == set(policies())
    assert {one["context"] for one in decided} == set(CONTEXTS)
    assert {one["actions"] for one in decided} == set(ACTIONS)
    assert sum(any(one["scores"]) for one in decided) > len(decided) / 2
    assert sum(len(set(one["scores"])) > 2 for one in decided) > len(decided) / 10


def test_what_is_refused_is_refused_though_its_checksum_is_right(documented: dict[str, Callable[..., Any]]) -> None:
    found = {one["name"].removeprefix("refused: "): one for one in read("records.json")}
    for name in REFUSED:
        assert (found[name]["adopted"], found[name]["refused"]) == ([False], 1), name
        [record] = found[name]["records"]
        documented["checked"](record["value"].encode())


def test_records_are_put_together_as_the_specification_puts_them(documented: dict[str, Callable[..., Any]]) -> None:
    believed = [one for one in read("records.json") if not one["trusted"] and not one["refused"]]
    for one in believed:
        newest: dict[bytes, bytes | None] = {}
        version = None
        for key, value in [(record["key"], record.get("value")) for record in one["records"] if record["key"]]:
            newest[key.encode()] = None if value is None else value.encode()
            whole = documented["whole_value"](one["model"].encode(), newest) if key == one["model"] else None
            if whole is not None:
                version = max(version or 0, documented["checked"](whole)["version"])
        assert version == one["version"], one["name"]
    assert len(believed) > 20
