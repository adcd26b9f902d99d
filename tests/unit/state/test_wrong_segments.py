"""Segments and marks that somebody else wrote on the changelog: refused with one error, or passed over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import cramjam
import msgspec
import pytest
import zstandard
from faust.types import EventT
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.join.fold import Join
from processors.wire.plain_state import MOST_COUNTED
from state.join_journal import JoinJournal
from state.segment_table import MARK_WINDOW, MOST_OFFSETS, JournalError, Key, Rows
from streams.app import create_app
from tests.unit.join.join_worker import CONFIG, END, PARTITION, WINDOW, Emitted, Logs, Worker, observed, shown
from tests.unit.join.memory_segments import Changelog, MemorySegments
from tests.unit.stand_ins import worker_settings
from tests.unit.state.test_wrong_contents import NASTY, changed, places


def waiting() -> Changelog:
    """Return what is kept of two impressions that wait, and of feedback to one of them and to another one."""
    changelog: Changelog = {}
    some = Logs([shown(0, "a", 1_000), shown(1, "b", 1_001)], [observed(0, "a", 1_002), observed(1, "c", 1_003)])
    worker = Worker(changelog, some)
    worker.step(0, 2, Emitted())
    worker.step(1, 2, Emitted())
    worker.table.crash(arriving=100)
    return changelog


KEPT = waiting()
MARK = next(key for key in KEPT if key[1] == MARK_WINDOW)
SEGMENTS = [key for key in KEPT if key != MARK]


def packed(plain: object) -> bytes:
    return bytes(cramjam.zstd.compress(msgspec.msgpack.encode(plain)))


def restored(changelog: Changelog) -> Join:
    join = Join(CONFIG)
    JoinJournal(MemorySegments(changelog), PARTITION, WINDOW).restore(join)
    return join


def plain(key: Key) -> Any:
    return msgspec.msgpack.decode(KEPT[key] if key == MARK else cramjam.zstd.decompress(KEPT[key]))


def test_what_is_changed_below_is_gone_on_from_as_it_is() -> None:
    closed = restored(dict(KEPT)).advance(END, END).closed
    assert [(one.impression.id, len(one.feedback)) for one in closed] == [("a", 1), ("b", 0)]


@settings(max_examples=200)
@given(data=st.data())
def test_with_anything_changed_it_is_refused_with_one_error_or_gone_on_from(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(KEPT)))
    path = data.draw(st.sampled_from(list(places(plain(key)))))
    spoilt = changed(plain(key), path, lambda _: data.draw(NASTY))
    value = msgspec.msgpack.encode(spoilt) if key == MARK else packed(spoilt)
    try:
        join = restored({**KEPT, key: value})
    except JournalError as error:
        told = str(error)
    else:
        told = f"partition {PARTITION}: " if len(join.advance(END, END).closed) <= 2 else ""
    assert told.startswith(f"partition {PARTITION}: ")


@settings(max_examples=100)
@given(key=st.sampled_from(SEGMENTS), junk=st.binary(max_size=60))
def test_foreign_bytes_are_refused_with_one_error(key: Key, junk: bytes) -> None:
    with pytest.raises(JournalError, match=rf"^partition {PARTITION}: the segment .* is not what a worker keeps"):
        restored({**KEPT, key: junk})


NOUGHT = bytes(8)
BEYOND = (MOST_COUNTED + 1).to_bytes(8, "little")


@pytest.mark.parametrize(
    "value",
    [
        Rows(b"1"),
        Rows(NOUGHT, NOUGHT, b"\xff" * 4),
        Rows(NOUGHT, NOUGHT, b"\5\0\0\0", b"x"),
        Rows(BEYOND, NOUGHT, bytes(4)),
        Rows(NOUGHT, BEYOND, bytes(4)),
    ],
    ids=[
        "columns of no records",
        "a length below 0",
        "a length beyond the values",
        "an offset that could not be written again",
        "such a time",
    ],
)
def test_columns_that_do_not_fit_are_refused(value: Rows) -> None:
    with pytest.raises(JournalError, match="its columns do not fit"):
        restored({**KEPT, SEGMENTS[0]: packed([value])})


def test_a_segment_that_unpacks_to_gigabytes_is_refused_and_one_that_no_mark_vouches_for_is_not_unpacked() -> None:
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(1 << 10)) + packer.flush()
    with pytest.raises(JournalError, match="unpack to more than"):
        restored({**KEPT, SEGMENTS[0]: bomb})
    stranger = (PARTITION, 5, "7-somebody", 0)
    assert len(restored({**KEPT, stranger: bomb})) == len(restored(dict(KEPT)))


def test_a_mark_whose_watermark_is_ahead_of_its_logs_is_refused() -> None:
    spoilt = {**plain(MARK), "watermark": 2**53}
    with pytest.raises(JournalError, match=r"the mark .* its watermark is ahead of the logs"):
        restored({**KEPT, MARK: msgspec.msgpack.encode(spoilt)})


def test_what_no_worker_can_have_written_on_the_changelog_is_passed_over_and_counted() -> None:
    table = create_app(worker_settings())._table
    keys: list[Any] = ["x", None, 5, [], [1, 2], [1, -7, "w", 0], [1, 5, "w", -1], [0, 5, "w", 0], [1, 5, "w", 0]]
    events = [
        SimpleNamespace(key=key, value=b"v", message=SimpleNamespace(value=b"v", partition=1, key=b"", offset=0))
        for key in keys
    ]
    table.apply_changelog_batch(cast(list[EventT[Any]], events))
    assert (list(table.data), table.disbelieved) == ([(1, 5, "w", 0)], 8)


@pytest.mark.parametrize("column", ["evicted", "spent"])
def test_more_offsets_than_any_worker_puts_in_a_segment_are_refused_before_they_are_made(column: str) -> None:
    rows = [b"", b"", b"", b""]
    offsets = [0] * (MOST_OFFSETS + 1)
    columns = {"evicted": [offsets, offsets, []], "spent": [[], [], offsets]}[column]
    with pytest.raises(JournalError, match="length <= 1048576"):
        restored({**KEPT, SEGMENTS[0]: packed([rows, rows, rows, rows, *columns])})


def test_an_impression_that_is_nested_beyond_all_measure_is_refused() -> None:
    value = b'{"impression_id":"a","occurred_at":1000,"model":"feed","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    (rows,) = Rows.parts([0], [1_000], [value], 1 << 20)
    with pytest.raises(JournalError, match="no impression and no feedback"):
        restored({**KEPT, SEGMENTS[0]: packed([rows])})
