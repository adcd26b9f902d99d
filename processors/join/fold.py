"""The join of impressions with their feedback: a fold over event time, pure and alone.

One `Join` per pair of co-partitioned partitions. What it decides depends on the two logs only, not on how
reading them was interleaved. M(x) is the time of x's own log before x: the largest of its records' event times, where
one that is ahead of its record's own timestamp counts as that timestamp, so that no producer's clock moves a log beyond
the broker's; and of its watermarks, which are promises and count as they stand.

- An impression i is late when its own window had closed by then: occurred_at(i) + wait + grace <= M(i). It is set
  aside, no interaction comes of it, and feedback that comes to it goes aside for that reason.
- Any other counts from e(i) = max(occurred_at(i), M(i) - grace): one that comes more out of order than the grace is
  moved forward, and has as much time for its feedback to be logged as one that came just now.
- Feedback f belongs to i when occurred_at(i) - backward <= occurred_at(f) <= e(i) + wait and
  M(f) < e(i) + wait + grace: what followed i by its own time counts, moved or not. Otherwise it is late (or too early).
- i closes when the watermark, the minimum over both logs, reaches e(i) + wait + grace, in the order of
  (closing time, offset). Exactly one interaction comes of it, with whatever feedback it has, or none.
- The first of an id counts, late or not; the next ones repeat it for `remember` after it closed, or after M(i) if it
  was late.

A deferred impression was logged before it was known whether it would be shown; feedback whose signal is `shown`
says that and when. The first such a in the feedback log counts when occurred_at(i) - backward <= occurred_at(a) <=
e(i) + activation and M(a) < min(e(i) + activation, s + wait) + grace, where s = max(e(i), occurred_at(a)); from
then on all of the above holds with s in place of e(i) and t = max(occurred_at(i), occurred_at(a)) in place of
occurred_at(i), also for feedback that lies before a in the log. Without it, i was not shown: at e(i) + activation +
grace it is given up, and no interaction comes of it. Whether it is late does not depend on that.

Feedback that comes before its impression waits until no impression that it may belong to can come but a late one.

Left outer join with one wait: mwt-ds#90; no spurious `none`: KAFKA-10847; backward buffer for feedback that comes
before its impression; duplicates: Photon (SIGMOD 2013); deferred impressions: the action flags of RLClientLib.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from operator import attrgetter

from groundswell.events import SHOWN_SIGNAL
from processors.join.config import JoinConfig
from processors.join.deadlines import Deadlines
from processors.join.early_feedback import EarlyFeedback
from processors.join.entries import (
    BEFORE_TIME,
    ENTRY_BYTES,
    MAX_FEEDBACK,
    NEVER,
    Deferred,
    LateImpression,
    LateSince,
    ObservedFeedback,
    Outcome,
    Pending,
    ShownImpression,
    Step,
    Stray,
    bytes_of,
    empty_step,
    kept_since,
    shown_at,
)
from processors.join.timed_entries import TimedEntries


class Join:
    """The state of one partition: what is pending, what came early, what has closed, and how far time is.

    Every method that changes it returns a `Step`, except `restore_*`, which refold what a step had kept.

    An impression *waits since* the moment from which it takes the wait and the grace for it to close: e(i), or s(i)
    once it was shown; until then, a moment for which that comes out at the end of its activation and the grace, and
    which lies before e(i) where the activation is shorter than the wait. The *horizon* is since when those have waited
    that have just closed.

    With a wait of 600 s, a grace of 30 s and an activation of 60 s, one that was logged at 1000 s closes at 1630 s. A
    deferred one waits since 1000 + 60 - 600 = 460 s, and is given up at 460 + 630 = 1090 s; once shown at 1050 s, it
    waits since then, and closes at 1680 s. When the watermark is at 1090 s, so is the horizon at 460 s.
    """

    def __init__(self, config: JoinConfig, *, values_aside: bool = False) -> None:
        """Where `values_aside`, the values of impressions lie elsewhere, and take no memory."""
        self._wait = round(config.wait * 1000)
        self._grace = round(config.grace * 1000)
        self._backward = round(config.backward * 1000)
        self._activation = round(config.activation * 1000)
        # So that feedback is needed no longer when its impression has just been forgotten, nor by the next of that id.
        self._remember = max(round(config.remember * 1000), self._backward + 1)
        # Most feedback belongs to its impression so plainly, and to no other (`_outlives`), that it is not judged.
        self._plain_wait = min(self._wait, self._remember - self._backward)
        self._plain_closes_after = min(self._wait + self._grace, self._remember + 1)
        self._max_pending, self._max_pending_bytes = config.max_pending, config.max_pending_bytes
        self._values_aside = values_aside
        self.pending_bytes = 0
        """What the pending impressions and their feedback take in memory, roughly."""
        self.impressions_time = BEFORE_TIME
        self.feedback_time = BEFORE_TIME
        self.watermark = BEFORE_TIME
        """The largest watermark up to which interactions have been emitted."""
        self._known: dict[str, Pending | int] = {}
        """What is pending, and since when it waited of what has closed, by the impression's id."""
        self._closing = Deadlines[Pending](attrgetter("impression.offset"))
        self._offsets: deque[int] = deque()
        """The offsets of all pending impressions, in the order of the log, and of some that are not:"""
        self._gone: set[int] = set()
        self._early = EarlyFeedback(config)
        self._forgetting = Deadlines[str]()

    def __len__(self) -> int:
        """Return the number of pending impressions."""
        return len(self._offsets) - len(self._gone)

    @property
    def early(self) -> int:
        """The number of pieces of feedback that wait for their impression."""
        return len(self._early)

    @property
    def early_bytes(self) -> int:
        """What these take in memory, roughly."""
        return self._early.bytes

    @property
    def floor(self) -> int | None:
        """The lowest offset of a pending impression; None when nothing is pending."""
        return self._offsets[0] if self._offsets else None

    def known(self, impression_id: str) -> Pending | int | None:
        """Return the impression of an id that waits, or since when (ms) the last one had that waits no longer."""
        return self._known.get(impression_id)

    def awaits_impression(self, feedback: ObservedFeedback) -> bool:
        """Say whether the feedback of this offset came early, and waits still."""
        waiting = self._early.waiting.get(feedback.impression_id, ())
        return any(one.offset == feedback.offset for one in waiting)

    @property
    def forgotten_before(self) -> int:
        """Nothing kept of what waits since this time (ms), or longer, is needed any more."""
        return self._horizon - self._remember

    @property
    def _horizon(self) -> int:
        return self.watermark - self._wait - self._grace

    # -- the fold ---------------------------------------------------------------------------------------------

    def add_impressions(self, impressions: Iterable[ShownImpression]) -> Step:
        """Add a stretch of the impressions log, in its order, and close what is due."""
        step = empty_step()
        waiting, known, early, offsets = step.kept.impressions, self._known, self._early.waiting, self._offsets
        add_time, add_entry = waiting.times.append, waiting.entries.append
        newest, grace, closes_after = self.impressions_time, self._grace, self._wait + self._grace
        values_aside, taken = self._values_aside, 0
        deferred: list[Deferred] = []
        late: list[Pending] = []
        for impression in impressions:
            effective, log_time = impression.occurred_at, newest
            if effective > newest:
                newest = effective if not impression.ahead else max(newest, effective - impression.ahead)
            elif effective < newest - grace:
                if effective + closes_after <= newest:
                    self._set_aside(impression, newest, late, step)
                    continue
                effective = newest - grace
            weight = ENTRY_BYTES if values_aside else ENTRY_BYTES + len(impression.value)
            pending = Pending(impression, effective, (), weight)
            earlier = known.setdefault(impression.id, pending)
            if earlier is not pending:
                repeated = self._repeated(impression, earlier, log_time)
                if repeated is not None:
                    step.count(repeated)
                    continue
                known[impression.id] = pending
            offsets.append(impression.offset)
            taken += weight
            if impression.deferred:
                pending = self._defer(impression, effective, weight)
                deferred.append(pending)
            else:
                add_time(effective)
                add_entry(pending)
            if early and impression.id in early:
                self._take_early(pending, step)
        self.impressions_time = newest
        self.pending_bytes += taken
        self._closing.extend(waiting)
        for one in deferred:
            waiting.add(one.kept_since, one)
        waiting.extend(TimedEntries([*step.kept.evicted.times], late))  # nothing else has been evicted yet
        return self._close_due(step)

    def add_feedback(self, feedback: Iterable[ObservedFeedback]) -> Step:
        """Add a stretch of the feedback log, in its order, and close what is due."""
        step = empty_step()
        early: list[ObservedFeedback] = []
        known, kept = self._known, step.kept.feedback
        add_time, add_entry = kept.times.append, kept.entries.append
        newest, backward = self.feedback_time, self._backward
        wait, closes_after = self._plain_wait, self._plain_closes_after
        joined = 0
        for one in feedback:
            one.log_time = log_time = newest
            if one.occurred_at > newest:
                newest = one.occurred_at if not one.ahead else max(newest, one.occurred_at - one.ahead)
            pending = known.get(one.impression_id)
            if type(pending) is Pending and not pending.feedback:
                since = pending.effective
                if -backward <= one.occurred_at - since <= wait and log_time - since < closes_after:
                    pending.feedback = (one,)
                    weight = ENTRY_BYTES + len(one.value)
                    pending.weight += weight
                    joined += weight
                    add_time(since)
                    add_entry(one)
                    continue
            if pending is None:
                self._early.add(one, early, step)
            elif isinstance(pending, int):
                step.strays.append(self._stray_after(one, pending))
            elif self._judge(one, pending, step):
                self._keep(one, pending, step)
        self.feedback_time = newest
        self.pending_bytes += joined
        self._early.expect(early, step)
        return self._close_due(step)

    def advance(self, impressions_time: int | None = None, feedback_time: int | None = None) -> Step:
        """Take it that a log has reached this time (ms) without a record to show for it, and close what is due."""
        if impressions_time is not None:
            self.impressions_time = max(self.impressions_time, impressions_time)
        if feedback_time is not None:
            self.feedback_time = max(self.feedback_time, feedback_time)
        return self._close_due(empty_step())

    def _set_aside(self, impression: ShownImpression, log_time: int, late: list[Pending], step: Step) -> None:
        """Let nothing come of a late impression, unless it is one that repeats another, and remember it."""
        earlier = self._known.get(impression.id)
        repeated = None if earlier is None else self._repeated(impression, earlier, log_time)
        if repeated is not None:
            step.count(repeated)
            return
        since = log_time - self._wait - self._grace
        step.late.append(LateImpression(impression, since - impression.occurred_at))
        step.count(Outcome.LATE_IMPRESSION)
        if impression.id in self._early.waiting:
            for feedback in self._early.take(impression.id):
                step.strays.append(self._stray_after(feedback, LateSince(since)))
                self._early.spend(feedback, step)
        self._remember_closed(TimedEntries([LateSince(since)], [impression.id]))
        step.kept.evicted.add(since, (impression.offset, since))
        late.append(Pending(impression, NEVER, ()))

    def _stray_after(self, feedback: ObservedFeedback, since: int) -> Stray:
        """Return feedback to one that has closed, and had waited since then, or was late."""
        if isinstance(since, LateSince):
            return Stray(feedback, Outcome.FEEDBACK_LATE_IMPRESSION, None)
        return Stray(feedback, Outcome.LATE, feedback.occurred_at - since - self._wait)

    def _repeated(self, impression: ShownImpression, known: Pending | int, log_time: int) -> Outcome | None:
        """Return what to count where this id is known, or None where it was to be remembered no longer than this."""
        if isinstance(known, Pending):
            same = bytes(known.impression.value) == bytes(impression.value)
            return Outcome.DUPLICATE_IMPRESSION if same else Outcome.CONFLICTING_IMPRESSION
        closed_at = known + self._wait + self._grace
        return Outcome.DUPLICATE_IMPRESSION if log_time < closed_at + self._remember else None

    def _defer(self, impression: ShownImpression, effective: int, weight: int) -> Deferred:
        """Let a deferred impression wait to be shown."""
        kept_since = effective + self._activation
        pending = Deferred(impression, effective, (), weight, logged=effective, kept_since=kept_since)
        self._known[impression.id] = pending
        self._closing.add(self._since(pending), pending)
        return pending

    def _outlives(self, feedback: ObservedFeedback, pending: Pending) -> bool:
        """Say whether feedback may belong to the next impression of that id when this one has been forgotten."""
        return self._early.until(feedback) > pending.effective + self._remember

    def _since(self, pending: Pending) -> int:
        """Return since when it waits (ms)."""
        if isinstance(pending, Deferred) and pending.awaits_showing:
            return pending.effective + self._activation - self._wait
        return pending.effective

    def _take_early(self, pending: Pending, step: Step) -> None:
        """Judge the feedback that came before its impression."""
        early = self._early.take(pending.impression.id)
        if type(pending) is Pending and len(early) == 1:
            (one,), since = early, pending.effective
            if (
                -self._backward <= one.occurred_at - since <= self._plain_wait
                and one.log_time - since < self._plain_closes_after
            ):
                pending.feedback = early
                self._weigh(pending, ENTRY_BYTES + len(one.value))
                return
        deferred = isinstance(pending, Deferred)
        for feedback in early:
            joined = self._judge(feedback, pending, step)
            outlives = not deferred and joined and self._outlives(feedback, pending)
            if deferred or outlives or not joined:
                self._early.spend(feedback, step)
            if outlives:
                self._keep(feedback, pending, step)
        if deferred:  # it may still wait when the feedback is needed no longer for any other
            for feedback in pending.feedback:
                self._keep(feedback, pending, step)

    def _keep(self, feedback: ObservedFeedback, pending: Pending, step: Step) -> None:
        """Make durable that feedback was joined to this impression."""
        if isinstance(pending, Deferred):
            step.kept.held.add(pending.kept_since, (pending.impression.offset, feedback))
        elif self._outlives(feedback, pending):
            step.kept.held.add(pending.effective, (pending.impression.offset, feedback))
        else:
            step.kept.feedback.add(pending.effective, feedback)

    def _judge(self, feedback: ObservedFeedback, pending: Pending, step: Step) -> bool:
        """Attach the feedback to its impression if it belongs there, or may; say whether it does."""
        since = self._since(pending)
        in_time = feedback.log_time < since + self._wait + self._grace
        if in_time and pending.feedback and any(one.id == feedback.id for one in pending.feedback):
            step.count(Outcome.DUPLICATE_FEEDBACK)
            return False
        deferred = pending if isinstance(pending, Deferred) else None
        if deferred is not None and feedback.signal == SHOWN_SIGNAL:
            return self._judge_showing(feedback, deferred, step)
        held = deferred is not None and deferred.awaits_showing
        too_early = feedback.occurred_at < shown_at(pending) - self._backward
        in_time = in_time and (held or (not too_early and feedback.occurred_at <= pending.effective + self._wait))
        if in_time and len(pending.feedback) < MAX_FEEDBACK:
            pending.feedback += (feedback,)
            self._weigh(pending, ENTRY_BYTES + len(feedback.value))
            return True
        reason = Outcome.TOO_MANY if in_time else Outcome.TOO_EARLY if too_early else Outcome.LATE
        step.strays.append(Stray(feedback, reason, feedback.occurred_at - since - self._wait))
        return False

    def _judge_showing(self, showing: ObservedFeedback, pending: Deferred, step: Step) -> bool:
        """Start the wait of a deferred impression if this is the first that says in time when it was shown."""
        delay, since = showing.occurred_at - pending.effective, self._since(pending)
        closes_after = self._wait + self._grace
        if not pending.awaits_showing:
            if showing.log_time < since + closes_after:
                step.count(Outcome.DUPLICATE_FEEDBACK)
            else:
                step.strays.append(Stray(showing, Outcome.LATE, delay - self._wait))
            return False
        waits_since = max(pending.effective, showing.occurred_at)
        in_time = showing.log_time < min(since, waits_since) + closes_after
        too_early = showing.occurred_at < shown_at(pending) - self._backward
        if too_early or not in_time or delay > self._activation:
            reason = Outcome.TOO_EARLY if too_early else Outcome.LATE
            step.strays.append(Stray(showing, reason, delay - self._activation))
            return False
        held = pending.feedback
        self._closing.remove(since, pending)
        pending.awaits_showing, pending.effective = False, waits_since
        self._closing.add(waits_since, pending)
        pending.feedback = (showing,)
        self._weigh(pending, bytes_of(pending.feedback) - bytes_of(held))
        for feedback in held:
            self._judge(feedback, pending, step)
        return True

    def _close_due(self, step: Step) -> Step:
        self.watermark = max(self.watermark, min(self.impressions_time, self.feedback_time))
        due = self._closing.take_until(self._horizon)
        if due.entries:
            self._take(due)
            self._close(due.entries, step)
        if (excess := len(self) - self._max_pending) > 0:
            self._evict(self._closing.take_first(excess), step)
        if (excess := self.pending_bytes - self._max_pending_bytes) > 0:
            self._evict(self._closing.take_weighing(excess, attrgetter("weight")), step)
        self._early.expire(self._horizon, step)
        self._forget_closed()
        return step

    def _close(self, due: list[Pending], step: Step) -> None:
        """Let interactions come of these, but not of those that were never shown."""
        unshown = [one for one in due if isinstance(one, Deferred) and one.awaits_showing]
        if unshown:
            due = [one for one in due if not (isinstance(one, Deferred) and one.awaits_showing)]
            step.count(Outcome.NOT_SHOWN, len(unshown))
            step.strays += _stray_feedback(unshown, Outcome.FEEDBACK_NOT_SHOWN)
        step.closed += due
        answered = [one for one in due if one.feedback]
        # One piece of feedback to a deferred impression says when it was shown.
        only_shown = sum([type(one) is Deferred and len(one.feedback) == 1 for one in answered])
        step.count(Outcome.MATCHED, len(answered) - only_shown)
        step.count(Outcome.NONE, len(due) - len(answered) + only_shown)
        step.count(Outcome.FEEDBACK_MATCHED, sum([len(one.feedback) for one in answered]))

    def _weigh(self, pending: Pending, more: int) -> None:
        pending.weight += more
        self.pending_bytes += more

    def _evict(self, lost: TimedEntries[Pending], step: Step) -> None:
        """Give up those that would have closed first."""
        self._take(lost)
        step.evicted += lost.entries
        step.count(Outcome.EVICTED, len(lost))
        step.strays += _stray_feedback(lost.entries, Outcome.FEEDBACK_EVICTED)
        for since, pending in zip(lost.times, lost.entries, strict=True):
            step.kept.evicted.add(kept_since(pending), (pending.impression.offset, since))

    def give_up(self) -> Step:
        """Give up all that is pending, and all feedback that waits for its impression."""
        step = empty_step()
        if len(self):
            self._evict(self._closing.take_first(len(self)), step)
        for impression_id in list(self._early.waiting):
            step.strays += [Stray(one, Outcome.ORPHAN, None) for one in self._early.take(impression_id)]
        return step

    def _forget_closed(self) -> None:
        known, forgotten = self._known, self._forgetting.take_until(self.forgotten_before)
        for since, impression_id in zip(forgotten.times, forgotten.entries, strict=True):
            if known.get(impression_id) == since:  # and not pending again
                del known[impression_id]

    def _take(self, taken: TimedEntries[Pending]) -> None:
        """Let none of these be pending any more, and remember them."""
        impressions = [pending.impression for pending in taken.entries]
        self.pending_bytes -= sum([pending.weight for pending in taken.entries])
        self._let_go([impression.offset for impression in impressions])
        self._remember_closed(TimedEntries(taken.times, [impression.id for impression in impressions]))

    def _let_go(self, taken: Sequence[int]) -> None:
        offsets, gone = self._offsets, self._gone
        for offset in taken:
            if offset == offsets[0]:
                offsets.popleft()
            else:
                gone.add(offset)
        while gone and offsets[0] in gone:
            gone.remove(offsets.popleft())

    def _remember_closed(self, ids: TimedEntries[str]) -> None:
        self._known.update(zip(ids.entries, ids.times, strict=True))
        self._forgetting.extend(ids)

    # -- restoring --------------------------------------------------------------------------------------------

    def restore_times(self, impressions_time: int, feedback_time: int, watermark: int) -> None:
        """Set how far time was. Call it before anything else is restored."""
        self.impressions_time = impressions_time
        self.feedback_time = feedback_time
        self.watermark = watermark

    def restore_impressions(self, impressions: Iterable[tuple[ShownImpression, int, int | None]]) -> None:
        """Refold kept impressions, in the order of offsets.

        Each comes with the time from which it counts and, if it was evicted or late, since when it had waited.
        Each is pending, or known as closed if it was given up or due by the restored watermark.
        """
        waiting, closed = TimedEntries[Pending]([], []), TimedEntries[str]([], [])
        for impression, effective, evicted in impressions:
            earlier = self._known.get(impression.id)
            if isinstance(earlier, Pending):
                # A deferred one, which had closed and was to be remembered no longer when its id came again. It
                # is only marked as removed, so it need not be there yet: one still in `waiting` goes as well.
                self._closing.remove(self._since(earlier), earlier)
                self._let_go([earlier.impression.offset])
                self.pending_bytes -= earlier.weight
                del self._known[impression.id]
            since = effective if evicted is None else LateSince(evicted) if effective == NEVER else evicted
            if evicted is not None or (effective <= self._horizon and not impression.deferred):
                if since > self.forgotten_before:
                    self._known[impression.id] = since
                    closed.add(since, impression.id)
                continue
            self._offsets.append(impression.offset)
            weight = ENTRY_BYTES + (0 if self._values_aside else len(impression.value))
            self.pending_bytes += weight
            if impression.deferred:
                self._defer(impression, effective, weight)
            else:
                self._known[impression.id] = pending = Pending(impression, effective, (), weight)
                waiting.add(effective, pending)
        self._closing.extend(waiting)
        self._forgetting.extend(closed)

    def restore_held(self, held: Iterable[tuple[int, ObservedFeedback]]) -> None:
        """Refold the feedback of deferred impressions, with their offsets, and let go of those that had closed.

        Call it when all impressions have been restored, with feedback in the order of its offsets. That of impressions
        that are not deferred is passed over.
        """
        for offset, feedback in held:
            known = self._known.get(feedback.impression_id)
            if isinstance(known, Deferred) and known.impression.offset == offset:
                self._judge(feedback, known, empty_step())
        self._take(self._closing.take_until(self._horizon))
        self._forget_closed()

    def restore_feedback(self, feedback: ObservedFeedback, *, early: bool, held_by: int | None = None) -> None:
        """Refold the feedback of all others, in the order of offsets, when it is known again what is pending.

        What was kept as `early` may have been joined since, to an impression that is not deferred. What is `held_by`
        the impression of an offset belongs to no other.
        """
        known = self._known.get(feedback.impression_id)
        if type(known) is Pending:
            if held_by is None or known.impression.offset == held_by:
                self._judge(feedback, known, empty_step())
        elif early and known is None and self._early.until(feedback) > self._horizon:
            waiting: list[ObservedFeedback] = []
            self._early.add(feedback, waiting, empty_step())
            self._early.expect(waiting, empty_step())


def _stray_feedback(lost: Sequence[Pending], reason: Outcome) -> list[Stray]:
    return [Stray(feedback, reason, None) for pending in lost for feedback in pending.feedback]
