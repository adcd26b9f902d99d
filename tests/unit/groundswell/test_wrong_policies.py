"""Policies that somebody else wrote: refused with one error, or decided by with probabilities that sum to 1."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell import policy
from groundswell.chunks import split
from groundswell.events import Action
from groundswell.exploration import Exploration
from groundswell.newest_snapshot import NewestSnapshot
from groundswell.policy import InDoubt, Policy, PolicyError, PolicySnapshot, Weights
from processors.learners.learner_choice import learner_for
from processors.models.config import ModelConfig
from tests.unit.rounds import uniform_log

CONTEXTS: list[dict[str, Any]] = [{"user": "u1"}, {"user": "u2", "age": 1e9, "height": -1e9}, {}]
ACTIONS = [Action("a"), Action("b", {"length": 1e9}), Action("c", {"kind": "odd"})]
NASTY: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [None, True, -1, 0, 1, 2, 33, 64, 2**31, 2**32, 2**63, 2**64, -(2**63), 1e100, 1e308, -1e308, 5e-324]
    ),
    st.sampled_from(["", "feed", "softmax", "squarecb", "epsilon-greedy", [], {}, [0], [1, 1], [2, 1], [1e308] * 3]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
)


def learned() -> dict[str, Any]:
    learner = learner_for(ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), hash_bits=8))
    learner.learn(uniform_log(100))
    found: dict[str, Any] = json.loads(policy.encode(learner.snapshot(50)))
    return found | {
        "in_doubt": {"floor": 0.1, "features": [0, 7]},
        "inverse_kinematics": {"indices": [3], "values": [1]},
    }


DOCUMENT = learned()


def published(document: dict[str, Any]) -> bytes:
    """Return a document with a right checksum."""
    text = json.dumps({**document, "checksum": ""}, separators=(",", ":")).encode()
    # The checksum is of the document as a worker writes it: what is read as the same is.
    try:
        snapshot = msgspec.json.decode(text, type=PolicySnapshot)
    except msgspec.MsgspecError:
        return text[:-2] + sha256(text).hexdigest().encode() + b'"}'
    return policy.encode(snapshot)


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    members = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in members:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document = copy.deepcopy(document)
    held: Any = document
    for key in path[:-1]:
        held = held[key]
    held[path[-1]] = value
    return document


def assert_usable(snapshot: PolicySnapshot) -> None:
    for context in CONTEXTS:
        found = Policy(snapshot).probabilities(context, ACTIONS)
        assert math.isclose(math.fsum(found), 1.0)
        assert all(0.0 <= one <= 1.0 for one in found)
    assert 0 <= snapshot.occupancy <= 1


def test_the_document_that_is_changed_below_is_a_good_one() -> None:
    assert_usable(policy.decode(published(DOCUMENT)))


FEW = [path for path in places(DOCUMENT) if len(path) < 3 or path[-1] in {0, 1, 7}]


@settings(max_examples=500)
@given(path=st.sampled_from(FEW), value=NASTY)
def test_line_16_with_anything_changed_it_is_refused_with_one_error_or_usable(
    path: tuple[Any, ...], value: Any
) -> None:
    try:
        snapshot = policy.decode(published(changed(DOCUMENT, path, value)))
    except PolicyError:
        return
    assert_usable(snapshot)


@settings(max_examples=300)
@given(
    bits=st.integers(1, 32),
    kind=st.sampled_from(["epsilon-greedy", "squarecb", "softmax"]),
    parameter=st.floats(0, 1) | st.floats(1e-100, 1e100),
    values=st.lists(st.floats(-1e100, 1e100), max_size=2),
    floor=st.floats(0, 1),
)
def test_whatever_is_believed_gives_probabilities(
    bits: int, kind: Any, parameter: float, values: list[float], floor: float
) -> None:
    snapshot = PolicySnapshot(
        model="feed", version=1, parent=None, bits=bits, context_crosses=True, shared_weights=True,
        exploration=Exploration(kind, parameter), in_doubt=InDoubt(floor, [0]),
        bandit=Weights(list(range(len(values))), values), inverse_kinematics=None, configuration="",
    )  # fmt: skip
    try:
        believed = policy.decode(policy.encode(snapshot))
    except PolicyError:
        return
    assert_usable(believed)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("exploration", "parameter"), 1.5, "with the parameter 1.5"),
        (("exploration",), {"kind": "softmax", "parameter": 0}, "softmax with the parameter 0"),
        (("exploration",), {"kind": "squarecb", "parameter": -1}, "squarecb with the parameter -1"),
        (("bits",), 10**9, "<= 32"),
        (("bits",), 2, "beyond its 2 bits"),
        (("bandit", "indices", 0), 2**40, "indices"),
        (("bandit", "indices", 0), 255, "do not ascend"),
        (("bandit", "values"), [1.0], "indices of 1 weights"),
        (("version",), -1, ">= 0"),
        (("in_doubt", "floor"), 7, "<= 1"),
    ],
)
def test_line_16_impossible_explorations_bits_and_indices_are_refused_and_the_last_good_one_kept(
    path: tuple[Any, ...], value: Any, says: str
) -> None:
    spoilt = published({**changed(DOCUMENT, path, value), **({} if path == ("version",) else {"version": 900})})
    with pytest.raises(PolicyError, match=says):
        policy.decode(spoilt)
    newest = NewestSnapshot("feed")
    assert newest.offer(b"feed", published(DOCUMENT))
    kept = newest.snapshot
    assert not newest.offer(b"feed", spoilt)
    assert (newest.snapshot, newest.refused) == (kept, 1)


KEYS = st.sampled_from(
    [b"feed", b"feed\0" + b"0\0" + b"0", b"feed\0" + b"1\0" + b"0", b"feed\0x", b"feed\0" + b"0\0" + b"01"]
)
HEADS = st.builds(
    lambda slot, chunks, digest: json.dumps(
        {"kind": "chunked", "slot": slot, "chunks": chunks, "sha256": digest}, separators=(",", ":")
    ).encode(),
    NASTY,
    NASTY,
    st.sampled_from(["", "0" * 64, sha256(b"x").hexdigest()]),
)


@settings(max_examples=300)
@given(st.lists(st.tuples(KEYS, HEADS | st.binary(max_size=20) | st.none()), max_size=8))
def test_line_16_whatever_is_written_under_a_models_keys_the_last_good_policy_is_kept(
    records: list[tuple[bytes, bytes | None]],
) -> None:
    newest = NewestSnapshot("feed")
    assert newest.offer(b"feed", published(DOCUMENT))
    kept = newest.snapshot
    for key, value in records:
        assert not newest.offer(key, value)
    assert newest.snapshot == kept
    assert newest.offer(b"feed", published({**DOCUMENT, "version": 10**6}))


def test_a_policy_under_the_key_of_another_model_is_refused() -> None:
    newest = NewestSnapshot("shop")
    assert not newest.offer(b"shop", published(DOCUMENT))
    assert newest.refused == 1


def test_what_is_kept_of_chunks_is_bounded_by_how_many_a_value_has() -> None:
    newest = NewestSnapshot("feed")
    for number in range(5_000):
        newest.offer(b"feed\0%d\0%d" % (number % 5, number), b"x")
    assert len(newest._records) <= 2_000


def test_nesting_beyond_all_measure_is_refused() -> None:
    with pytest.raises(PolicyError):
        policy.decode(b'{"unknown":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_all_that_a_worker_publishes_is_believed() -> None:
    large = Weights(list(range(100_000)), [0.1] * 100_000)
    snapshot = msgspec.structs.replace(policy.decode(published(DOCUMENT)), bits=18, bandit=large)
    newest = NewestSnapshot("feed")
    offered = [newest.offer(*record) for record in split(b"feed", policy.encode(snapshot), 0)[0]]
    assert offered == [False] * (len(offered) - 1) + [True]


@pytest.mark.parametrize("more", [b'\xed\xa0\x80":1}', b'"sha256":"\xff"}', b'"x":' + b"[" * 100_000])
def test_a_manifest_that_is_no_utf_8_is_passed_over(more: bytes) -> None:
    newest = NewestSnapshot("feed")
    assert newest.offer(b"feed", published(DOCUMENT))
    assert not newest.offer(b"feed", b'{"kind":"chunked","' + more)
    assert not newest.offer(b"feed", b'{"kind":"chunked",' + more)
    assert newest.refused == 2
