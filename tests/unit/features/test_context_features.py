"""Contexts come to the same features whether they are looked into together or each alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from processors.features.context_features import ContextFeatures

MEMBERS = st.sampled_from([
    b'"user":"ann"', b'"user":"bob"', b'"age":31', b'"wide":1e999', b'"told":true', b'"nothing":null', b'"brace":"{"',
    b'"end":"}"', b'"both":"},{"', b'"within":{"a":1}', b'"from":[{"y":1', b'"to":2}]', b'"one":1},{"two":2', b"",
    b'"twice":1,  "more":2', b'"same":1,  "same":2', b'"latin":"\xff"', b"x", b"[",
    b'"open":"x', b'y"', b'"closed":"x" ,y"',
])  # fmt: skip
"""Well-formed ones, and such as would be well-formed with what stands beside them."""


@given(st.lists(st.lists(MEMBERS, max_size=3).map(lambda some: b"{%b}" % b",".join(some)), max_size=4))
def test_what_stands_beside_a_context_changes_nothing_in_it(texts: list[bytes]) -> None:
    crosses = np.zeros(len(texts), dtype=np.bool_)
    together = ContextFeatures().rows(texts, crosses, 100)
    for place, text in enumerate(texts):
        alone = ContextFeatures().rows([text], crosses[:1], 100)
        assert together.fine[place] == alone.fine[0]
        if alone.fine[0]:
            begin, end = together.start[place : place + 2]
            assert together.hashes[begin:end].tolist() == alone.hashes.tolist()
            assert together.values[begin:end].tolist() == alone.values.tolist()
