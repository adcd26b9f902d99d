"""The join's durability: crash anywhere, and what comes of it in the end is as if nothing had happened."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from processors.events import Source
from processors.interactions import decode_interaction, encode_interaction, floor_of
from processors.join import MAX_FEEDBACK, Join, JoinConfig, ObservedFeedback, Outcome, ShownImpression, Step
from processors.ledger import Ledger
from state.journal import JoinJournal
from tests.factories import encode, feedback, impression
from tests.unit.memory_segments import Changelog, MemorySegments

PARTITION = 2
WINDOW = 7
CONFIG = JoinConfig(wait=0.020, grace=0.005, backward=0.010, remember=0.060)
END = 1_000_000


def shown(offset: int, impression_id: str, at: int, **changes: object) -> ShownImpression:
    return ShownImpression(impression_id, at, "feed", offset, encode(impression(impression_id, at, **changes)))


def observed(offset: int, impression_id: str, at: int, **changes: object) -> ObservedFeedback:
    value = encode(feedback(impression_id, at, feedback_id=f"f{offset}", **changes))
    return ObservedFeedback(f"f{offset}", impression_id, at, "click", offset, value)


class Logs(NamedTuple):
    """The two logs of a partition; a bare number is an end-of-input marker."""

    impressions: list[ShownImpression | int]
    feedback: list[ObservedFeedback | int]


@st.composite
def logs(draw: st.DrawFn) -> Logs:
    """Draw logs out of order within and beyond the grace, with duplicates, orphans, early and late feedback."""
    impressions: list[ShownImpression | int] = []
    answers: list[ObservedFeedback | int] = []
    time = 1_000
    shown_at: dict[str, int] = {}
    for offset in range(draw(st.integers(1, 40))):
        time += draw(st.integers(0, 8))
        recent = list(shown_at)[-2:]
        repeated = bool(recent) and draw(st.integers(0, 9)) == 0
        name = draw(st.sampled_from(recent)) if repeated else f"i{offset}"
        at = time - draw(st.sampled_from([0, 0, 0, 3, 5, 9]))
        shown_at.setdefault(name, at)
        impressions.append(shown(offset, name, at))
    order = []
    for name in [*shown_at, "nobody"]:
        about = shown_at.get(name, time)
        for delay in draw(st.lists(st.integers(-14, 30), max_size=3)):
            order.append((about + delay + draw(st.integers(0, 12)), name, about + delay))
    for offset, (_, name, at) in enumerate(sorted(order)):
        answers.append(observed(offset, name, max(0, at)))
    return Logs([*impressions, END], [*answers, END])


class Emitted:
    """What has been written: interactions as a learner sees them, and feedback that joined nothing."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.learned: dict[int, tuple[str, list[str]]] = {}
        self.strays: set[str] = set()

    def interaction(self, value: bytes) -> None:
        one = decode_interaction(value)
        content = (one.impression.impression_id, [answer.feedback_id for answer in one.feedback])
        if self.ledger.admit(Source(one.source.partition, one.source.offset, one.source.floor)):
            assert one.source.offset not in self.learned, "learned twice"
            self.learned[one.source.offset] = content
        assert self.learned[one.source.offset] == content, "written again, it says the same"


class Worker:
    """One worker's join over a changelog, as `streams.joining` drives it."""

    def __init__(self, changelog: Changelog, logs: Logs) -> None:
        self.table = MemorySegments(changelog)
        self.join = Join(CONFIG)
        self.journal = JoinJournal(self.table, PARTITION, WINDOW)
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
                    steps.append(
                        self.join.add_feedback([observed(record.offset, record.impression_id, record.occurred_at)])
                    )
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
        if how_much is None:
            emitted.strays.update(stray.feedback.id for step in steps for stray in step.strays)

    def keep(self, steps: list[Step]) -> None:
        for step in steps:
            self.journal.keep(step.kept, step.evicted)

    def mark(self) -> None:
        asyncio.run(self.journal.mark(self.join, *self.at))

    def step(self, topic: int, count: int, emitted: Emitted) -> None:
        steps = self.read(topic, count)
        self.write(steps, emitted)
        self.keep(steps)
        self.mark()


def undisturbed(logs: Logs) -> Emitted:
    emitted = Emitted()
    worker = Worker({}, logs)
    for topic in (0, 1):
        steps = worker.read(topic, 10**6)
        worker.write(steps, emitted)
    return emitted


