"""How far apart the clocks of those are that log impressions and feedback, by what comes too late or too early."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from processors.admission.local_times import MINUTE_MS, common_hours, in_words, zone_hours
from processors.join.config import JoinConfig
from processors.join.entries import LateImpression, Outcome, Stray

KEPT: Final = 500
"""Differences that are remembered of each kind."""
ENOUGH: Final = 20
"""Before anything is said."""
LATELY_SECONDS: Final = 600.0
MOST_SPREAD_MS: Final = 30 * MINUTE_MS
"""By how much delays of their own may differ for something common to be seen beneath."""


class ClockGaps:
    """Differences of event times, in ms. `clock` is in seconds since 1970."""

    def __init__(self, join: JoinConfig, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._wait_ms, self._grace_ms = round(1000 * join.wait), round(1000 * join.grace)
        self._spread_ms = min(max(self._wait_ms, MINUTE_MS), MOST_SPREAD_MS)
        self._feedback: deque[tuple[float, int]] = deque(maxlen=KEPT)
        self._impressions: deque[tuple[float, int]] = deque(maxlen=KEPT)

    def stray(self, stray: Stray) -> None:
        """Take in feedback that joined nothing."""
        if stray.reason in (Outcome.LATE, Outcome.TOO_EARLY) and stray.lateness is not None:
            self._feedback.append((self._clock(), stray.lateness + self._wait_ms))

    def late(self, late: LateImpression) -> None:
        """Take in an impression that was late."""
        self._impressions.append((self._clock(), self.behind_ms(late)))

    def behind_ms(self, late: LateImpression) -> int:
        """Return by how much an impression that was late is behind its log."""
        return late.lateness + self._wait_ms + self._grace_ms

    def says(self) -> str | None:
        """Return what looks like local time lately, None where nothing does."""
        feedback = self._lately(self._feedback)
        hours = common_hours(feedback, self._spread_ms) if len(feedback) >= ENOUGH else None
        # What is late since people take their time begins where the wait ends.
        if hours is not None and zone_hours(self._wait_ms) != hours:
            which = "impressions" if hours > 0 else "feedback"
            return f"the event times of {which} are {in_words(-abs(hours))} (or the others' ahead)"
        impressions = self._lately(self._impressions)
        hours = common_hours(impressions, self._spread_ms) if len(impressions) >= ENOUGH else None
        return None if hours is None else f"the event times of some impressions are {in_words(-hours)}"

    def _lately(self, gaps: deque[tuple[float, int]]) -> list[int]:
        since = self._clock() - LATELY_SECONDS
        while gaps and gaps[0][0] < since:
            gaps.popleft()
        return [gap for _, gap in gaps]
