"""Values of msgpack, counted before they are made."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.wire.bounded_unpacking import UnpackError
from processors.wire.value_counts import FEW, bounded

PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=40),
    st.binary(max_size=300),
)
TREES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=3), inner, max_size=20)
)
PADDING = bytes(FEW)
SIZES = (0, 1, 4, 15, 16, 31, 32, 255, 256, 65_535, 65_536)


def count(tree: Any) -> int:
    members = itertools.chain(*tree.items()) if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return 1 + sum(map(count, members))


def assert_counted(tree: Any) -> None:
    content = msgspec.msgpack.encode([PADDING, tree])
    assert bounded(content, 2 + count(tree)) is content
    with pytest.raises(UnpackError, match="there are more than"):
        bounded(content, 1 + count(tree))


@given(TREES)
def test_as_many_are_counted_as_there_are(tree: Any) -> None:
    assert_counted(tree)


@pytest.mark.parametrize("size", SIZES)
def test_of_every_length(size: int) -> None:
    assert_counted(["x" * size, b"x" * size, [0] * size, dict.fromkeys(range(size), ""), size, -size, size / 2])
    assert bounded(msgspec.msgpack.encode([PADDING, msgspec.msgpack.Ext(3, b"x" * max(size, 1)), "end"]), 4)


@given(st.binary(max_size=50))
def test_whatever_the_bytes_are_it_ends(content: bytes) -> None:
    assert bounded(PADDING + content, FEW + 50) == PADDING + content
