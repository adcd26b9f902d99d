"""Whether this worker is still a member of its group, as far as it can know without asking.

A worker that did not run for longer than the session time-out (a process that was stopped, a machine that hung) has
lost its partitions without noticing. What it would write then may be older than what their new owner has written.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import ParamSpec

P = ParamSpec("P")
LOOK_SECONDS = 0.05


class MembershipLease:
    """A lease that begins when the group is joined and that each heartbeat renews.

    The group keeps a member for the session time-out after its last heartbeat; here that counts from when it was
    sent, before the group can have counted. `leaving` says whether a rebalance has begun; `clock` is in seconds and
    never goes back, and goes on while the process is stopped.
    """

    def __init__(
        self, session_timeout: float, leaving: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._session_timeout = session_timeout
        self._leaving = leaving
        self._clock = clock
        self._confirmed = -math.inf

    @property
    def is_good(self) -> bool:
        """Whether the group cannot have given the partitions of this worker to another."""
        return self._clock() - self._confirmed < self._session_timeout

    async def kept(self) -> bool:
        """Return whether a partition is still this worker's; while it is not known, wait for the group's answer.

        False means that a rebalance takes the partition away, and that another worker may have had it.
        """
        while not self.is_good:
            if self._leaving():
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    def following(self, heartbeat: Callable[P, Awaitable[bool]]) -> Callable[P, Awaitable[bool]]:
        """Return a heartbeat (or a joining) that renews the lease where the group takes it, from whichever thread."""

        async def followed(*arguments: P.args, **options: P.kwargs) -> bool:
            sent = self._clock()
            taken = await heartbeat(*arguments, **options)
            if taken:
                self._confirmed = sent
            return taken

        return followed
