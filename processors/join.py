"""The join of impressions with their feedback: a fold over event time, pure and alone.

One `Join` per pair of co-partitioned partitions. What it decides depends on the two logs only, not on how
reading them was interleaved. With M(x) the largest event time in x's own log before x:

- an impression i counts as having occurred at e(i) = max(occurred_at(i), M(i) - grace): one that comes more out
  of order than the grace allows is moved forward, never dropped;
- feedback f belongs to i when e(i) - backward <= occurred_at(f) <= e(i) + wait, the same wait for everyone, and
  M(f) < e(i) + wait + grace; otherwise it is late (or too early);
- i closes when the watermark, the minimum over both logs, reaches e(i) + wait + grace, in the order of
  (closing time, offset). Exactly one interaction comes of it, with whatever feedback it has, or none.

Left outer join with one wait: mwt-ds#90; no spurious `none`: KAFKA-10847; backward buffer for feedback that comes
before its impression; duplicates: Photon (SIGMOD 2013).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import StrEnum
from heapq import heappop, heappush

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

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


class Outcome(StrEnum):
    """What became of an impression or a piece of feedback; the label of the join's counter."""

    MATCHED = "matched"
    NONE = "none"
    EVICTED = "evicted"
    DUPLICATE_IMPRESSION = "duplicate_impression"
    CONFLICTING_IMPRESSION = "conflicting_impression"
    FEEDBACK_MATCHED = "feedback_matched"
    DUPLICATE_FEEDBACK = "duplicate_feedback"
    LATE = "late"
    TOO_EARLY = "too_early"
    TOO_MANY = "too_many"
    ORPHAN = "orphan"


class ShownImpression(Struct):
    """A valid impression as the join sees it: its place, its time (ms) and its undecoded value."""

    id: str
    occurred_at: int
    model: str
    offset: int
    value: bytes


class ObservedFeedback(Struct):
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


class Pending(Struct):
    """An impression that waits for its feedback; `effective` is e(i) in ms."""

    impression: ShownImpression
    effective: int
    feedback: list[ObservedFeedback]
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
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + number


