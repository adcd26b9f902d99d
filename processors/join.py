"""The join of impressions with their feedback: a fold over event time, pure and alone.

One `Join` per pair of co-partitioned partitions. What it decides depends on the two logs only, not on how
reading them was interleaved. With M(x) the largest event time in x's own log before x:

- an impression i counts as having occurred at e(i) = max(occurred_at(i), M(i) - grace): one that comes more out
  of order than the grace allows is moved forward, never dropped;
- feedback f belongs to i when e(i) - backward <= occurred_at(f) <= e(i) + wait, the same wait for everyone, and
  M(f) < e(i) + wait + grace; otherwise it is late (or too early);
- i closes when the watermark, the minimum over both logs, reaches e(i) + wait + grace, in the order of
  (closing time, offset). Exactly one interaction comes of it, with whatever feedback it has, or none.

A deferred impression was logged before it was known whether it would be shown; feedback whose signal is `shown`
says that and when. The first such a in the feedback log counts when e(i) - backward <= occurred_at(a) <=
e(i) + activation and M(a) < min(e(i) + activation, s + wait) + grace, where s = max(e(i), occurred_at(a)); from
then on all of the above holds with s in place of e(i), also for feedback that lies before a in the log. Without
it, i was not shown: at e(i) + activation + grace it is given up, and no interaction comes of it.

Left outer join with one wait: mwt-ds#90; no spurious `none`: KAFKA-10847; backward buffer for feedback that comes
before its impression; duplicates: Photon (SIGMOD 2013); deferred impressions: the action flags of RLClientLib.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import StrEnum
from operator import attrgetter
from typing import Protocol

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from processors.events import SHOWN_SIGNAL
from processors.spans import Spans

BEFORE_TIME = -(2**62)
"""The event time of a log of which nothing has been read."""


MAX_FEEDBACK = 64
"""How many pieces of feedback an impression takes; more are strays. An interaction has to fit into a record."""


class JoinConfig(BaseModel):
    """How long to wait for feedback. All times in seconds of event time unless said otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wait: float = Field(600.0, gt=0, description="how long after an impression its feedback counts")
    grace: float = Field(30.0, ge=0, description="how far out of order a log may be")
    backward: float = Field(
        60.0,
        ge=0,
        description="how long before its impression feedback may have occurred (clocks of apps differ)",
    )
    activation: float = Field(
        600.0,
        ge=0,
        description="how long after a deferred impression it may be shown; one that never is is not learned",
    )
    remember: float = Field(
        600.0,
        ge=0,
        description="how long after closing an impression is known, to tell late feedback and duplicates",
    )
    idle: float | None = Field(
        5.0,
        gt=0,
        description="wall-clock seconds after which a log read to its end advances with the clock; none: never",
    )
    max_pending: int = Field(
        5_000_000, gt=0, description="pending impressions of a partition beyond which the oldest are evicted"
    )
    max_early: int = Field(
        1_000_000,
        gt=0,
        description="feedback of a partition waiting for its impression beyond which the oldest is given up",
    )


