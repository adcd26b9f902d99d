"""How much is taken in: requests a second of each holder of a token, and requests at a time."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from streams.serve.refused import RefusedError

AIM_SECONDS: Final = 0.0015
"""Of work that may be done before the turn of a request, beside bursts."""
LOOKED_AT_SECONDS: Final = 0.1
LESS, MORE = 0.9, 1.03
LEAST_PER_SECOND: Final = 20.0


class Paces:
    """A token bucket (ITU-T I.371) for each holder: so many a second, and a second's worth at once."""

    def __init__(self, per_second: float) -> None:
        self._per_second, self._most = per_second, max(1.0, per_second)
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, holder: str, now: float) -> None:
        """Take in one request at `now` (s of a clock that goes on). Raises `RefusedError` where there were too many."""
        left, since = self._left.get(holder, (self._most, now))
        left = min(self._most, left + (now - since) * self._per_second)
        if left < 1:
            self._left[holder] = left, now
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"more than {self._per_second:g} requests a second: come more slowly, or raise "
                "serve.requests_per_second",
                retry_seconds=(1 - left) / self._per_second,
            )
        self._left[holder] = left - 1, now


class AtATime:
    """The requests that wait to be worked at: so many at the most, and no queue of them that stays.

    What is beyond is refused, so that those taken in stay quick. Where for `LOOKED_AT_SECONDS` before the turn of even
    the quickest this process had to work for `AIM_SECONDS`, there is a queue that does not go away by itself, as that
    of a burst does: a tenth fewer are taken a second than were, and where there is none, a little more again. (The
    least wait of an interval as in CoDel, RFC 8289; less by a share and more in small steps as in TCP, RFC 5681.) While
    others have the processor nothing is gained by refusing: `worked` are the seconds of the core that it has had.
    """

    def __init__(
        self, most: int, now: Callable[[], float] = time.monotonic, worked: Callable[[], float] = time.process_time
    ) -> None:
        self._most, self._now, self._worked = most, now, worked
        self.count = 0
        self._per_second, self._left, self._since = math.inf, float(most), now()
        self._taken, self._least_wait, self._looked_at = 0, math.inf, now()

    @property
    def is_full(self) -> bool:
        """Whether the next one is refused."""
        return self.count >= self._most or (self._per_second < math.inf and self._filled() < 1)

    def refused(self) -> RefusedError:
        """Return what the next one is told."""
        return RefusedError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "more would wait for too long: try again a little later, start another server, or see serve.max_concurrent",
            retry_seconds=1,
        )

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for its turn, and count one until the block has ended. Raises `RefusedError`."""
        if self.is_full:
            raise self.refused()
        self.count += 1
        self._taken += 1
        self._left -= 1
        try:
            worked = self._worked()
            # All that came at the same time are counted before the first is worked at.
            await asyncio.sleep(0)
            self._note(self._worked() - worked, self._now())
            yield
        finally:
            self.count -= 1

    def _filled(self) -> float:
        """Return how many may come now, by the rate."""
        now = self._now()
        most = max(1.0, self._per_second * AIM_SECONDS)
        self._left, self._since = min(most, self._left + (now - self._since) * self._per_second), now
        return self._left

    def _note(self, waited: float, now: float) -> None:
        self._least_wait = min(self._least_wait, waited)
        passed = now - self._looked_at
        if passed >= LOOKED_AT_SECONDS:
            if self._least_wait > AIM_SECONDS:
                self._per_second = max(LEAST_PER_SECOND, LESS * min(self._per_second, self._taken / passed))
                self._left, self._since = 0.0, now
            else:
                self._per_second *= MORE
            self._taken, self._least_wait, self._looked_at = 0, math.inf, now
