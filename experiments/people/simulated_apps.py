"""Simulated apps in a process of their own: they decide and log by the package `groundswell`, as any app would.

They know nothing of the worker but the topics.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from experiments.people.app_sessions import ActingPolicy, Answer, AppSessions, Arrival, Decide, Log, Showing
from experiments.people.true_value import true_worth
from experiments.people.truth_log import Finished, Progress, TruthWriter, World
from groundswell.client.decisions import Decision

POLICY_CHECK_SECONDS = 0.1
PROGRESS_SECONDS = 0.25
CLOSING_SECONDS = 30.0
"""For how long none of the last messages may be acknowledged, before those that are left are given up."""
LOOK_SECONDS = 0.05
TOGETHER = 16
"""Of so many people at the most it is decided at the same time."""
SLACK = 1000
"""Milliseconds by which the end-of-input marker lies beyond the last window."""


class UnwrittenError(Exception):
    """Messages were not acknowledged; the message says how many."""


class AppLog(Log, Protocol):
    """A log that can be closed, as `groundswell.client.EventLog` is one."""

    @property
    def written(self) -> int:
        """How many messages have been acknowledged."""

    def close(self, seconds: float) -> None:
        """Write what waits, that long at the most."""


@dataclass
class SimulatedApps:
    """The loop: show people actions at a steady pace, as `decide` says; log each message when it is due.

    `rate` is impressions per second; `interactions` the number after which to end, or None to go on until
    `stop`. In the end `end_input`, where it is given, is told the event time before which nothing follows, `closing`
    milliseconds after the last occurrence; only a sole producer may promise that. `newest_policy` is asked for what the
    policy of the moment is truly worth, which is written to `truth`. By `at_once`, where it is given, it is decided at
    the same time for those who come at the same time. `seconds` is a clock (epoch), `pause` sleeps and returns True
    when it is time to stop.
    """

    sessions: AppSessions
    decide: Decide
    log: AppLog
    newest_policy: Callable[[], ActingPolicy]
    truth: TruthWriter
    rate: float
    interactions: int | None
    closing: int
    end_input: Callable[[int], None] | None
    at_once: ThreadPoolExecutor | None = None
    seconds: Callable[[], float] = time.time
    pause: Callable[[float], bool] = threading.Event().wait
    _due: list[tuple[int, int, Showing | Answer]] = field(default_factory=list)
    _sequence: int = 0
    _logged: int = 0

    def run(self) -> None:
        """Run until everything has been logged and acknowledged. Raises `UnwrittenError` where something was not."""
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
            self._show(round((now - started) * self.rate))
            self._log_due(self._now())
            if self._complete() or self.pause(0.005):
                break
        self._finish()

    def _now(self) -> int:
        return round(self.seconds() * 1000)

    def _show(self, target: int) -> None:
        if self.interactions is not None:
            target = min(target, self.interactions)
        if self.at_once is not None:
            # The others come next: what has come back meanwhile must not wait for a whole crowd.
            target = min(target, self.sessions.produced.impressions + TOGETHER)
        arrivals = (self.sessions.arrive() for _ in range(target - self.sessions.produced.impressions))
        decided = (map if self.at_once is None else self.at_once.map)(self._decided, arrivals)
        for arrival, decision in decided:
            # By a clock that is read when it is decided: nobody reacts to what has not been shown yet.
            for message in self.sessions.shown(self._now(), arrival, decision):
                heapq.heappush(self._due, (message.due, self._sequence, message))
                self._sequence += 1

    def _decided(self, arrival: Arrival) -> tuple[Arrival, Decision]:
        return arrival, arrival.decided(self.decide)

    def _log_due(self, now: int) -> None:
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2].write_to(self.log)
            self._logged += 1

    def _complete(self) -> bool:
        return self.sessions.produced.impressions == self.interactions and not self._due

    def _finish(self) -> None:
        self._await_acknowledgements()
        self.log.close(CLOSING_SECONDS)  # so that no marker overtakes a message
        if self.log.written < self._logged:
            raise UnwrittenError(
                f"{self._logged - self.log.written} of {self._logged} messages were not written: for "
                f"{CLOSING_SECONDS:.0f} s Kafka has acknowledged none, or it has refused them (it says so above). See "
                "whether it runs, and has the machine (`groundswell doctor`)"
            )
        closed_at = self.sessions.last_occurred_at + self.closing + SLACK
        if self.end_input is not None:
            self.end_input(closed_at)
        self.truth.write(Finished(self.sessions.produced, closed_at))

    def _await_acknowledgements(self) -> None:
        """Wait as long as some more come: a machine that is busy takes its time."""
        written, since = self.log.written, self.seconds()
        while written < self._logged and self.seconds() - since < CLOSING_SECONDS and not self.pause(LOOK_SECONDS):
            if self.log.written != written:
                written, since = self.log.written, self.seconds()

    def _tell_value(self, policy: ActingPolicy) -> None:
        sessions = self.sessions
        self.truth.write(true_worth(policy, sessions.users.states, sessions.produced.impressions, sessions.context))
