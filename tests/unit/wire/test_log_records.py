"""Batches are worked on in parts whose size is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.wire.log_records import MOST_BYTES, MOST_RECORDS, parts
from tests.factories import Record

sizes = st.lists(st.sampled_from([0, 1, 1_000, MOST_BYTES // 2, MOST_BYTES, MOST_BYTES + 1]), max_size=20)


@given(sizes, st.sampled_from([0, MOST_RECORDS - 1, MOST_RECORDS, 2 * MOST_RECORDS + 1]))
def test_every_record_is_in_one_part_in_order_and_no_part_is_too_large(large: list[int], small: int) -> None:
    values = {size: bytes(size) for size in {0, *large}}
    records = [Record(None, values[size], place, 0) for place, size in enumerate([*large, *[0] * small])]
    found = list(parts(records))
    assert [record for part in found for record in part] == records
    for part in found:
        assert 0 < len(part) <= MOST_RECORDS
        assert len(part) == 1 or sum(len(record.value or b"") for record in part) <= MOST_BYTES
