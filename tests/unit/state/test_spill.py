"""Payloads in files: the join does not notice, memory does, and files go with the last payload in them."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import resource
import tracemalloc
from pathlib import Path

import pytest

from processors.join.entries import Outcome
from processors.join.fold import Join
from processors.join.written_interactions import encode_interaction
from state import spill
from state.join_journal import JoinJournal
from state.spill import Spill, SpillError
from tests.unit.join.join_worker import CONFIG, END, PARTITION, WINDOW, shown
from tests.unit.join.memory_segments import Changelog, MemorySegments

PADDING = "x" * 2_000


def files() -> int:
    """Return how many files of payloads this process has open (Linux)."""
    gc.collect()
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return sum("/pending-" in os.readlink(link) for link in links if os.path.islink(link))


def emitted(folder: Path | None) -> list[bytes]:
    """Return what a join makes of three impressions, restarted in the middle."""
    changelog: Changelog = {}
    three = [shown(offset, name, 1_000 + offset, padding=PADDING) for offset, name in enumerate("abc")]
    join = Join(CONFIG)
    journal = JoinJournal(MemorySegments(changelog), PARTITION, WINDOW, Spill(folder) if folder else None)
    journal.restore(join)
    journal.keep(join.add_impressions(three).kept)
    again = shown(3, "a", 1_000, padding=PADDING)
    assert join.add_impressions([again]).outcomes == {Outcome.DUPLICATE_IMPRESSION: 1}
    asyncio.run(journal.mark(join, 4, 0))
    restored = Join(CONFIG)
    JoinJournal(MemorySegments(changelog), PARTITION, WINDOW, Spill(folder) if folder else None).restore(restored)
    return [
        encode_interaction(one, PARTITION, 0) for joined in (join, restored) for one in joined.advance(END, END).closed
    ]


def test_what_is_joined_is_the_same_with_payloads_in_files_and_also_after_a_restart(tmp_path: Path) -> None:
    there = emitted(None)
    assert len(there) == 6
    assert there[:3] == there[3:]
    assert emitted(tmp_path) == there
    assert not list(tmp_path.iterdir()), "the files have no name"


def test_payloads_in_files_take_little_memory(tmp_path: Path) -> None:
    def held(spilling: Spill | None) -> int:
        """Return how many bytes a pending impression holds."""
        join, journal = Join(CONFIG), JoinJournal(MemorySegments({}), PARTITION, WINDOW, spilling)
        journal.restore(join)
        tracemalloc.start()
        for offset in range(0, 2_000, 100):
            several = [shown(offset + n, f"i{offset + n}", 1_000, padding=PADDING) for n in range(100)]
            journal.keep(join.add_impressions(several).kept)
            del several
        memory, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(join) == 2_000
        return memory // 2_000

    assert held(Spill(tmp_path)) < held(None) - len(PADDING)


def test_a_file_goes_with_the_last_payload_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "CHUNK_BYTES", 10)
    spilling = Spill(tmp_path)
    values = [spilling.put(value) for value in (b"12345", b"67890", b"abcde")]
    assert [bytes(value) for value in values] == [b"12345", b"67890", b"abcde"]
    assert files() == 2
    del values[0]
    assert files() == 2, "a payload is left in it"
    del values[0]
    assert files() == 1
    del values, spilling
    assert files() == 0


def test_a_folder_that_takes_no_more_is_named_with_what_to_do(tmp_path: Path) -> None:
    spilling = Spill(tmp_path / "gone")
    with pytest.raises(SpillError, match=r"spill_folder \S+gone takes no more .*Make room.* nothing is lost"):
        spilling.put(b"payload")


@pytest.mark.parametrize("reason", [errno.EMFILE, errno.ENFILE])
def test_where_no_more_files_may_be_open_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(spill, "Chunk", refuse)
    with pytest.raises(SpillError, match=r"may open no more\. Raise its hard limit .* nothing is lost"):
        Spill(tmp_path).put(b"payload")


def test_as_many_files_may_be_open_as_the_system_lets(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        Spill(tmp_path)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_payload_whose_length_could_not_be_kept_is_refused(tmp_path: Path) -> None:
    spilling, most = Spill(tmp_path), (1 << 24) - 1
    assert len(spilling.put(bytes(most))) == most
    with pytest.raises(SpillError, match="16,777,216 bytes is too long"):
        spilling.put(bytes(most + 1))
