"""What the join takes, what it holds meanwhile, and what a step of it gives."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from processors.join.timed_entries import TimedEntries

BEFORE_TIME = -(2**62)
"""The event time of a log of which nothing has been read."""
NEVER = BEFORE_TIME
"""From when a late impression counts."""
MAX_FEEDBACK = 64
"""How many pieces of feedback an impression takes; more are strays. An interaction has to fit into a record."""


ENTRY_BYTES = 600
"""What an impression that waits, or a piece of feedback, takes in memory beside its value, roughly."""


class Outcome(StrEnum):
    """What became of an impression or a piece of feedback; the label of the join's counter."""

    MATCHED = "matched"
    NONE = "none"
    NOT_SHOWN = "not_shown"
    LATE_IMPRESSION = "late_impression"
    EVICTED = "evicted"
    DUPLICATE_IMPRESSION = "duplicate_impression"
    CONFLICTING_IMPRESSION = "conflicting_impression"
    FEEDBACK_MATCHED = "feedback_matched"
    FEEDBACK_EVICTED = "feedback_evicted"
    FEEDBACK_NOT_SHOWN = "feedback_not_shown"
    FEEDBACK_LATE_IMPRESSION = "feedback_late_impression"
    FEEDBACK_POISON = "feedback_poison"
    DUPLICATE_FEEDBACK = "duplicate_feedback"
    LATE = "late"
    TOO_EARLY = "too_early"
    TOO_MANY = "too_many"
    ORPHAN = "orphan"


class Payload(Protocol):
    """What stands for bytes that lie elsewhere."""

    def __bytes__(self) -> bytes:
        """Return them."""

    def __len__(self) -> int:
        """Return how many they are."""


class ShownImpression(Struct, gc=False):
    """A valid impression as the join sees it: its place, its time (ms) and its undecoded value.

    The value may lie elsewhere, and `bytes(value)` fetch it. `ahead` is by how much (ms) its time is ahead of its
    record's own: it moves the time of its log no further than that.
    """

    id: str
    occurred_at: int
    model: str
    offset: int
    value: bytes | Payload
    deferred: bool = False
    ahead: int = 0


class ObservedFeedback(Struct, gc=False):
    """A piece of valid feedback as the join sees it.

    `log_time` is M(f), the time (ms) of the feedback log before it, and `ahead` as that of an impression.
    """

    id: str
    impression_id: str
    occurred_at: int
    signal: str
    offset: int
    value: bytes
    log_time: int = BEFORE_TIME
    ahead: int = 0


class Pending(Struct, gc=False, eq=False):
    """An impression that waits for its feedback; `effective` is e(i) in ms.

    `weight` is what it takes in memory with its feedback, roughly (bytes).
    """

    impression: ShownImpression
    effective: int
    feedback: tuple[ObservedFeedback, ...]
    weight: int = 0


class Deferred(Pending, gc=False, eq=False, kw_only=True):
    """A deferred impression that waits to be shown, and then, with s(i) as `effective`, for its feedback.

    While `awaits_showing`, its feedback is held and not yet judged. `logged` is e(i) (ms) and stays so: what was logged
    of it is judged anew after a restart. What is kept of it is needed for as long as of one that waits since
    `kept_since`.
    """

    logged: int
    kept_since: int
    awaits_showing: bool = True


class Stray(Struct):
    """Feedback that joined nothing, with the reason.

    `lateness` is how long after its impression's wait it occurred (ms), or after the activation of one that was not
    shown; negative where it occurred in time and was logged too late; None where its impression is not known, or was
    late itself.
    """

    feedback: ObservedFeedback
    reason: Outcome
    lateness: int | None


class LateImpression(Struct):
    """An impression that was late when it was logged, by `lateness` (ms) after the end of its window."""

    impression: ShownImpression
    lateness: int


class LateSince(int):
    """Since when an impression that was late counts as having waited (ms)."""


class Kept(Struct):
    """What is to be made durable before a step counts as done: impressions and feedback that wait, and what does not.

    The time of each says for how long it is needed: as long as an impression that waits since then. `held` was joined
    to impressions whose offsets stand before it: deferred ones, and others where it might be taken for feedback to the
    next of their id. `feedback` was joined to all others, and `early` waits for its impression. `evicted` are offsets
    of impressions that were given up, and since when these had waited; those that were late are among them, and count
    from `NEVER`. `spent` are offsets of early feedback that waits no longer and is not to be judged anew.
    """

    impressions: TimedEntries[Pending]
    feedback: TimedEntries[ObservedFeedback]
    held: TimedEntries[tuple[int, ObservedFeedback]]
    early: TimedEntries[ObservedFeedback]
    evicted: TimedEntries[tuple[int, int]]
    spent: TimedEntries[int]


class Step(Struct):
    """What one step of the fold brought about. `outcomes` counts everything but the strays."""

    closed: list[Pending]
    evicted: list[Pending]
    late: list[LateImpression]
    strays: list[Stray]
    kept: Kept
    outcomes: dict[Outcome, int]

    def count(self, outcome: Outcome, number: int = 1) -> None:
        """Add `number` to the count of `outcome`."""
        if number:
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + number


def bytes_of(feedback: Sequence[ObservedFeedback]) -> int:
    """Return what feedback takes in memory, roughly."""
    return sum([ENTRY_BYTES + len(one.value) for one in feedback])


def shown_at(pending: Pending) -> int:
    """Return t(i) (ms): when it occurred, or, once a deferred one was shown, when that was by its own clock."""
    occurred_at = pending.impression.occurred_at
    if isinstance(pending, Deferred) and not pending.awaits_showing:
        return max(occurred_at, pending.feedback[0].occurred_at)  # the first says when it was shown
    return occurred_at


def logged_at(pending: Pending) -> int:
    """Return e(i) (ms), whether or not it has been shown since."""
    return pending.logged if isinstance(pending, Deferred) else pending.effective


def kept_since(pending: Pending) -> int:
    """Return since when one waits for which everything is needed as long as for this one (ms)."""
    return pending.kept_since if isinstance(pending, Deferred) else pending.effective


def empty_step() -> Step:
    """Return a step that has brought about nothing yet."""
    kept = Kept(
        TimedEntries([], []),
        TimedEntries([], []),
        TimedEntries([], []),
        TimedEntries([], []),
        TimedEntries([], []),
        TimedEntries([], []),
    )
    return Step([], [], [], [], kept, {})
