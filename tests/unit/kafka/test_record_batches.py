"""Reading a log without a gap, although what delivers it may skip, repeat and reorder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.record_batches import STALE_BATCHES, Cursor, Gap, RecordBatch
from tests.unit.stand_ins import batch, record


def offsets(*wanted: int) -> RecordBatch:
    return batch([record("impressions", offset, b"k", b"v") for offset in wanted])


def read(cursor: Cursor, *wanted: int) -> list[int] | int | None:
    match cursor.contiguous(offsets(*wanted)):
        case RecordBatch() as new:
            return [one.offset for one in new.records]
        case Gap() as gap:
            cursor.sought(gap)
            return gap.offset
    return None


@pytest.mark.parametrize(
    ("since", "left"),
    [(0, [3, 4, 7]), (3, [3, 4, 7]), (4, [4, 7]), (5, [7]), (7, [7]), (8, None)],
)
def test_what_lies_beyond_an_offset(since: int, left: list[int] | None) -> None:
    new = offsets(3, 4, 7).since(since)
    assert (new and [one.offset for one in new.records]) == left
    assert (offsets(3, 4, 7).first_offset, offsets(3, 4, 7).next_offset) == (3, 8)


def test_what_follows_is_read_and_what_was_read_is_not_read_again() -> None:
    cursor = Cursor(5)
    assert read(cursor, 5, 6) == [5, 6]
    assert read(cursor, 5, 6) is None
    assert read(cursor, 6, 7, 8) == [7, 8]
    assert cursor.offset == 9


def test_a_gap_is_sought_once_and_what_was_queued_meanwhile_is_dropped() -> None:
    cursor = Cursor(0)
    assert read(cursor, 10, 11) == 0
    assert read(cursor, 12, 13) is None
    assert read(cursor, 14) is None
    assert read(cursor, *range(12)) == list(range(12))
    assert read(cursor, 12) == [12]


def test_a_gap_that_is_the_logs_own_is_passed_over() -> None:
    cursor = Cursor(0)
    assert read(cursor, 10, 11) == 0
    assert read(cursor, 12) is None
    assert read(cursor, 10, 11) == [10, 11]
    assert read(cursor, 12, 20) == [12, 20], "gaps inside of a batch are the log's own as well"
    assert cursor.offset == 21


def test_every_gap_is_sought_in_its_turn() -> None:
    cursor = Cursor(0)
    assert read(cursor, 1) == 0
    assert read(cursor, 1) == [1]
    assert read(cursor, 3) == 2
    assert read(cursor, 2, 3) == [2, 3]
    assert read(cursor, 9) == 4


def test_a_gap_of_the_logs_own_within_one_that_was_skipped_is_found_by_seeking_again() -> None:
    cursor = Cursor(0)
    assert read(cursor, 10) == 0
    assert read(cursor, 5, 10) == 0, "the log may begin at 5, or this was queued out of order"
    assert read(cursor, 5, 10) == [5, 10]


def test_a_log_whose_beginning_moved_on_while_it_was_sought_is_read_all_the_same() -> None:
    cursor = Cursor(0)
    assert read(cursor, 10) == 0
    answers = [read(cursor, 20 + number) for number in range(STALE_BATCHES + 1)]
    assert answers == [None] * STALE_BATCHES + [0]
    assert read(cursor, 20 + STALE_BATCHES) == [20 + STALE_BATCHES]


moves = st.tuples(st.sampled_from(["read on", "read on", "skip", "repeat"]), st.integers(1, 6))


@given(st.sets(st.integers(0, 60), min_size=1), st.lists(moves))
def test_whatever_is_skipped_or_repeated_every_record_is_read_once_and_in_order(
    log: set[int], moves: list[tuple[str, int]]
) -> None:
    existing, cursor, found, at, seeking = sorted(log), Cursor(0), list[int](), 0, False

    def deliver(size: int) -> None:
        """Deliver a batch and move to where the next one begins."""
        nonlocal at, seeking
        seeking = False
        match read(cursor, *existing[at : at + size]):
            case list() as new:
                found.extend(new)
            case int() as sought:
                seeking = True
                at = next(place for place, offset in enumerate(existing) if offset >= sought)
                return
        at = min(at + size, len(existing))

    for move, size in moves:
        # What is sought is not skipped again: queues are cleared in a rebalance, which begins with new cursors.
        if (move == "read on" or seeking) and at < len(existing):
            deliver(size)
        else:
            at = min(len(existing), at + size) if move == "skip" else max(0, at - size)
    for more in range(3 * STALE_BATCHES):  # the log goes on; what was skipped is noticed
        existing.append(1_000 + more)
        deliver(3)
    while at < len(existing):
        deliver(3)
    assert found == existing
