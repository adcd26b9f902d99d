"""What was shown and what came back, written to Kafka: before the answer, or later where that was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from http import HTTPStatus
from typing import Any, Protocol

from groundswell.client import EventLog, EventLogError, UnfitError
from groundswell.client.decisions import Decision
from streams.serve.messages import Written
from streams.serve.refused import RefusedError
from streams.settings import ServeSettings, TopicSettings

RETRY_SECONDS = 1.0


class Log(Protocol):
    """What is needed of an `EventLog`."""

    @property
    def written(self) -> int: ...

    @property
    def failed(self) -> int: ...

    def shown(self, decision: Decision, *, deferred: bool = False) -> Future[None]: ...

    def feedback(
        self,
        impression_id: str,
        signal: str,
        value: float | None = None,
        *,
        feedback_id: str | None = None,
        occurred_at: int | None = None,
    ) -> Future[None]: ...

    def close(self, seconds: float = 10.0) -> None: ...


class Writing:
    """Writes by two logs: `prompt` gives up when the answer does, `patient` holds what it has while Kafka is away.

    What is answered with 503 must not turn up later, when nobody was shown anything: so both end at the same time.
    """

    def __init__(self, prompt: Log, patient: Log, seconds: float) -> None:
        self._prompt, self._patient, self._seconds = prompt, patient, seconds

    @classmethod
    def to(cls, topics: TopicSettings, serve: ServeSettings, kafka: Mapping[str, Any]) -> Writing:
        """Return what writes to these topics; `kafka` are arguments of clients."""
        names: dict[str, Any] = {"impressions": topics.impressions, "feedback": topics.feedback}
        most = round(1000 * serve.write_seconds)
        bounded: dict[str, Any] = dict.fromkeys(("request_timeout_ms", "delivery_timeout_ms", "max_block_ms"), most)
        prompt = EventLog(**names, **kafka, **bounded, linger_ms=0)
        return cls(prompt, EventLog(**names, **kafka), serve.write_seconds)

    def log(self, *, later: bool) -> Log:
        """Return the log for what is to be written before the answer, or later."""
        return self._patient if later else self._prompt

    async def written(self, messages: Sequence[Future[None]], *, later: bool) -> Written:
        """Wait until messages are acknowledged, unless they are to be written later. Raises `RefusedError`.

        Where one of them is not, those that did not leave are taken back.
        """
        awaited = [one for one in messages if one.done()] if later else messages
        waiting = [asyncio.wrap_future(one) for one in awaited]
        try:
            await asyncio.wait_for(asyncio.gather(*waiting), self._seconds)
        except UnfitError as error:
            raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        except (EventLogError, TimeoutError) as error:
            why = (
                "so much waits for Kafka already that this cannot, and it is not going to be written: try again"
                if later
                else f"Kafka has not acknowledged it within {self._seconds:g} s, and what is not acknowledged may be "
                "lost: try again, or ask with ?write=later"
            )
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, why, retry_seconds=RETRY_SECONDS) from error
        finally:
            for one in waiting:
                one.cancel()
        return "acknowledged" if len(awaited) == len(messages) else "later"

    def counts(self) -> dict[Written, tuple[int, int]]:
        """Return how many messages were written, and how many were not."""
        logs: dict[Written, Log] = {"acknowledged": self._prompt, "later": self._patient}
        return {name: (log.written, log.failed) for name, log in logs.items()}

    def close(self, seconds: float) -> None:
        """Write what waits, that long at the most."""
        self._prompt.close(seconds)
        self._patient.close(seconds)
