"""The past at the pace of the present: messages in event-time order, each due at its own moment."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator

from groundswell.events import Feedback, Impression


def in_event_time(
    interpreted: Iterable[tuple[Impression, list[Feedback]]], backward_ms: int = 0
) -> Iterator[Impression | Feedback]:
    """Interleave impressions, given in time order, with their feedback, each at its own time.

    Feedback may have occurred `backward_ms` before its impression. Holds the feedback that is still to come, and the
    impressions of so long a time. Of messages at the same moment an impression comes before its feedback, and those
    of earlier impressions come first.
    """
    pending: list[tuple[int, int, Impression | Feedback]] = []
    order = 0
    for impression, feedback in interpreted:
        newest = impression.occurred_at
        while pending and pending[0][0] < newest - backward_ms:
            yield heapq.heappop(pending)[2]
        messages: list[Impression | Feedback] = [impression, *feedback]
        for message in messages:
            heapq.heappush(pending, (message.occurred_at, order, message))
            order += 1
    while pending:
        yield heapq.heappop(pending)[2]


class Pace:
    """Holds back each message until its moment at `speed` times real time; None lets everything through.

    `clock` returns seconds and `sleep` waits for some. Raises ValueError for a speed that is not positive.
    """

    def __init__(
        self,
        speed: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if speed is not None and not speed > 0:
            raise ValueError(f"speed is {speed}: expected a positive multiple of real time, or max")
        self._speed = speed
        self._clock = clock
        self._sleep = sleep
        self._start: tuple[float, int] | None = None

    def wait_until(self, occurred_at: int) -> None:
        """Return when `occurred_at` (ms) is due; the first moment asked for is due at once."""
        if self._speed is None:
            return
        if self._start is None:
            self._start = (self._clock(), occurred_at)
        started, first = self._start
        remaining = started + (occurred_at - first) / 1_000 / self._speed - self._clock()
        if remaining > 0:
            self._sleep(remaining)
