"""Which policies an app adopts: complete, checked, newer ones of its own model."""

from __future__ import annotations

from typing import Any

import pytest

from groundswell import policy
from groundswell.chunks import split
from groundswell.exploration import Exploration
from groundswell.newest_snapshot import NewestSnapshot
from groundswell.policy import PolicySnapshot, Weights


def snapshot(version: int, *, model: str = "feed", weights: int = 3) -> PolicySnapshot:
    values = [0.1 * (index % 7) + 0.01 for index in range(weights)]
    return PolicySnapshot(
        model=model,
        version=version,
        parent=None,
        bits=18,
        context_crosses=False,
        shared_weights=False,
        exploration=Exploration("epsilon-greedy", 0.1),
        bandit=Weights(list(range(weights)), values),
        inverse_kinematics=None,
        configuration="",
    )


def records(one: PolicySnapshot, slot: int = 0) -> list[tuple[bytes, bytes]]:
    return split(one.model.encode(), policy.encode(one), slot)[0]


def test_the_newest_is_adopted() -> None:
    newest = NewestSnapshot("feed")
    assert newest.snapshot is None
    for version in (100, 200):
        [(key, value)] = records(snapshot(version))
        assert newest.offer(key, value)
        assert newest.snapshot == snapshot(version)


OLDER = records(snapshot(50))[0][1]
DAMAGED = records(snapshot(150))[0][1].replace(b"0.11", b"0.12", 1)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param(b"feed", OLDER, id="older than the one in use"),
        pytest.param(b"feed", DAMAGED, id="a weight was changed"),
        pytest.param(b"feed", b"{", id="no snapshot at all"),
        pytest.param(b"feed", None, id="deleted"),
        pytest.param(b"other", records(snapshot(900, model="other"))[0][1], id="another model's"),
        pytest.param(None, b"{}", id="no key"),
    ],
)
def test_anything_else_leaves_the_policy_as_it_is(key: bytes | None, value: bytes | None) -> None:
    newest = NewestSnapshot("feed")
    newest.offer(*records(snapshot(100))[0])
    assert not newest.offer(key, value)
    assert newest.snapshot == snapshot(100)


@pytest.mark.parametrize(("key", "value"), [("feed", b"{}"), (b"feed", "{}"), (b"feed", {"kind": "policy"})])
def test_a_record_that_somebody_decoded_is_told_and_changes_nothing(key: Any, value: Any) -> None:
    newest = NewestSnapshot("feed")
    newest.offer(*records(snapshot(100))[0])
    with pytest.raises(TypeError, match=r"(key|value) is \w+, not bytes: give it as it came, from a consumer without"):
        newest.offer(key, value)
    assert newest.snapshot == snapshot(100)


@pytest.mark.parametrize("model", [None, "", b"feed"])
def test_a_model_without_a_name_is_told(model: Any) -> None:
    with pytest.raises(ValueError, match="give the name of the model"):
        NewestSnapshot(model)


@pytest.mark.parametrize("verifier", [b"-----BEGIN PUBLIC KEY-----", True])
def test_a_key_in_the_place_of_a_verifier_is_told(verifier: Any) -> None:
    with pytest.raises(TypeError, match=r"give a Verifier, Verifier\(public_key\)"):
        NewestSnapshot("feed", verifier)


def test_a_large_one_is_adopted_when_all_of_it_is_there() -> None:
    newest = NewestSnapshot("feed")
    pieces = records(snapshot(100, weights=200_000))
    assert len(pieces) > 2
    offered = [newest.offer(*piece) for piece in pieces]
    assert offered == [False] * (len(pieces) - 1) + [True]
    assert newest.snapshot == snapshot(100, weights=200_000)


def test_a_large_one_with_a_piece_missing_is_not_adopted() -> None:
    newest = NewestSnapshot("feed")
    newest.offer(*records(snapshot(50))[0])
    for piece in records(snapshot(100, weights=200_000))[1:]:
        assert not newest.offer(*piece)
    assert newest.snapshot == snapshot(50)