class Outcome(StrEnum):
    """What became of an impression or a piece of feedback; the label of the join's counter."""

    MATCHED = "matched"
    NONE = "none"
    NOT_SHOWN = "not_shown"
    EVICTED = "evicted"
    DUPLICATE_IMPRESSION = "duplicate_impression"
    CONFLICTING_IMPRESSION = "conflicting_impression"
    FEEDBACK_MATCHED = "feedback_matched"
    FEEDBACK_EVICTED = "feedback_evicted"
    FEEDBACK_NOT_SHOWN = "feedback_not_shown"
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

    The value may lie elsewhere, and `bytes(value)` fetch it.
    """

    id: str
    occurred_at: int
    model: str
    offset: int
    value: bytes | Payload
    deferred: bool = False


class ObservedFeedback(Struct, gc=False):
    """A piece of valid feedback as the join sees it.

    `log_time` is M(f), the largest event time (ms) in the feedback log before it.
    """

    id: str
    impression_id: str
    occurred_at: int
    signal: str
    offset: int
    value: bytes
    log_time: int = BEFORE_TIME


class Pending(Struct, gc=False, eq=False):
    """An impression that waits for its feedback; `effective` is e(i) in ms, or s(i) once a deferred one was shown.

    While `awaits_showing`, its feedback is held and not yet judged. What is kept of it is needed until `kept_until`.
    """

    impression: ShownImpression
    effective: int
    feedback: tuple[ObservedFeedback, ...]
    closes_at: int
    kept_until: int
    awaits_showing: bool = False


class Closed(Struct, gc=False, eq=False):
    """What is remembered of an impression that no longer waits, to tell late feedback and duplicates."""

    id: str
    effective: int
    closes_at: int


class Stray(Struct):
    """Feedback that joined nothing, with the reason.

    `lateness` is how long after its impression's wait it occurred (ms); negative where it occurred in time and
    was logged too late; None where its impression is not known.
    """

    feedback: ObservedFeedback
    reason: Outcome
    lateness: int | None


class Step(Struct):
    """What one step of the fold brought about.

    `kept` are the entries to be made durable before the step counts as done: impressions and feedback that
    wait, by the time at which they will no longer be needed. `outcomes` counts everything but the strays.
    """

    closed: list[Pending]
    evicted: list[Pending]
    strays: list[Stray]
    kept: list[tuple[int, Pending | ObservedFeedback]]
    outcomes: dict[Outcome, int]

    def count(self, outcome: Outcome, number: int = 1) -> None:
        """Add `number` to the count of `outcome`."""
        if number:
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + number


class Join:
    """The state of one partition: what is pending, what came early, what has closed, and how far time is.

    Every method that changes it returns a `Step`, except `restore_*`, which refold what a step had kept.
    """

    def __init__(self, config: JoinConfig) -> None:
        self._wait = round(config.wait * 1000)
        self._grace = round(config.grace * 1000)
        self._backward = round(config.backward * 1000)
        self._activation = round(config.activation * 1000)
        # Kept feedback that came early is needed until `backward` after its impression has closed.
        self._remember = round(max(config.remember, config.backward) * 1000)
        self._max_pending = config.max_pending
        self._max_early = config.max_early
        self.impressions_time = BEFORE_TIME
        self.feedback_time = BEFORE_TIME
        self.watermark = BEFORE_TIME
        """The largest watermark up to which interactions have been emitted."""
        self._known: dict[str, Pending | Closed] = {}
        self._closing = Spans[Pending](attrgetter("closes_at"), attrgetter("impression.offset"))
        self._offsets: deque[int] = deque()
        """The offsets of all pending impressions, in the order of the log, and of some that are not:"""
        self._gone: set[int] = set()
        self._early: dict[str, list[ObservedFeedback]] = {}
        self._expiring = Spans[ObservedFeedback](attrgetter("occurred_at"), attrgetter("offset"))
        self._forgetting = Spans[Closed](attrgetter("closes_at"), attrgetter("effective"))
        self.early = 0
        """The number of pieces of feedback that wait for their impression."""

    def __len__(self) -> int:
        """Return the number of pending impressions."""
        return len(self._offsets) - len(self._gone)

    @property
    def floor(self) -> int | None:
        """The lowest offset of a pending impression; None when nothing is pending."""
        return self._offsets[0] if self._offsets else None

    @property
    def forgotten_before(self) -> int:
        """The event time (ms) before which nothing kept is needed any more."""
        return self.watermark - self._remember

    # -- the fold ---------------------------------------------------------------------------------------------

    def add_impressions(self, impressions: Iterable[ShownImpression]) -> Step:
        """Add a stretch of the impressions log, in its order, and close what is due."""
        step = _step()
        for impression in impressions:
            log_time = self.impressions_time
            if impression.occurred_at > log_time:
                self.impressions_time = impression.occurred_at
            known = self._known.get(impression.id)
            if known is not None:
                repeated = self._repeated(impression, known, log_time)
                if repeated is not None:
                    step.count(repeated)
                    continue
            pending = self._restore(impression, max(impression.occurred_at, log_time - self._grace))
            if self._early:
                for feedback in self._early.pop(impression.id, ()):
                    self.early -= 1
                    self._judge(feedback, pending, step)
            step.kept.append((pending.kept_until, pending))
        return self._close_due(step)

    def add_feedback(self, feedback: Iterable[ObservedFeedback]) -> Step:
        """Add a stretch of the feedback log, in its order, and close what is due."""
        step = _step()
        for one in feedback:
            one.log_time = self.feedback_time
            if one.occurred_at > one.log_time:
                self.feedback_time = one.occurred_at
            known = self._known.get(one.impression_id)
            if known is None:
                self._add_early(one, step)
            elif isinstance(known, Closed):
                step.strays.append(Stray(one, Outcome.LATE, one.occurred_at - known.effective - self._wait))
            elif self._judge(one, known, step):
                step.kept.append((known.kept_until, one))
        return self._close_due(step)

    def advance(self, impressions_time: int | None = None, feedback_time: int | None = None) -> Step:
        """Take it that a log has reached this time (ms) without a record to show for it, and close what is due."""
        if impressions_time is not None:
            self.impressions_time = max(self.impressions_time, impressions_time)
        if feedback_time is not None:
            self.feedback_time = max(self.feedback_time, feedback_time)
        return self._close_due(_step())

    def _repeated(self, impression: ShownImpression, known: Pending | Closed, log_time: int) -> Outcome | None:
        """Return what to count where this id is known, or None where it was to be remembered no longer than this."""
        if isinstance(known, Pending):
            same = bytes(known.impression.value) == bytes(impression.value)
            return Outcome.DUPLICATE_IMPRESSION if same else Outcome.CONFLICTING_IMPRESSION
        return Outcome.DUPLICATE_IMPRESSION if log_time < known.closes_at + self._remember else None

    def _add_early(self, feedback: ObservedFeedback, step: Step) -> None:
        waiting = self._early.get(feedback.impression_id, ())
        if any(one.id == feedback.id for one in waiting):
            step.count(Outcome.DUPLICATE_FEEDBACK)
            return
        if len(waiting) >= MAX_FEEDBACK:
            step.strays.append(Stray(feedback, Outcome.TOO_MANY, None))
            return
        self._restore_early(feedback)
        step.kept.append((self._expires_at(feedback), feedback))

    def _judge(self, feedback: ObservedFeedback, pending: Pending, step: Step) -> bool:
        """Attach the feedback to its impression if it belongs there, or may; say whether it does."""
        in_time = feedback.log_time < pending.closes_at
        if in_time and pending.feedback and any(one.id == feedback.id for one in pending.feedback):
            step.count(Outcome.DUPLICATE_FEEDBACK)
            return False
        if pending.impression.deferred and feedback.signal == SHOWN_SIGNAL:
            return self._judge_showing(feedback, pending, step)
        delay = feedback.occurred_at - pending.effective
        in_time = in_time and (pending.awaits_showing or -self._backward <= delay <= self._wait)
        if in_time and len(pending.feedback) < MAX_FEEDBACK:
            pending.feedback += (feedback,)
            return True
        reason = Outcome.TOO_MANY if in_time else Outcome.TOO_EARLY if delay < -self._backward else Outcome.LATE
        step.strays.append(Stray(feedback, reason, delay - self._wait))
        return False

    def _judge_showing(self, showing: ObservedFeedback, pending: Pending, step: Step) -> bool:
        """Start the wait of a deferred impression if this is the first that says in time when it was shown."""
        delay = showing.occurred_at - pending.effective
        if not pending.awaits_showing:
            if showing.log_time < pending.closes_at:
                step.count(Outcome.DUPLICATE_FEEDBACK)
            else:
                step.strays.append(Stray(showing, Outcome.LATE, delay - self._wait))
            return False
        shown_at = max(pending.effective, showing.occurred_at)
        closes_at = shown_at + self._wait + self._grace
        in_time = showing.log_time < min(pending.closes_at, closes_at)
        if not (in_time and -self._backward <= delay <= self._activation):
            reason = Outcome.TOO_EARLY if delay < -self._backward else Outcome.LATE
            step.strays.append(Stray(showing, reason, delay - self._activation))
            return False
        held = pending.feedback
        self._closing.remove(pending)
        pending.awaits_showing, pending.effective, pending.closes_at = False, shown_at, closes_at
        self._closing.add(pending)
        pending.feedback = (showing,)
        for feedback in held:
            self._judge(feedback, pending, step)
        return True

    def _close_due(self, step: Step) -> Step:
        self.watermark = max(self.watermark, min(self.impressions_time, self.feedback_time))
        for pending in self._take(self._closing.take_until(self.watermark)):
            if pending.awaits_showing:
                step.count(Outcome.NOT_SHOWN)
                step.strays += [Stray(one, Outcome.FEEDBACK_NOT_SHOWN, None) for one in pending.feedback]
            else:
                step.closed.append(pending)
        # One piece of feedback to a deferred impression says when it was shown.
        answered = [one for one in step.closed if one.feedback]
        matched = sum([len(one.feedback) > one.impression.deferred for one in answered])
        step.count(Outcome.MATCHED, matched)
        step.count(Outcome.NONE, len(step.closed) - matched)
        step.count(Outcome.FEEDBACK_MATCHED, sum([len(one.feedback) for one in answered]))
        excess = len(self) - self._max_pending
        if excess > 0:
            step.evicted += self._take(self._closing.take_first(excess))
            step.count(Outcome.EVICTED, excess)
            step.strays += [
                Stray(one, Outcome.FEEDBACK_EVICTED, None) for lost in step.evicted for one in lost.feedback
            ]
        self._expire_early(step)
        self._forget_closed()
        return step

    def _expire_early(self, step: Step) -> None:
        self._give_up(self._expiring.take_until(self.watermark - self._backward - self._grace - 1), step)
        while self.early > self._max_early:
            self._give_up(self._expiring.take_first(self.early - self._max_early), step)

    def _give_up(self, expired: list[ObservedFeedback], step: Step) -> None:
        for feedback in expired:
            waiting = self._early.get(feedback.impression_id, [])
            left = [one for one in waiting if one is not feedback]
            if len(left) == len(waiting):
                continue  # its impression came
            self.early -= 1
            if left:
                self._early[feedback.impression_id] = left
            else:
                del self._early[feedback.impression_id]
            step.strays.append(Stray(feedback, Outcome.ORPHAN, None))

    def _forget_closed(self) -> None:
        for entry in self._forgetting.take_until(self.forgotten_before):
            if self._known.get(entry.id) is entry:
                del self._known[entry.id]

    def _take(self, taken: list[Pending]) -> list[Pending]:
        """Let none of these be pending any more, and remember them."""
        for pending in taken:
            impression = pending.impression
            self._let_go(impression.offset)
            self._remember_closed(impression.id, pending.effective, pending.closes_at)
        return taken

    def _let_go(self, offset: int) -> None:
        offsets, gone = self._offsets, self._gone
        if offset != offsets[0]:
            gone.add(offset)
            return
        offsets.popleft()
        while gone and offsets[0] in gone:
            gone.remove(offsets.popleft())

    def _remember_closed(self, impression_id: str, effective: int, closes_at: int) -> None:
        self._known[impression_id] = closed = Closed(impression_id, effective, closes_at)
        self._forgetting.add(closed)

    def _expires_at(self, feedback: ObservedFeedback) -> int:
        """Return the last watermark at which an impression that the feedback belongs to may still come."""
        return feedback.occurred_at + self._backward + self._grace

    # -- restoring --------------------------------------------------------------------------------------------

    def restore_times(self, impressions_time: int, feedback_time: int, watermark: int) -> None:
        """Set how far time was. Call it before anything else is restored."""
        self.impressions_time = impressions_time
        self.feedback_time = feedback_time
        self.watermark = watermark

    def restore_impression(self, impression: ShownImpression, effective: int, *, evicted: bool) -> None:
        """Refold a kept impression: pending, or known as closed if it was given up or due by the restored watermark.

        Call it in the order of offsets.
        """
        earlier = self._known.get(impression.id)
        if isinstance(earlier, Pending):
            # A deferred one, which had closed and was to be remembered no longer when its id came again.
            self._closing.remove(earlier)
            self._let_go(earlier.impression.offset)
            del self._known[impression.id]
        closes_at = effective + (self._activation if impression.deferred else self._wait) + self._grace
        if not (evicted or (closes_at <= self.watermark and not impression.deferred)):
            self._restore(impression, effective)
        elif closes_at >= self.forgotten_before:
            self._remember_closed(impression.id, effective, closes_at)

    def restore_feedback(self, feedback: ObservedFeedback) -> None:
        """Refold kept feedback. Call it in the order of offsets, when all impressions have been restored."""
        known = self._known.get(feedback.impression_id)
        if isinstance(known, Pending):
            self._judge(feedback, known, _step())
        elif known is None and self._expires_at(feedback) >= self.watermark:
            self._restore_early(feedback)

    def restore_end(self) -> None:
        """Give up the deferred impressions that had closed. Call it when all feedback has been restored."""
        self._take(self._closing.take_until(self.watermark))
        self._forget_closed()

    def _restore(self, impression: ShownImpression, effective: int) -> Pending:
        deferred = impression.deferred
        closes_at = effective + (self._activation if deferred else self._wait) + self._grace
        kept_until = closes_at + self._wait if deferred else closes_at
        pending = Pending(impression, effective, (), closes_at, kept_until, deferred)
        self._known[impression.id] = pending
        self._closing.add(pending)
        self._offsets.append(impression.offset)
        return pending

    def _restore_early(self, feedback: ObservedFeedback) -> None:
        self._early.setdefault(feedback.impression_id, []).append(feedback)
        self._expiring.add(feedback)
        self.early += 1


def _step() -> Step:
    return Step([], [], [], [], {})
