"""What the join costs: messages a second on one core, bytes for what waits, seconds to restore it."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

from processors.admission import Admission
from processors.interactions import encode_interaction
from processors.join import Join, JoinConfig, ObservedFeedback, ShownImpression
from processors.model import ModelConfig
from state.journal import JoinJournal
from state.tables import MARK_WINDOW, Key, Mark, Segment, packed, unpacked

ACTIONS: Final = 11
MODELS: Final = {"feed": ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}))}
FEEDBACK_SHARE: Final = 0.6
STRETCH: Final = 4_000
"""Records of one topic that are folded at once: what a worker reads when there is much to read."""
PER_SECOND: Final = 3_000
"""Impressions in one second of event time."""
RESTORE_BAR: Final = 60.0
"""Seconds within which a million pending impressions must be there again."""
BEGIN: Final = 1_767_225_600_000


class PackedSegments:
    """The table of segments without Faust: what it keeps, as it keeps it."""

    def __init__(self) -> None:
        self.kept: dict[Key, bytes] = {}
        self._marks: dict[str, Mark] = {}

    def marks(self, partition: int) -> dict[str, Mark]:
        """Return the marks by writer."""
        return dict(self._marks)

    def segments(self, partition: int) -> Iterator[tuple[Key, Segment]]:
        """Yield the segments."""
        for key, value in self.kept.items():
            yield key, unpacked(value)

    def put_segment(self, key: Key, segment: Segment) -> None:
        """Keep a segment."""
        self.kept[key] = packed(segment)

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


def impression(number: int, rng: random.Random) -> tuple[bytes, bytes]:
    """Return key and value of an impression of eleven random items, about 350 bytes."""
    key = f"{rng.getrandbits(64):016x}"
    message = {
        "schema_version": 1,
        "impression_id": key,
        "occurred_at": BEGIN + number * 1000 // PER_SECOND,
        "model": "feed",
        "context": {"user": f"u{rng.randrange(10**6)}", "hour": 7},
        "actions": [{"id": f"{item:06d}"} for item in rng.sample(range(10**6), ACTIONS)],
        "chosen": rng.randrange(ACTIONS),
        "propensity": round(rng.uniform(0.01, 1), 4),
    }
    return key.encode(), msgspec.json.encode(message)


def feedback(impression_id: bytes, number: int, rng: random.Random) -> tuple[bytes, bytes]:
    """Return key and value of feedback within twenty seconds."""
    message = {
        "schema_version": 1,
        "impression_id": impression_id.decode(),
        "feedback_id": f"{rng.getrandbits(64):016x}",
        "occurred_at": BEGIN + number * 1000 // PER_SECOND + rng.randrange(20_000),
        "signal": rng.choice(["click", "like", "skip"]),
    }
    return impression_id, msgspec.json.encode(message)


def bench_join(out: Path, count: int = 200_000) -> int:
    """Measure how many impressions a second, each with .6 feedback, one core admits, folds and encodes."""
    rng = random.Random(0)
    shown = [impression(number, rng) for number in range(count)]
    answers = [feedback(key, n, rng) for n, (key, _) in enumerate(shown) if rng.random() < FEEDBACK_SHARE]
    answers.sort(key=lambda one: int(one[1].split(b'"occurred_at":')[1].split(b",")[0]))
    admission, join = Admission(MODELS, 10**9), Join(JoinConfig(wait=20.0, grace=1.0, idle=None))
    seconds = dict.fromkeys(("admit", "fold", "encode"), 0.0)

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        begin = time.process_time()
        yield
        seconds[name] += time.process_time() - begin

    closed = 0
    share = len(answers) / count
    for first in range(0, count, STRETCH):
        records = shown[first : first + STRETCH]
        came = answers[int(first * share) : int((first + STRETCH) * share)]
        with timed("admit"):
            admitted = [admission.impression(*record, first + n, BEGIN) for n, record in enumerate(records)]
            observed = [admission.feedback(*record, first + n, BEGIN) for n, record in enumerate(came)]
        impressions = [one for one in admitted if isinstance(one, ShownImpression)]
        answered = [one for one in observed if isinstance(one, ObservedFeedback)]
        with timed("fold"):
            steps = [join.add_impressions(impressions), join.add_feedback(answered)]
        pending = [one for step in steps for one in step.closed]
        with timed("encode"):
            for one in pending:
                encode_interaction(one, 0, 0)
        closed += len(pending)
    each = {name: spent / (closed if name == "encode" else count) for name, spent in seconds.items()}
    rates = {name: 1 / spent for name, spent in [*each.items(), ("all", sum(each.values()))]}
    table = Table("admit", "fold", "encode", "all", title="impressions/s with .6 feedback each, one core")
    table.add_row(*(f"{rates[name]:,.0f}" for name in ("admit", "fold", "encode", "all")))
    Console().print(table)
    _write(out / "join.json", {"bench": "join", "impressions": count, "feedback": len(answers), "per_second": rates})
    return 0


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
        shown = [admission.impression(key, value, begin + n, BEGIN) for n, (key, value) in enumerate(records)]
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
