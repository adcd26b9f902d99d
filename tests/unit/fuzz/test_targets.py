"""What is fuzzed: good inputs pass, what was found once stays mended, and a fault that is planted is found."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from experiments.fuzz import (
    admission,
    changelog,
    checkpoints,
    controls,
    interactions,
    pages,
    policies,
    signatures,
)
from experiments.fuzz.drawn import described, drawn
from experiments.fuzz.engine import CORPUS, Finds, compiled_modules, signature
from experiments.fuzz.messages import interaction
from experiments.fuzz.mutation import mutated_json, mutated_tree
from experiments.fuzz.replayed import mapping_text
from experiments.fuzz.target import NAMES, Target, ViolationError, find
from groundswell import chunks
from groundswell import controls as controls_of_apps
from groundswell.client.acting import Acting, Chosen
from groundswell.events import Feedback, Impression, Interaction, Watermark
from groundswell.exploration import Exploration
from groundswell.policy import Policy
from groundswell.signatures import Verifier
from processors.admission import event_records
from processors.learners.learner import Learner
from processors.wire import packed_arrays
from state import segment_table
from state.join_journal import JoinJournal
from streams.http.live_page import LivePage
from streams.kafka.whole_batches import WholeBatch
from streams.replay.dsjson import DecisionLog
from tests.unit.groundswell.test_newest_snapshot import snapshot

SMALL = 64_000
"""Bytes of all inputs that are kept."""
KEPT = [path for name in NAMES for path in sorted((CORPUS / name).glob("*"))]


@pytest.mark.parametrize("name", NAMES)
def test_good_inputs_pass_and_so_do_some_that_are_changed(name: str) -> None:
    target, rng = find(name), Random(name)
    for data in list(target.seeds())[:4]:
        target.check(data)
        for _ in range(3):
            target.check(target.mutated(data, rng) or data[: rng.randint(0, len(data))])


@pytest.mark.parametrize("path", KEPT, ids=[f"{path.parent.name}-{path.name}" for path in KEPT])
def test_what_was_found_once_is_mended(path: Path) -> None:
    find(path.parent.name).check(path.read_bytes())


def test_what_is_kept_is_small() -> None:
    assert sum(path.stat().st_size for path in KEPT) <= SMALL


@pytest.mark.parametrize("kind", [Impression, Feedback, Watermark])
def test_many_messages_that_are_drawn_fit_their_type(kind: Any) -> None:
    fit = 0
    for seed in range(200):
        try:
            msgspec.convert(drawn(described(kind), Random(seed)), kind)
        except (msgspec.ValidationError, TypeError, UnicodeEncodeError):
            continue
        fit += 1
    assert 3 < fit < 200, "and some are just beyond a bound"


def test_changes_are_those_of_their_seed_and_reach_every_member() -> None:
    good = msgspec.json.encode(interaction(0))
    kind = described(Interaction)
    assert [mutated_json(good, kind, Random(n)) for n in range(50)] == [
        mutated_json(good, kind, Random(n)) for n in range(50)
    ]
    tree = json.loads(good)
    changed = [mutated_tree(tree, kind, Random(n)) for n in range(500)]
    objects = [one for one in changed if isinstance(one, dict)]
    assert {name for name in tree if any(one.get(name) != tree[name] for one in objects)} == set(tree)
    assert any(
        "value" not in piece for one in objects for piece in one.get("feedback") or () if isinstance(piece, dict)
    )


def _first(target: Target) -> bytes:
    return next(iter(target.seeds()))


def _raise(*_: Any, **__: Any) -> Any:
    raise KeyError("what nobody thought of")


@pytest.mark.parametrize(
    ("target", "owner", "name", "fault"),
    [
        (admission.TARGET, event_records, "_shown", _raise),
        (admission.TARGET, Learner, "learn_stretch", _raise),
        (interactions.TARGET, Learner, "learn_stretch", _raise),
        (policies.TARGET, Exploration, "impossible", lambda _: "it is of no use"),
        (policies.TARGET, chunks, "_read", _raise),
        (controls.TARGET, Acting, "chosen", lambda *_: Chosen(Policy(snapshot(99)), "pinned", "frozen")),
        (controls.TARGET, controls_of_apps, "contradiction", lambda _: "it is of no use"),
        (checkpoints.TARGET, packed_arrays, "_made", _raise),
        (changelog.TARGET, segment_table, "_decode_segment", _raise),
        (changelog.TARGET, JoinJournal, "_restored", lambda journal, _: journal._mark),
        (signatures.TARGET, Verifier, "refusal", lambda *_: None),
        (signatures.TARGET, WholeBatch, "_unpacked", _raise),
        (find("dsjson"), DecisionLog, "outcomes", lambda *_: iter(())),
        (pages.TARGET, LivePage, "now", _raise),
    ],
)
def test_a_planted_fault_is_found(
    monkeypatch: pytest.MonkeyPatch, target: Target, owner: Any, name: str, fault: Callable[..., Any]
) -> None:
    for data in target.seeds():
        target.check(data)
    monkeypatch.setattr(owner, name, fault)
    found = 0
    for data in target.seeds():
        try:
            target.check(data)
        except Exception:  # whatever comes of it
            found += 1
    assert found


def test_a_checkpoint_is_changed_behind_its_checksum() -> None:
    changes = [[[0, "offset"], 7], [[0, "lineages"]], [[0, "models", "plain", "seen", "content"], 0, b"\xff"]]
    plain = msgspec.msgpack.decode(checkpoints.document(msgspec.msgpack.encode({"base": "plain", "changes": changes})))
    good = msgspec.msgpack.decode(checkpoints.base("plain"))
    assert (plain["offset"], "lineages" in plain) == (7, False)
    assert plain["models"]["plain"]["seen"]["content"][1:] == good["models"]["plain"]["seen"]["content"][1:]
    assert plain["models"]["plain"]["seen"]["content"][:1] == b"\xff"


def test_a_mapping_goes_through_toml() -> None:
    tree = {"model": 'a"\n\x7f', "n": {"x": [1, 2.5, True, float("inf")]}, "none": None}
    assert tomllib.loads(mapping_text(tree)) == {name: one for name, one in tree.items() if one is not None}


def test_of_each_find_the_smallest_input_is_kept_with_what_it_raised(tmp_path: Path) -> None:
    def check(data: bytes) -> None:
        if len(data) > 2:
            raise ViolationError("too long")
        if data:
            int(data)

    finds = Finds(Target("x", check, lambda: [b""], lambda data, rng: data), tmp_path)
    for data in (b"", b"xxxxxx", b"yyy", b"1", b"zz", b"zzzzz"):
        finds.check(data)
    kept = {path.name.split("-")[1]: path.read_bytes() for path in tmp_path.glob("found-*") if path.suffix != ".txt"}
    assert kept == {"ViolationError": b"yyy", "ValueError": b"zz"}
    assert "too long" in next(tmp_path.glob("found-ViolationError-*.txt")).read_text()


def test_a_find_is_told_by_where_it_was_raised() -> None:
    def of(data: bytes) -> str:
        try:
            chunks.assemble(data, {data: b'{"kind":"chunked"' + data})
        except chunks.ManifestError as error:
            return signature(error)
        raise AssertionError

    assert of(b"a") == of(b"b")


def test_what_numba_compiles_is_not_instrumented() -> None:
    assert {"processors.learners.kernel", "processors.wire.value_counts", "processors.compiled"} <= set(
        compiled_modules()
    )
