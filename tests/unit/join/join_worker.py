"""One worker's join on drawn logs, over a changelog that outlives it."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from hypothesis import strategies as st
from msgspec.structs import replace

from groundswell.events import SHOWN_SIGNAL, Source
from processors.admission.event_records import readmit_impression
from processors.join.config import JoinConfig
from processors.join.entries import ObservedFeedback, ShownImpression, Step
from processors.join.fold import Join
from processors.join.written_interactions import encode_interaction, floor_of
from processors.learners.ledger import Ledger
from processors.wire.envelopes import decode_interaction
from processors.wire.plain_state import MOST_COUNTED
from state.join_journal import JoinJournal
from tests.factories import encode, feedback, impression
from tests.unit.join.memory_segments import Changelog, MemorySegments

PARTITION = 2
WINDOW = 7
CONFIG = JoinConfig(wait=0.020, grace=0.005, backward=0.010, activation=0.015, remember=0.060)
END = 1_000_000
CLOCKS = st.sampled_from([0, 0, 0, 0, 12])
"""By how much (ms) a record's time is ahead of its own timestamp."""


def shown(offset: int, impression_id: str, at: int, **changes: object) -> ShownImpression:
    return readmit_impression(encode(impression(impression_id, at, **changes)), offset)


def observed(
    offset: int, impression_id: str, at: int, signal: str = "click", feedback_id: str = "", **changes: object
) -> ObservedFeedback:
    name = feedback_id or f"f{offset}"
    value = encode(feedback(impression_id, at, feedback_id=name, signal=signal, **changes))
    return ObservedFeedback(name, impression_id, at, signal, offset, value)


class Logs(NamedTuple):
    """The two logs of a partition; a bare number is an end-of-input marker."""

    impressions: list[ShownImpression | int]
    feedback: list[ObservedFeedback | int]


@st.composite
def logs(draw: st.DrawFn) -> Logs:
    """Draw logs out of order within and beyond grace and wait, by clocks that are ahead, with all that may go wrong."""
    impressions: list[ShownImpression | int] = []
    answers: list[ObservedFeedback | int] = []
    time = 1_000
    shown_at: dict[str, int] = {}
    for offset in range(draw(st.integers(1, 40))):
        time += draw(st.integers(0, 8))
        recent = list(shown_at)[-2:]
        repeated = bool(recent) and draw(st.integers(0, 9)) == 0
        name = draw(st.sampled_from(recent)) if repeated else f"i{offset}"
        ahead = draw(CLOCKS)
        at = time + ahead - draw(st.sampled_from([0, 0, 0, 3, 5, 9, 20, 24, 25, 40]))
        shown_at.setdefault(name, at)
        deferred = draw(st.integers(0, 3)) == 0
        impressions.append(replace(shown(offset, name, at, deferred=deferred), ahead=ahead))
    order: list[tuple[int, str, int, str, str, int]] = []
    for name in [*shown_at, "nobody"]:
        about = shown_at.get(name, time)
        for delay in draw(st.lists(st.integers(-14, 40), max_size=4)):
            signal = draw(st.sampled_from(["click", "click", SHOWN_SIGNAL]))
            ahead = draw(CLOCKS)
            written = about + delay - ahead + draw(st.integers(0, 12))
            for again in range(2 if draw(st.integers(0, 9)) == 0 else 1):
                order.append((written + 7 * again, name, about + delay, signal, f"f{len(order) - again}", ahead))
    for offset, (_, name, at, signal, feedback_id, ahead) in enumerate(sorted(order)):
        answers.append(replace(observed(offset, name, at, signal, feedback_id), ahead=ahead))
    return Logs([*impressions, END], [*answers, END])


class Emitted:
    """What has been written: interactions as a learner sees them, and feedback that joined nothing."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.learned: dict[int, frozenset[str]] = {}
        self.evicted: set[int] = set()
        self.late: set[int] = set()
        self.strays: set[str] = set()

    def interaction(self, value: bytes) -> None:
        one = decode_interaction(value)
        content = frozenset(answer.feedback_id for answer in one.feedback)
        if self.ledger.admit(Source(one.source.partition, one.source.offset, one.source.floor)):
            assert one.source.offset not in self.learned, "learned twice"
            self.learned[one.source.offset] = content
        assert self.learned.get(one.source.offset, content) == content, "written again, it says the same"


class Worker:
    """One worker's join over a changelog, as `streams.worker.partition_join` drives it."""

    def __init__(
        self, changelog: Changelog, logs: Logs, config: JoinConfig = CONFIG, most_bytes: int = MOST_COUNTED
    ) -> None:
        self.table = MemorySegments(changelog)
        self.join = Join(config)
        self.journal = JoinJournal(self.table, PARTITION, WINDOW, most_bytes=most_bytes)
        mark = self.journal.restore(self.join)
        self.logs = logs
        self.at = [mark.impressions_offset, mark.feedback_offset]

    def read(self, topic: int, count: int) -> list[Step]:
        log = (self.logs.impressions, self.logs.feedback)[topic]
        steps: list[Step] = []
        for record in log[self.at[topic] : self.at[topic] + count]:
            self.at[topic] += 1
            match record:
                case ShownImpression():
                    steps.append(self.join.add_impressions([record]))
                case ObservedFeedback():
                    # The fold writes M(f) into what it is given.
                    steps.append(self.join.add_feedback([replace(record)]))
                case int():
                    reached = {"impressions_time": record} if topic == 0 else {"feedback_time": record}
                    steps.append(self.join.advance(**reached))
        return steps

    def write(self, steps: list[Step], emitted: Emitted, how_much: int | None = None) -> None:
        """Write the first `how_much` outputs of the steps, or all."""
        closed = [one for step in steps for one in step.closed]
        floor = floor_of(closed, self.join.floor, self.at[0])
        for one in closed[:how_much]:
            emitted.interaction(encode_interaction(one, PARTITION, floor))
        emitted.evicted.update(one.impression.offset for step in steps for one in step.evicted)
        emitted.late.update(one.impression.offset for step in steps for one in step.late)
        if how_much is None:
            emitted.strays.update(stray.feedback.id for step in steps for stray in step.strays)

    def keep(self, steps: list[Step]) -> None:
        for step in steps:
            self.journal.keep(step.kept)

    def mark(self) -> None:
        asyncio.run(self.journal.mark(self.join, self.at[0], self.at[1]))
        self.journal._look_beyond = 0  # where segments are thinned, all are looked into again at the next mark

    def step(self, topic: int, count: int, emitted: Emitted) -> None:
        steps = self.read(topic, count)
        self.write(steps, emitted)
        self.keep(steps)
        self.mark()
