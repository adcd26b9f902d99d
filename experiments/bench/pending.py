"""What it costs to wait: bytes for each pending impression, seconds to restore a million of them."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

from experiments.bench.workload import MODELS, PER_SECOND, LoggedRecord, impression
from processors.admission.event_records import Admission
from processors.join.config import JoinConfig
from processors.join.entries import ShownImpression
from processors.join.fold import Join
from state.join_journal import JoinJournal
from state.segment_table import MARK_WINDOW, Key, Mark

STRETCH: Final = 4_000
"""Records of one topic that are folded at once: what a worker reads when there is much to read."""
RESTORE_BAR: Final = 60.0
"""Seconds within which a million pending impressions must be there again."""


class PackedSegments:
    """The table of segments without Faust: what it keeps, as it keeps it."""

    def __init__(self) -> None:
        self.kept: dict[Key, bytes] = {}
        self._marks: dict[str, Mark] = {}

    def marks(self, partition: int) -> dict[str, Mark]:
        """Return the marks by writer."""
        return dict(self._marks)

    def segments(self, partition: int) -> Iterator[tuple[Key, bytes]]:
        """Return the segments, packed."""
        return iter(self.kept.items())

    def segment(self, key: Key) -> bytes:
        """Return the segment under a key, packed."""
        return self.kept[key]

    def put_segment(self, key: Key, value: bytes) -> None:
        """Write a segment, packed."""
        self.kept[key] = value

    def put_mark(self, partition: int, writer: str, mark: Mark) -> None:
        """Keep a mark."""
        self._marks[writer] = msgspec.msgpack.decode(msgspec.msgpack.encode(mark), type=Mark)

    def __delitem__(self, key: Key) -> None:
        """Delete a segment or a mark."""
        if key[1] == MARK_WINDOW:
            del self._marks[key[2]]
        else:
            del self.kept[key]

    async def acknowledged(self, partition: int) -> None:
        """Return at once: nothing is on the way."""


def bench_pending(out: Path, count: int = 1_000_000) -> int:
    """Measure the memory of pending impressions and the time to restore them; return 1 beyond the bar, else 0."""
    config = JoinConfig(wait=2 * count / PER_SECOND, idle=None)
    window_ms = round(config.wait * 1000 / 8)
    rng = random.Random(0)
    admission, store, join = Admission(MODELS, 10**12), PackedSegments(), Join(config)
    journal = JoinJournal(store, 0, window_ms)
    journal.restore(join)
    before, value_bytes = resident_bytes(), 0
    for begin in range(0, count, STRETCH):
        records = [impression(number, rng) for number in range(begin, min(begin + STRETCH, count))]
        value_bytes += sum(len(value) for _, value in records)
        shown = admission.impressions([LoggedRecord(begin + n, *record) for n, record in enumerate(records)])
        journal.keep(join.add_impressions([one for one in shown if isinstance(one, ShownImpression)]).kept)
    asyncio.run(journal.mark(join, count, 0))
    del records, shown
    gc.collect()
    resident = resident_bytes() - before
    assert len(join) == count
    packed_bytes = sum(map(len, store.kept.values()))
    del join
    begin_at = time.perf_counter()
    restored = Join(config)
    JoinJournal(store, 0, window_ms).restore(restored)
    restore = time.perf_counter() - begin_at
    assert len(restored) == count
    result = {
        "bench": "pending",
        "impressions": count,
        "value_bytes": value_bytes / count,
        "resident_bytes": resident,
        "resident_bytes_each": resident / count,
        "packed_bytes_each": packed_bytes / count,
        "restore_seconds": restore,
        "bar_seconds": RESTORE_BAR * count / 1_000_000,
        "met": restore < RESTORE_BAR * count / 1_000_000,
    }
    _write(out / "pending.json", result)
    table = Table(
        "pending", "value", "resident", "each", "of which segments", "restored in", title="pending impressions"
    )
    table.add_row(
        f"{count:,}",
        f"{result['value_bytes']:.0f} B",
        f"{resident / 1e6:,.0f} MB",
        f"{result['resident_bytes_each']:,.0f} B",
        f"{result['packed_bytes_each']:,.0f} B",
        f"{restore:.1f} s",
    )
    Console().print(table)
    return 0 if result["met"] else 1


def resident_bytes() -> int:
    """Return the memory this process holds (Linux)."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def _write(path: Path, result: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