class CrashingJoin(RuleBasedStateMachine):
    """A partition whose workers crash and take over from one another, while those that lost it may write on."""

    @initialize(logs=logs())
    def begin(self, logs: Logs) -> None:
        self.logs = logs
        self.changelog: Changelog = {}
        self.emitted = Emitted()
        self.owner = Worker(self.changelog, logs)
        self.zombies: list[Worker] = []
        self.lost = False

    @rule(topic=st.integers(0, 1), count=st.integers(1, 12))
    def read_on(self, topic: int, count: int) -> None:
        self.owner.step(topic, count, self.emitted)

    @rule()
    def commit(self) -> None:
        self.owner.journal.forget()

    @rule(topic=st.integers(0, 1), count=st.integers(1, 12), outputs=st.integers(0, 3), writes=st.integers(0, 4))
    def crash_before_the_mark(self, topic: int, count: int, outputs: int, writes: int) -> None:
        steps = self.owner.read(topic, count)
        self.owner.write(steps, self.emitted, outputs)
        self.owner.keep(steps)
        self._restart(writes)

    @rule(topic=st.integers(0, 1), count=st.integers(1, 12), writes=st.integers(0, 4))
    def crash_after_the_mark(self, topic: int, count: int, writes: int) -> None:
        self.owner.step(topic, count, self.emitted)
        self.owner.journal.forget()
        self._restart(writes)

    @rule()
    def lose_the_partition_without_noticing(self) -> None:
        self.zombies.append(self.owner)
        self.lost = True
        self.owner = Worker(self.changelog, self.logs)

    @precondition(lambda self: self.zombies)
    @rule(topic=st.integers(0, 1), count=st.integers(1, 12), outputs=st.integers(0, 3))
    def finish_a_step_as_one_that_lost_the_partition(self, topic: int, count: int, outputs: int) -> None:
        zombie = self.zombies.pop()
        zombie.step(topic, count, self.emitted)
        # Its commit is refused, so it deletes nothing.

    def _restart(self, writes: int) -> None:
        self.owner.table.crash(writes)
        self.owner = Worker(self.changelog, self.logs)

    def teardown(self) -> None:
        if not hasattr(self, "owner"):
            return
        for topic in (0, 1, 0, 1):
            self.owner.step(topic, 10**6, self.emitted)
        expected = undisturbed(self.logs)
        assert self.emitted.learned == expected.learned
        assert self.emitted.strays == expected.strays
        self.owner.journal.forget()
        self.owner.mark()
        if not self.lost:
            assert len(self.changelog) == 1, "nothing is left but the mark"


TestCrashingJoin = CrashingJoin.TestCase
TestCrashingJoin.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)


def test_the_order_of_writes_is_segments_then_mark_then_deletions() -> None:
    some = Logs([shown(0, "a", 1_000), END], [END])
    worker = Worker({}, some)
    worker.step(0, 2, Emitted())
    worker.step(1, 1, Emitted())
    assert worker.table.happened == ["segment", "acknowledged", "mark", "acknowledged", "mark", "acknowledged"]
    assert worker.journal.can_forget
    worker.journal.forget()
    assert worker.table.happened[6:] == ["deletion"]
    assert not worker.journal.can_forget


def test_nothing_is_forgotten_before_the_new_owner_has_a_mark_of_its_own() -> None:
    changelog: Changelog = {}
    some = Logs([shown(0, "a", 1_000), END], [END])
    first = Worker(changelog, some)
    first.step(0, 1, Emitted())
    second = Worker(changelog, some)
    assert not second.journal.can_forget
    second.journal.forget()
    second.table.crash(arriving=10)
    assert Worker(changelog, some).at == [1, 0]


def test_one_that_was_evicted_does_not_come_back_after_a_restart() -> None:
    changelog: Changelog = {}
    config = CONFIG.model_copy(update={"max_pending": 1})
    table, join = MemorySegments(changelog), Join(config)
    journal = JoinJournal(table, PARTITION, WINDOW)
    journal.restore(join)
    step = join.add_impressions([shown(0, "a", 1_000), shown(1, "b", 1_001)])
    assert [one.impression.id for one in step.evicted] == ["a"]
    journal.keep(step.kept, step.evicted)
    asyncio.run(journal.mark(join, 2, 0))
    restored = Join(config)
    JoinJournal(MemorySegments(changelog), PARTITION, WINDOW).restore(restored)
    assert (len(restored), restored.floor) == (1, 1)
    (stray,) = restored.add_feedback([observed(0, "a", 1_005)]).strays
    assert stray.reason is Outcome.LATE
    assert [one.impression.id for one in restored.advance(END, END).closed] == ["b"]


def test_segments_stay_below_what_a_broker_takes() -> None:
    changelog: Changelog = {}
    early = [observed(offset, "a", 1_000, padding="x" * 4_000) for offset in range(MAX_FEEDBACK + 1)]
    impressions = [shown(offset, name, 1_000, padding="x" * 590_000) for offset, name in enumerate("abc")]
    table, join = MemorySegments(changelog), Join(CONFIG)
    journal = JoinJournal(table, PARTITION, WINDOW)
    journal.restore(join)
    journal.keep(join.add_feedback(early).kept)
    journal.keep(join.add_impressions(impressions).kept)
    asyncio.run(journal.mark(join, 3, len(early)))
    assert max(map(len, changelog.values())) < 1_000_000
    restored = Join(CONFIG)
    JoinJournal(MemorySegments(changelog), PARTITION, WINDOW).restore(restored)
    closed = restored.advance(END, END).closed
    assert [len(one.feedback) for one in closed] == [MAX_FEEDBACK, 0, 0]
    assert max(len(encode_interaction(one, PARTITION, 0)) for one in closed) < 1_000_000
