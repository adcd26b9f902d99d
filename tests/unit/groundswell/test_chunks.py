"""Values in chunks: whoever reads, whenever, finds a whole value or none."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.chunks import CHUNK_BYTES, assemble, is_chunk, split, used_slot

KEY = b"feed"
BROKERS_LIMIT = 1_000_000
SIZES = [0, 10, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 17]
VALUES = {size: random.Random(size).randbytes(size) for size in SIZES}


@pytest.mark.parametrize("size", SIZES)
def test_a_value_comes_back_whole_from_records_that_a_broker_takes(size: int) -> None:
    value = VALUES[size]
    records, slot = split(KEY, value, previous_slot=0)
    assert all(len(key) + len(piece) < BROKERS_LIMIT for key, piece in records)
    assert [key for key, _ in records if not is_chunk(key)] == [KEY] == [records[-1][0]], "the head is written last"
    assert assemble(KEY, dict(records)) == (value, slot)


@given(st.lists(st.sampled_from(SIZES[1:]), min_size=1, max_size=5), st.data())
def test_a_writer_that_is_interrupted_anywhere_never_costs_the_value_before(
    sizes: list[int], data: st.DataObject
) -> None:
    topic: dict[bytes, bytes | None] = {}
    slot, whole = 0, None
    for size in sizes:
        records, used = split(KEY, VALUES[size], slot)
        written = data.draw(st.integers(0, len(records)), label="records written before the interruption")
        for key, piece in records[:written]:
            topic[key] = piece
        if written == len(records):
            whole = VALUES[size]
        assert assemble(KEY, topic)[0] == whole
        # Whoever writes next knows only what is on the topic.
        slot = used_slot(topic.get(KEY))
        assert used in (0, 1)


@given(st.permutations(range(3)), st.integers(0, 3))
def test_a_reader_adopts_no_set_with_a_chunk_missing_or_spoilt(order: list[int], kept: int) -> None:
    records, _ = split(KEY, VALUES[2 * CHUNK_BYTES + 17], 0)
    *chunks, head = records
    some = dict([chunks[place] for place in order[:kept]] + [head])
    assert (assemble(KEY, some)[0] is None) == (kept < 3)
    spoilt = {**dict(records), chunks[1][0]: chunks[0][1]}
    assert assemble(KEY, spoilt)[0] is None


def test_large_values_take_turns_in_two_slots() -> None:
    slot, slots = 0, []
    for _ in range(4):
        records, slot = split(KEY, VALUES[CHUNK_BYTES + 1], slot)
        slots.append(slot)
        assert used_slot(records[-1][1]) == slot
    assert slots == [1, 0, 1, 0]


def test_nothing_and_a_tombstone_are_no_value() -> None:
    assert assemble(KEY, {}) == (None, 0)
    assert assemble(KEY, {KEY: None}) == (None, 0)
