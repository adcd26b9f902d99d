"""Impressions and feedback, written to Kafka by a thread of its own: an app's request never waits for a broker."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from uuid import uuid4

import msgspec
from kafka import KafkaProducer

from groundswell.client.arguments import PATIENCE, check_topics, checked
from groundswell.client.closing import close_producer
from groundswell.client.decisions import Decision, impression_of
from groundswell.client.reaching import Attempts
from groundswell.client.told import wrong_in
from groundswell.events import SCHEMA_VERSION, Feedback, Impression, contradiction
from groundswell.misfits import named

_LOG: Final = logging.getLogger(__name__)
RETRY_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.2
_FORKED: Final = (
    "the process was forked after this log was made, and nothing writes in it: make one in each process (gunicorn: in "
    "`post_fork`)"
)


class EventLogError(Exception):
    """A message was not written; the message says why, and what to do."""


class UnfitError(EventLogError):
    """A message that the worker would refuse, or JSON would hide something of; it has not been tried."""


class _Message(NamedTuple):
    topic: str
    key: bytes
    value: bytes
    written: Written


class Written(Future[None]):
    """Done when a message has been written. Wherever there is an event loop it can be awaited."""

    def __await__(self) -> Generator[Any, None, None]:
        return asyncio.wrap_future(self).__await__()


class EventLog:
    """Writes what was shown, and what came back, with the key and the partitioner that the join needs.

        with EventLog("localhost:9092") as log:
            log.shown(decision)
            log.feedback(decision.impression_id, "click")

    Nothing here blocks or raises because of Kafka or of a message: each call returns a future, done when all replicas
    in sync have the message, or failed with an `EventLogError`. An app may wait for it (`.result()`, in asyncio
    `await`) or not: what fails is logged and counted as well. One message that is refused takes none
    with it; one that could not be taken at all fails with an `UnfitError`. To cancel a future whose message was not yet
    handed to Kafka takes it back: it is not written. `waiting` bounds what is held while Kafka is away. `kafka` are
    arguments of kafka-python's `KafkaProducer` (security, time-outs).

    Raises:
        TypeError: kafka-python does not know one of these arguments.
        ValueError: `bootstrap_servers` are no addresses, `impressions` or `feedback` no names of topics, or `waiting`
            is no number of messages.
    """

    def __init__(
        self,
        bootstrap_servers: str | Sequence[str],
        *,
        impressions: str = "impressions",
        feedback: str = "feedback",
        waiting: int = 100_000,
        **kafka: Any,
    ) -> None:
        check_topics(impressions=impressions, feedback=feedback)
        if not isinstance(waiting, int) or waiting < 1:
            raise ValueError(f"waiting is {waiting!r}: give how many messages to hold at most, such as 100_000")
        self._impressions, self._feedback = impressions, feedback
        # The default partitioner is murmur2, as the join needs it. A client that makes topics by asking for them would
        # make them as no `topics create` does. An idempotent producer of kafka-python 3.0.12 sends nothing any more
        # once a message has expired that it had tried before; what is written twice by another has the same id, and the
        # join takes the first.
        own = {
            "bootstrap_servers": bootstrap_servers, "acks": "all", "linger_ms": 20, "allow_auto_create_topics": False,
            "enable_idempotence": False,
        }  # fmt: skip
        self._arguments = checked(KafkaProducer, {**own, **PATIENCE, **kafka})
        self._messages: queue.Queue[_Message] = queue.Queue(waiting)
        self._lock = threading.Lock()
        self._written = self._failed = 0
        self._stopping = threading.Event()
        self._deadline: float | None = None
        self._connected = False
        self._thread = threading.Thread(target=self._write, name="event log", daemon=True)
        self._thread.start()

    @property
    def written(self) -> int:
        """How many messages Kafka has acknowledged."""
        return self._written

    @property
    def failed(self) -> int:
        """How many messages were not written; each was logged."""
        return self._failed

    def shown(
        self,
        decision: Decision,
        *,
        occurred_at: int | None = None,
        weight: float = 1.0,
        deferred: bool = False,
    ) -> Written:
        """Write the impression of a decision; `occurred_at` is in milliseconds since 1970 UTC, now if not given.

        Raises:
            TypeError: this is no decision.
        """
        if not isinstance(decision, Decision):
            raise TypeError(f"decision is {type(decision).__name__}: give what `Policies.decide` has returned")
        at = _now() if occurred_at is None else occurred_at
        return self._take(self._impressions, impression_of(decision, at, weight=weight, deferred=deferred))

    def feedback(
        self,
        impression_id: str,
        signal: str,
        value: float | None = None,
        *,
        feedback_id: str | None = None,
        occurred_at: int | None = None,
    ) -> Written:
        """Write a signal that came back. A retry of the same feedback has to give the same `feedback_id`."""
        feedback = Feedback(
            schema_version=SCHEMA_VERSION,
            impression_id=impression_id,
            feedback_id=feedback_id or uuid4().hex,
            occurred_at=_now() if occurred_at is None else occurred_at,
            signal=signal,
            value=value,
        )
        return self._take(self._feedback, feedback)

    def close(self, seconds: float = 10.0) -> None:
        """Write what waits, that long at the most; what is left then has failed. Closing once more changes nothing."""
        if self._forked:
            return  # what waits is written by the process in which it was logged
        if self._deadline is None:
            self._deadline = time.monotonic() + seconds
            self._stopping.set()
        # In this order: the thread takes messages only once it is connected. If it is not, and none waits, it may try
        # to reach Kafka for long, and there is nothing to wait for.
        if not self._messages.empty() or self._connected:
            self._thread.join(max(0.0, self._deadline + 1.0 - time.monotonic()))
        self._give_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _forked(self) -> bool:
        """Whether this is another process than the one that writes: threads do not survive a fork."""
        return not self._thread.is_alive() and not self._stopping.is_set()

    def _take(self, topic: str, event: Impression | Feedback) -> Written:
        written = Written()
        if self._stopping.is_set():
            self._fail(written, "the log is closed: make a new one")
            return written
        if self._forked:
            # Not counted: the lock may have been held in the moment of the fork.
            _LOG.warning("not written: %s", _FORKED)
            written.set_exception(EventLogError(_FORKED))
            return written
        what = "impression" if isinstance(event, Impression) else "feedback"
        if (unfit := wrong_in(event)) is not None:
            self._fail(written, f"the {what} cannot be taken: {unfit}", UnfitError)
            return written
        try:
            value = msgspec.json.encode(event)
            # What the worker would refuse is told here, where somebody can do something about it.
            found = msgspec.json.decode(value, type=type(event))
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            told = named(error, value) if isinstance(error, msgspec.ValidationError) else error
            self._fail(written, f"the {what} {event.impression_id!r} cannot be taken: {told}", UnfitError)
            return written
        if isinstance(found, Impression) and (wrong := contradiction(found)) is not None:
            self._fail(written, f"the impression {event.impression_id!r} contradicts itself: {wrong[1]}", UnfitError)
            return written
        try:
            self._messages.put_nowait(_Message(topic, event.impression_id.encode(), value, written))
        except queue.Full:
            self._fail(
                written,
                f"{self._messages.maxsize} messages wait for Kafka already: is it away? Raise `waiting` to hold more",
            )
        return written

    def _write(self) -> None:
        producer: KafkaProducer | None = None
        attempts = Attempts(_LOG, self._arguments)
        while not self._ended():
            if producer is None:
                try:
                    producer = KafkaProducer(**attempts.arguments())
                    self._connected = True
                except Exception as error:  # whatever it is: the messages wait, and it is tried again
                    if self._ended():
                        break
                    attempts.failed(error)
                    self._stopping.wait(RETRY_SECONDS)
                    continue
            with suppress(queue.Empty):
                self._send(producer, self._messages.get(timeout=_LOOK_SECONDS))
        if producer is not None:
            left = 0.0 if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            close_producer(producer, left)
        self._give_up()

    def _give_up(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._fail(self._messages.get_nowait().written, "the log was closed before Kafka could be reached")

    def _ended(self) -> bool:
        if not self._stopping.is_set():
            return False
        return self._messages.empty() or (self._deadline is not None and time.monotonic() > self._deadline)

    def _send(self, producer: KafkaProducer, message: _Message) -> None:
        if not message.written.set_running_or_notify_cancel():
            return  # taken back

        def fail(error: BaseException) -> None:
            self._fail(message.written, f"Kafka has not taken {message.key.decode()!r} on {message.topic}: {error}")

        try:
            sent = producer.send(message.topic, key=message.key, value=message.value)
        except Exception as error:  # too large, or nobody knows the topic: no other has to suffer for it
            fail(error)
            return
        sent.add_errback(fail)
        sent.add_callback(lambda _: self._done(message.written))

    def _done(self, written: Written) -> None:
        with self._lock:
            self._written += 1
        written.set_result(None)

    def _fail(self, written: Written, why: str, kind: type[EventLogError] = EventLogError) -> None:
        if written.running() or written.set_running_or_notify_cancel():
            with self._lock:
                self._failed += 1
            _LOG.warning("not written: %s", why)
            written.set_exception(kind(why))


def _now() -> int:
    return round(time.time() * 1000)
