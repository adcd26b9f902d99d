"""Simulated apps in a process of their own: they read policies, act by them, and write the two topics.

They use kafka-python as any app would, and know nothing of the worker but the topics.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
from kafka import KafkaProducer

from experiments.people.app_sessions import ActingPolicy, AppSessions, Message, Stream
from experiments.people.true_value import true_worth
from experiments.people.truth_log import Finished, Progress, TruthWriter, World
from groundswell.events import SCHEMA_VERSION, Watermark

POLICY_CHECK_SECONDS = 0.1
PROGRESS_SECONDS = 0.25
SLACK = 1000
"""Milliseconds by which the end-of-input marker lies beyond the last window."""


class Outbox(Protocol):
    """Where messages go; `partition` is given for end-of-input markers only."""

    def send(self, stream: Stream, key: bytes | None, value: bytes, partition: int | None = None) -> None:
        """Send one message without waiting for it."""

    def partitions(self, stream: Stream) -> Iterable[int]:
        """Return the partitions of the stream's topic."""

    def flush(self) -> None:
        """Return when everything sent has been acknowledged."""


class KafkaOutbox:
    """Sends to Kafka. kafka-python's default partitioner is murmur2, as the contract wants it."""

    def __init__(self, bootstrap_servers: str, topics: dict[Stream, str], security: Mapping[str, Any]) -> None:
        self._topics = topics
        self._refused: list[BaseException] = []
        # Small batches are what costs brokers and consumers: what occurs within 50 ms goes together.
        self._producer = KafkaProducer(bootstrap_servers=bootstrap_servers, linger_ms=50, acks="all", **security)

    def send(self, stream: Stream, key: bytes | None, value: bytes, partition: int | None = None) -> None:
        """Send one message without waiting for it."""
        sent = self._producer.send(self._topics[stream], key=key, value=value, partition=partition)
        sent.add_errback(self._refused.append)

    def partitions(self, stream: Stream) -> Iterable[int]:
        """Return the partitions of the stream's topic."""
        return sorted(self._producer.partitions_for(self._topics[stream]))

    def flush(self) -> None:
        """Return when everything sent has been acknowledged; raise the first refusal, if any."""
        self._producer.flush()
        if self._refused:
            raise self._refused[0]

    def close(self) -> None:
        """Send what is left and let go of the connections."""
        self._producer.close()


@dataclass
class SimulatedApps:
    """The loop: show people actions at a steady pace, by the newest policy; send each message when it is due.

    `rate` is impressions per second; `interactions` the number after which to end, or None to go on until
    `stop`. With `end_of_input` every partition is closed in the end by a watermark `closing` milliseconds after
    the last occurrence; only a sole producer may promise that. `seconds` is a clock (epoch), `pause` sleeps
    and returns True when it is time to stop.
    """

    sessions: AppSessions
    outbox: Outbox
    newest_policy: Callable[[], ActingPolicy]
    truth: TruthWriter
    rate: float
    interactions: int | None
    closing: int
    end_of_input: bool
    seconds: Callable[[], float] = time.time
    pause: Callable[[float], bool] = threading.Event().wait
    _due: list[tuple[int, int, Message]] = field(default_factory=list)
    _sequence: int = 0

    def run(self) -> None:
        """Run until everything has been sent and acknowledged."""
        states = self.sessions.users.states
        self.truth.write(World(states.tolist()))
        started = self.seconds()
        policy = self.newest_policy()
        self._tell_value(policy)
        next_check = next_progress = started
        while True:
            now = self.seconds()
            if now >= next_check:
                next_check = now + POLICY_CHECK_SECONDS
                newest = self.newest_policy()
                if newest.version != policy.version:
                    policy = newest
                    self._tell_value(policy)
            if now >= next_progress:
                next_progress = now + PROGRESS_SECONDS
                self.truth.write(Progress(self.sessions.produced))
            self._show(round((now - started) * self.rate), round(now * 1000), policy)
            self._send_due(round(now * 1000))
            if self._complete() or self.pause(0.005):
                break
        self._finish()

    def _show(self, target: int, now: int, policy: ActingPolicy) -> None:
        if self.interactions is not None:
            target = min(target, self.interactions)
        while self.sessions.produced.impressions < target:
            for message in self.sessions.show(now, policy):
                heapq.heappush(self._due, (message.due, self._sequence, message))
                self._sequence += 1

    def _send_due(self, now: int) -> None:
        while self._due and self._due[0][0] <= now:
            message = heapq.heappop(self._due)[2]
            self.outbox.send(message.stream, message.key, message.value)

    def _complete(self) -> bool:
        return self.sessions.produced.impressions == self.interactions and not self._due

    def _finish(self) -> None:
        self.outbox.flush()  # so that no marker overtakes a message
        closed_at = self.sessions.last_occurred_at + self.closing + SLACK
        if self.end_of_input:
            marker = msgspec.json.encode(Watermark(schema_version=SCHEMA_VERSION, watermark=closed_at))
            for stream in Stream:
                for partition in self.outbox.partitions(stream):
                    self.outbox.send(stream, None, marker, partition)
            self.outbox.flush()
        self.truth.write(Finished(self.sessions.produced, closed_at))

    def _tell_value(self, policy: ActingPolicy) -> None:
        sessions = self.sessions
        self.truth.write(true_worth(policy, sessions.users.states, sessions.produced.impressions, sessions.context))
