"""Steps that are done as a whole or end the worker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType

Worked = Callable[[], Awaitable[None]]
"""What a step says when it has worked on its records, and only what came of them is left to write."""


async def unannounced() -> None:
    """Tell nobody that records have been worked on."""


class UnfinishedStepError(Exception):
    """A step of this partition was not finished: what is in memory is ahead of what was written."""


class WholeSteps:
    """The steps of one partition. `with steps:` is one of them; after one that failed or was cancelled none begins.

    A step changes the state in memory before its outputs are acknowledged. If it does not come to its end, a later
    mark or checkpoint would vouch for outputs that were never written. A restart begins from what is durable.
    """

    def __init__(self) -> None:
        self._failed = False
        self.abandoned = False

    @property
    def unfinished(self) -> bool:
        """Whether the last step was not finished, so that nothing may vouch for what is in memory."""
        return self._failed or self.abandoned

    def abandon(self) -> None:
        """Say within a step that what it brought about is for another worker to do, and is not written."""
        self.abandoned = True

    def __enter__(self) -> None:
        if self.unfinished:
            raise UnfinishedStepError("an earlier step of this partition was not finished; the worker has to restart")
        self._failed = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._failed = kind is not None