class Join:
    """The state of one partition: what is pending, what came early, what has closed, and how far time is.

    Every method that changes it returns a `Step`, except `restore_*`, which refold what a step had kept.
    """

    def __init__(self, config: JoinConfig) -> None:
        self._wait = round(config.wait * 1000)
        self._grace = round(config.grace * 1000)
        self._backward = round(config.backward * 1000)
        # Kept feedback that came early is needed until `backward` after its impression has closed.
        self._remember = round(max(config.remember, config.backward) * 1000)
        self._max_pending = config.max_pending
        self.impressions_time = BEFORE_TIME
        self.feedback_time = BEFORE_TIME
        self.watermark = BEFORE_TIME
        """The largest watermark up to which interactions have been emitted."""
        self._pending: dict[str, Pending] = {}
        self._closing: list[tuple[int, int, str]] = []
        self._early: dict[str, list[ObservedFeedback]] = {}
        self._expiring: list[tuple[int, int, ObservedFeedback]] = []
        self._closed: dict[str, tuple[int, int]] = {}
        self._forgetting: list[tuple[int, str]] = []
        self._offsets: deque[tuple[int, str]] = deque()

    def __len__(self) -> int:
        """Return the number of pending impressions."""
        return len(self._pending)

    @property
    def early(self) -> int:
        """The number of pieces of feedback that wait for their impression."""
        return sum(map(len, self._early.values()))

    @property
    def floor(self) -> int | None:
        """The lowest offset of a pending impression; None when nothing is pending."""
        while self._offsets:
            offset, impression_id = self._offsets[0]
            pending = self._pending.get(impression_id)
            if pending is not None and pending.impression.offset == offset:
                return offset
            self._offsets.popleft()
        return None

    @property
    def forgotten_before(self) -> int:
        """The event time (ms) before which nothing kept is needed any more."""
        return self.watermark - self._remember

    # -- the fold ---------------------------------------------------------------------------------------------

    def add_impressions(self, impressions: Iterable[ShownImpression]) -> Step:
        """Add a stretch of the impressions log, in its order, and close what is due."""
        step = _step()
        for impression in impressions:
            self._add_impression(impression, step)
        return self._close_due(step)

    def add_feedback(self, feedback: Iterable[ObservedFeedback]) -> Step:
        """Add a stretch of the feedback log, in its order, and close what is due."""
        step = _step()
        for one in feedback:
            one.log_time = self.feedback_time
            self.feedback_time = max(self.feedback_time, one.occurred_at)
            self._add_feedback(one, step)
        return self._close_due(step)

    def advance(self, impressions_time: int | None = None, feedback_time: int | None = None) -> Step:
        """Take it that a log has reached this time (ms) without a record to show for it, and close what is due."""
        if impressions_time is not None:
            self.impressions_time = max(self.impressions_time, impressions_time)
        if feedback_time is not None:
            self.feedback_time = max(self.feedback_time, feedback_time)
        return self._close_due(_step())

    def _add_impression(self, impression: ShownImpression, step: Step) -> None:
        log_time = self.impressions_time
        self.impressions_time = max(log_time, impression.occurred_at)
        known = self._known_as(impression, log_time)
        if known is not None:
            step.count(known)
            return
        pending = self._restore(impression, max(impression.occurred_at, log_time - self._grace))
        for feedback in self._early.pop(impression.id, ()):
            self._judge(feedback, pending, step)
        step.kept.append((pending.closes_at, pending))

    def _known_as(self, impression: ShownImpression, log_time: int) -> Outcome | None:
        pending = self._pending.get(impression.id)
        if pending is not None:
            same = pending.impression.value == impression.value
            return Outcome.DUPLICATE_IMPRESSION if same else Outcome.CONFLICTING_IMPRESSION
        closed = self._closed.get(impression.id)
        if closed is not None and log_time < closed[0] + self._remember:
            return Outcome.DUPLICATE_IMPRESSION
        return None

    def _add_feedback(self, feedback: ObservedFeedback, step: Step) -> None:
        pending = self._pending.get(feedback.impression_id)
        if pending is not None:
            if self._judge(feedback, pending, step):
                step.kept.append((pending.closes_at, feedback))
            return
        closed = self._closed.get(feedback.impression_id)
        if closed is not None:
            step.strays.append(Stray(feedback, Outcome.LATE, feedback.occurred_at - closed[1] - self._wait))
            return
        waiting = self._early.get(feedback.impression_id, ())
        if any(one.id == feedback.id for one in waiting):
            step.count(Outcome.DUPLICATE_FEEDBACK)
            return
        self._restore_early(feedback)
        step.kept.append((self._expires_at(feedback), feedback))

    def _judge(self, feedback: ObservedFeedback, pending: Pending, step: Step) -> bool:
        """Attach the feedback to its impression if it belongs there; say whether it does."""
        if any(one.id == feedback.id for one in pending.feedback):
            step.count(Outcome.DUPLICATE_FEEDBACK)
            return False
        delay = feedback.occurred_at - pending.effective
        in_time = -self._backward <= delay <= self._wait and feedback.log_time < pending.closes_at
        if in_time and len(pending.feedback) < MAX_FEEDBACK:
            pending.feedback.append(feedback)
            step.count(Outcome.FEEDBACK_MATCHED)
            return True
        reason = Outcome.TOO_MANY if in_time else Outcome.TOO_EARLY if delay < -self._backward else Outcome.LATE
        step.strays.append(Stray(feedback, reason, delay - self._wait))
        return False

    def _close_due(self, step: Step) -> Step:
        self.watermark = max(self.watermark, min(self.impressions_time, self.feedback_time))
        while self._closing and self._closing[0][0] <= self.watermark:
            pending = self._take_oldest()
            step.closed.append(pending)
            step.count(Outcome.MATCHED if pending.feedback else Outcome.NONE)
        while len(self._pending) > self._max_pending:
            step.evicted.append(self._take_oldest())
            step.count(Outcome.EVICTED)
        self._expire_early(step)
        self._forget_closed()
        return step

    def _expire_early(self, step: Step) -> None:
        while self._expiring and self._expiring[0][0] < self.watermark:
            _, _, feedback = heappop(self._expiring)
            waiting = self._early.get(feedback.impression_id)
            if waiting is None or feedback not in waiting:
                continue  # its impression came
            waiting.remove(feedback)
            if not waiting:
                del self._early[feedback.impression_id]
            step.strays.append(Stray(feedback, Outcome.ORPHAN, None))

    def _forget_closed(self) -> None:
        while self._forgetting and self._forgetting[0][0] <= self.forgotten_before:
            closes_at, impression_id = heappop(self._forgetting)
            if self._closed.get(impression_id, (None,))[0] == closes_at:
                del self._closed[impression_id]

    def _take_oldest(self) -> Pending:
        closes_at, _, impression_id = heappop(self._closing)
        pending = self._pending.pop(impression_id)
        self._remember_closed(impression_id, closes_at, pending.effective)
        return pending

    def _remember_closed(self, impression_id: str, closes_at: int, effective: int) -> None:
        self._closed[impression_id] = (closes_at, effective)
        heappush(self._forgetting, (closes_at, impression_id))

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
        closes_at = effective + self._wait + self._grace
        if evicted or closes_at <= self.watermark:
            if closes_at >= self.forgotten_before:
                self._remember_closed(impression.id, closes_at, effective)
        else:
            self._restore(impression, effective)

    def restore_feedback(self, feedback: ObservedFeedback) -> None:
        """Refold kept feedback. Call it when all impressions have been restored."""
        pending = self._pending.get(feedback.impression_id)
        if pending is not None:
            self._judge(feedback, pending, _step())
        elif feedback.impression_id not in self._closed and self._expires_at(feedback) >= self.watermark:
            self._restore_early(feedback)

    def _restore(self, impression: ShownImpression, effective: int) -> Pending:
        closes_at = effective + self._wait + self._grace
        pending = Pending(impression, effective, [], closes_at)
        self._pending[impression.id] = pending
        heappush(self._closing, (closes_at, impression.offset, impression.id))
        self._offsets.append((impression.offset, impression.id))
        return pending

    def _restore_early(self, feedback: ObservedFeedback) -> None:
        self._early.setdefault(feedback.impression_id, []).append(feedback)
        heappush(self._expiring, (self._expires_at(feedback), feedback.offset, feedback))


def _step() -> Step:
    return Step([], [], [], [], {})
