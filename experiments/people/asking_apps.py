"""What simulated apps do that ask `groundswell serve` over HTTP: they hold no Kafka client, and need no package."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

import msgspec

from groundswell.client.decisions import Decision
from groundswell.events import Action, FeatureValue
from streams.serve.messages import (
    ActivateAnswer,
    ActivateRequest,
    FeedbackAnswer,
    FeedbackRequest,
    OfferedAction,
    RankAnswer,
    RankRequest,
)
from streams.serve.operations import ACTIVATE, FEEDBACK, RANK, Operation

AT_ONCE: Final = 8
"""Requests at a time, half of what a server takes in by default (`serve.max_concurrent`)."""
PREFETCHED: Final = 0.25
"""So many impressions are asked for before it is known whether they will be shown."""
TIMEOUT_SECONDS: Final = 60.0
REUSED_SECONDS: Final = 5.0
"""A connection that is idle for longer is made anew: the server may be about to close it (`serve.idle_seconds`)."""

Answer = TypeVar("Answer", RankAnswer, FeedbackAnswer, ActivateAnswer)


class UnansweredError(Exception):
    """The server has not done what it was asked for; the message says what it said."""


class _Connection(NamedTuple):
    """A connection and when it was used last (s of a clock that goes on)."""

    to: http.client.HTTPConnection
    used: float


class AskingApps:
    """Decides and logs over HTTP, several requests at a time, each acknowledged by Kafka before it is answered.

    `decide` asks `/v1/rank`, by which the impression is logged. Of those that were prefetched `shown` asks
    `/v1/activate`; of all others there is nothing left to say. `feedback` asks `/v1/feedback`.
    """

    def __init__(self, url: str, model: str, seed: int) -> None:
        """Ask the server at `url` (http://host:port). Raises ValueError where that is none."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or parts.path not in {"", "/"}:
            raise ValueError(f"{url!r} is no address of a server: give http://host:port, such as http://127.0.0.1:6080")
        self._host, self._port = parts.hostname, parts.port
        self._model = model
        self._random = random.Random(f"prefetched, {seed}")
        self._prefetched: set[str] = set()
        self._idle: list[_Connection] = []
        self._lock = threading.Lock()
        self._told: list[Future[None]] = []
        self._written = 0
        self.at_once = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="app")
        """What asks: as many requests at a time as it has threads."""

    def decide(self, context: Mapping[str, FeatureValue], actions: Sequence[Action], impression_id: str) -> Decision:
        """Return what the server decides. Raises `UnansweredError`."""
        with self._lock:
            prefetched = self._random.random() < PREFETCHED
        asked = RankRequest(
            model=self._model,
            actions=[OfferedAction(one.id, one.features) for one in actions],
            context=dict(context),
            impression_id=impression_id,
            defer=prefetched,
        )
        told = self._ask(RANK, asked, RankAnswer)
        if prefetched:
            with self._lock:
                self._prefetched.add(impression_id)
        return Decision(
            model=told.model,
            impression_id=told.impression_id,
            context=context,
            actions=actions,
            index=told.index,
            probabilities=told.probabilities,
            policy_version=told.policy_version,
            basis=told.basis,
            mode=told.mode,
            side=told.side,
            agreed=told.agreed,
        )

    def shown(self, decision: Decision, *, occurred_at: int) -> None:
        """Say that something was shown that had been prefetched."""
        with self._lock:
            if decision.impression_id not in self._prefetched:
                self._written += 1  # by the answer itself
                return
        asked = ActivateRequest(model=self._model, impression_id=decision.impression_id, occurred_at=occurred_at)
        self._tell(ACTIVATE, asked, ActivateAnswer)

    def feedback(self, impression_id: str, signal: str, *, feedback_id: str, occurred_at: int) -> None:
        """Say what came back."""
        asked = FeedbackRequest(
            model=self._model,
            impression_id=impression_id,
            signal=signal,
            feedback_id=feedback_id,
            occurred_at=occurred_at,
        )
        self._tell(FEEDBACK, asked, FeedbackAnswer)

    @property
    def written(self) -> int:
        """How many messages have been acknowledged."""
        return self._written

    def close(self, seconds: float) -> None:
        """Wait until what was told has been answered, so long for each at the most. Raises `UnansweredError`."""
        for one in self._told:
            one.result(seconds)
        self._told.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.at_once.shutdown(cancel_futures=True)
        while self._idle:
            self._idle.pop().to.close()

    def _tell(self, operation: Operation, asked: FeedbackRequest | ActivateRequest, kind: type[Answer]) -> None:
        """Ask in a thread of its own. Raises `UnansweredError` where something before could not be told."""

        def ask() -> None:
            self._ask(operation, asked, kind)
            with self._lock:
                self._written += 1

        while self._told and self._told[0].done():
            self._told.pop(0).result()
        self._told.append(self.at_once.submit(ask))

    def _ask(self, operation: Operation, asked: msgspec.Struct, kind: type[Answer]) -> Answer:
        connection = self._connection()
        try:
            body = msgspec.json.encode(asked)
            connection.request(operation.method, operation.path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            place = f"{self._host}:{self._port}"
            raise UnansweredError(f"{operation.path} at {place} is not answered: {error!r}") from error
        with self._lock:
            self._idle.append(_Connection(connection, time.monotonic()))
        if answer.status != http.HTTPStatus.OK:
            raise UnansweredError(f"{operation.path} is answered with {answer.status}: {content.decode()}")
        told = msgspec.json.decode(content, type=kind)
        if told.written != "acknowledged":
            raise UnansweredError(f"{operation.path} is answered with written {told.written!r}")
        return told

    def _connection(self) -> http.client.HTTPConnection:
        with self._lock:
            while self._idle:
                connection, used = self._idle.pop()
                if time.monotonic() - used < REUSED_SECONDS:
                    return connection
                connection.close()
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
