"""Crash anywhere, lose the partition, give up what is too much: what comes of it in the end is what the logs say."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from processors.wire.plain_state import MOST_COUNTED
from tests.unit.join.join_oracle import truth
from tests.unit.join.join_worker import CONFIG, Emitted, Logs, Worker, logs
from tests.unit.join.memory_segments import Changelog

EXAMPLES = (settings.default or settings()).max_examples


class CrashingJoin(RuleBasedStateMachine):
    """A partition whose workers crash and take over from one another, while those that lost it may write on."""

    @initialize(
        logs=logs(),
        max_pending=st.sampled_from([CONFIG.max_pending, CONFIG.max_pending, 2]),
        most_bytes=st.sampled_from([MOST_COUNTED, 0]),
    )
    def begin(self, logs: Logs, max_pending: int, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.logs = logs
        self.config = CONFIG.model_copy(update={"max_pending": max_pending})
        self.changelog: Changelog = {}
        self.emitted = Emitted()
        self.owner = self._worker()
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
        self.owner = self._worker()

    @precondition(lambda self: self.zombies)
    @rule(topic=st.integers(0, 1), count=st.integers(1, 12), outputs=st.integers(0, 3))
    def finish_a_step_as_one_that_lost_the_partition(self, topic: int, count: int, outputs: int) -> None:
        zombie = self.zombies.pop()
        zombie.step(topic, count, self.emitted)
        # Its commit is refused, so it deletes nothing.

    def _restart(self, writes: int) -> None:
        self.owner.table.crash(writes)
        self.owner = self._worker()

    def _worker(self) -> Worker:
        return Worker(self.changelog, self.logs, self.config, self.most_bytes)

    def teardown(self) -> None:
        if not hasattr(self, "owner"):
            return
        for topic in (0, 1, 0, 1):
            self.owner.step(topic, 10**6, self.emitted)
        self._compare()
        self.owner.journal.forget()
        self.owner.mark()
        if not self.lost:
            assert len(self.changelog) == 1, "nothing is left but the mark"

    def _compare(self) -> None:
        expected, emitted = truth(self.config, *self.logs), self.emitted
        assert set(emitted.learned) | emitted.evicted == set(expected.interactions) | (
            emitted.evicted & expected.not_shown
        )
        assert all(expected.interactions[offset] == joined for offset, joined in emitted.learned.items())
        assert emitted.late == expected.late
        joined = frozenset[str]().union(*emitted.learned.values())
        if self.config.max_pending == CONFIG.max_pending:
            assert not emitted.evicted
            assert emitted.strays - joined - expected.repeated == expected.strays
        else:
            # What a worker gave up before it crashed, the next one may have learned after all.
            assert expected.strays <= emitted.strays
            assert joined | emitted.strays >= expected.strays.union(*expected.interactions.values())


TestCrashingJoin = CrashingJoin.TestCase
TestCrashingJoin.settings = settings(max_examples=max(400, EXAMPLES), stateful_step_count=25, deadline=None)
