"""How far logs that are idle count as having advanced: with the clock, once they have been read to their end."""

from __future__ import annotations

from collections.abc import Container

from processors.join.entries import BEFORE_TIME
from processors.join.fold import Join


class IdleLogs:
    """The clocks of the two logs of a partition while nothing moves their time.

    A log that has been read to its end, and whose time nothing has moved for `idle` seconds, advances at the pace of
    the clock from the time it had reached. Only what moves its time begins that anew: records that are refused, or
    older than the log, do not. Nor does a lag shorter than `idle`, which these cause as well as any. A longer one does,
    and no log advances while it lags: what the broker holds may move its time.

    A restart changes nothing: when a log reached its time is kept, by the wall clock, with the join's mark. An idle log
    then goes on from there, at most to what the wall clock says now.
    """

    def __init__(self, idle: float | None, impressions: str, feedback: str) -> None:
        self._idle = idle
        self._topics = (impressions, feedback)
        self._times = (BEFORE_TIME, BEFORE_TIME)
        self._since: dict[str, tuple[float, int]] = {}
        """Since when (s) and from which time (ms) a log goes with the clock."""
        self._lagging: dict[str, float] = {}
        self._restored: dict[str, int] = {}
        """Of logs that nothing has moved since they were taken over, which of both times they go by (0 or 1)."""
        self.reached_at = (0, 0)
        """When the logs reached the times they are at (ms of the wall clock)."""

    def restore(self, join: Join, reached_at: tuple[int, int]) -> None:
        """Go on from a restored join whose logs had reached their times then (ms of the wall clock)."""
        self._times = (join.impressions_time, join.feedback_time)
        self.reached_at = reached_at
        for number, topic in enumerate(self._topics):
            # A log in which nothing was ever written goes by the time of the other.
            whose = number if self._times[number] != BEFORE_TIME else 1 - number
            if self._times[whose] != BEFORE_TIME and reached_at[whose]:
                self._restored[topic] = whose

    def records_came(self, join: Join, wall: int) -> None:
        """Begin anew for the logs whose time was moved."""
        for topic in self._moved(join, wall):
            self._since.pop(topic, None)
            self._restored.pop(topic, None)

    def advanced(self, join: Join, wall: int) -> None:
        """Note how far the join was advanced by `times`."""
        self._moved(join, wall)

    def _moved(self, join: Join, wall: int) -> list[str]:
        """Return the logs whose time has changed, and note when they reached it."""
        times = (join.impressions_time, join.feedback_time)
        moved = [now != before for now, before in zip(times, self._times, strict=True)]
        first, second = (wall if one else then for one, then in zip(moved, self.reached_at, strict=True))
        self._times, self.reached_at = times, (first, second)
        return [topic for topic, one in zip(self._topics, moved, strict=True) if one]

    def times(self, join: Join, now: float, wall: int, caught_up: Container[str]) -> tuple[int | None, int | None]:
        """Return how far (ms) each log counts as having advanced, or None while it does not.

        `now` is in seconds, of a clock that never goes back, `wall` in ms of the wall clock, and `caught_up` names the
        topics read to their end.
        """
        impressions, feedback = self._topics
        return (
            self._time(impressions, join.impressions_time, join.feedback_time, now, wall, caught_up),
            self._time(feedback, join.feedback_time, join.impressions_time, now, wall, caught_up),
        )

    def _time(
        self, topic: str, log_time: int, other_time: int, now: float, wall: int, caught_up: Container[str]
    ) -> int | None:
        begins_at = other_time if log_time == BEFORE_TIME else log_time
        if self._idle is None or begins_at == BEFORE_TIME:
            return None
        if topic not in caught_up:
            self._lagging.setdefault(topic, now)
            return None
        if now - self._lagging.pop(topic, now) >= self._idle:
            self._since.pop(topic, None)
        if topic not in self._since:
            self._since[topic] = (now - self._idle_before(topic, wall), begins_at)
        since, base = self._since[topic]
        idle_for = now - since
        return base + round(idle_for * 1000) if idle_for >= self._idle else None

    def _idle_before(self, topic: str, wall: int) -> float:
        """Return for how long (s) a log had been idle when this is the first look at it since it was restored."""
        whose = self._restored.pop(topic, None)
        if whose is None:
            return 0.0
        # A clock that was wrong then, or is now, must not carry the log beyond the present.
        return max(0, min(wall - self.reached_at[whose], wall - self._times[whose])) / 1000
