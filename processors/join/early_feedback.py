"""Feedback that waits for its impression."""

from __future__ import annotations

from operator import attrgetter

from processors.join.config import JoinConfig
from processors.join.deadlines import Deadlines
from processors.join.entries import ENTRY_BYTES, MAX_FEEDBACK, ObservedFeedback, Outcome, Step, Stray, bytes_of
from processors.join.timed_entries import TimedEntries


class EarlyFeedback:
    """Feedback that came before its impression, by the impression's id. What waits in vain is an orphan.

    The last impression that it may belong to occurred `backward` after it, and is late once that one's window has
    closed. Feedback that was itself logged long after it occurred waits as long as if it had occurred then: its
    impression may be about to come, and be late.
    """

    def __init__(self, config: JoinConfig) -> None:
        self._backward = round(config.backward * 1000)
        self._most, self._most_bytes = config.max_early, config.max_early_bytes
        self._count = self.bytes = 0
        self.waiting: dict[str, tuple[ObservedFeedback, ...]] = {}
        self._expiring = Deadlines[ObservedFeedback](attrgetter("offset"))

    def __len__(self) -> int:
        """Return the number of pieces of feedback that wait for their impression."""
        return self._count

    def add(self, feedback: ObservedFeedback, added: list[ObservedFeedback], step: Step) -> None:
        """Let feedback wait, and add it to what was `added`, unless it already waits. `expect` has to follow."""
        waiting = self.waiting.get(feedback.impression_id)
        if waiting is None:
            self.waiting[feedback.impression_id] = (feedback,)
        elif any(one.id == feedback.id for one in waiting):
            step.count(Outcome.DUPLICATE_FEEDBACK)
            return
        elif len(waiting) >= MAX_FEEDBACK:
            step.strays.append(Stray(feedback, Outcome.TOO_MANY, None))
            return
        else:
            self.waiting[feedback.impression_id] = (*waiting, feedback)
        added.append(feedback)

    def expect(self, added: list[ObservedFeedback], step: Step) -> None:
        """Let what was added be kept, and expire when its impression can come no more."""
        until = [self.until(feedback) for feedback in added]
        step.kept.early.extend(TimedEntries(until, added))
        self._expiring.extend(TimedEntries(until, added))
        self._count += len(added)
        self.bytes += bytes_of(added)

    def until(self, feedback: ObservedFeedback) -> int:
        """Return until when it waits: until those have closed that waited since then (ms)."""
        return max(feedback.occurred_at + self._backward, feedback.log_time)

    def take(self, impression_id: str) -> tuple[ObservedFeedback, ...]:
        """Take out what waits for an impression; there has to be some."""
        taken = self.waiting.pop(impression_id)
        for one in taken:
            self._count -= 1
            self.bytes -= ENTRY_BYTES + len(one.value)
        return taken

    def spend(self, feedback: ObservedFeedback, step: Step) -> None:
        """Make durable that feedback which was taken waits no longer."""
        step.kept.spent.add(self.until(feedback), feedback.offset)

    def expire(self, horizon: int, step: Step) -> None:
        """Give up what waits no longer once those since `horizon` have closed, and the oldest where too much waits."""
        self._give_up(self._expiring.take_until(horizon), step)
        while self._count > self._most:
            self._spend_all(self._give_up(self._expiring.take_first(self._count - self._most), step), step)
        while (excess := self.bytes - self._most_bytes) > 0:
            self._spend_all(self._give_up(self._expiring.take_weighing(excess, _weight), step), step)

    def _spend_all(self, given_up: list[ObservedFeedback], step: Step) -> None:
        for feedback in given_up:
            self.spend(feedback, step)

    def _give_up(self, expired: TimedEntries[ObservedFeedback], step: Step) -> list[ObservedFeedback]:
        """Let what of this still waits for its impression wait no longer, and return it."""
        given_up: list[ObservedFeedback] = []
        for feedback in expired.entries:
            waiting = self.waiting.get(feedback.impression_id)
            if waiting is None:
                continue  # its impression came
            left = tuple([one for one in waiting if one is not feedback])
            if len(left) == len(waiting):
                continue  # its impression came, and more feedback to the next that is called so
            self._count -= 1
            if left:
                self.waiting[feedback.impression_id] = left
            else:
                del self.waiting[feedback.impression_id]
            given_up.append(feedback)
        self.bytes -= bytes_of(given_up)
        step.strays += [Stray(feedback, Outcome.ORPHAN, None) for feedback in given_up]
        return given_up


def _weight(feedback: ObservedFeedback) -> int:
    return ENTRY_BYTES + len(feedback.value)
