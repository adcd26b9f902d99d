"""How much is taken in: requests a second of each holder of a token, and requests at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from streams.serve.refused import RefusedError


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
    """The requests that wait to be worked at, so many at the most: what is beyond is refused, so that those taken in
    stay quick.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.count = 0

    def check(self) -> None:
        """Raise `RefusedError` where there are so many already."""
        if self.count >= self._most:
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{self._most} requests came at the same time already: try again a little later, or raise "
                "serve.max_concurrent",
                retry_seconds=1,
            )

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count one as long as the block takes. Raises `RefusedError`."""
        self.check()
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1
