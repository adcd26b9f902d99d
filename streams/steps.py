"""Steps that are done as a whole or end the worker."""

from __future__ import annotations

from types import TracebackType


class UnfinishedStepError(Exception):
    """A step of this partition was not finished: what is in memory is ahead of what was written."""


class Steps:
    """The steps of one partition. `with steps:` is one of them; after one that failed or was cancelled none begins.

    A step changes the state in memory before its outputs are acknowledged. If it does not come to its end, a later
    mark or checkpoint would vouch for outputs that were never written. A restart begins from what is durable.
    """

    def __init__(self) -> None:
        self.unfinished = False
        self._abandoned = False

    def abandon(self) -> None:
        """Say within a step that what it brought about is not written, so that nothing may vouch for it."""
        self._abandoned = True

    def __enter__(self) -> None:
        if self.unfinished:
            raise UnfinishedStepError("an earlier step of this partition was not finished; the worker has to restart")
        self.unfinished = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unfinished = self._abandoned or kind is not None
