"""An app in a process of its own that decides for people again and again, and notes what it decided, to be killed.

`python -m tests.integration.deciding_app WHERE NOTES [KEEP]` decides by the package where WHERE is a broker, which may
keep its policy in a file, and asks `groundswell serve` where it is a URL. SIGTERM ends it when all is written.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec

from groundswell import Action
from groundswell.client import Basis, EventLog, Policies
from groundswell.controls import Mode, Side
from groundswell.events import Features

MODEL: Final = "feed"
ACTIONS: Final = [Action("a"), Action("b"), Action("c")]
PEOPLE: Final[list[Features]] = [{"user": f"user-{number}"} for number in range(40)]
OWN: Final = [0.2, 0.3, 0.5]
"""By which the rule of the apps that decide by the package draws; those that ask over HTTP have none."""
SLOTS: Final = ["top", "side"]
OWN_IN_SLOTS: Final = ["b", "a"]
PAUSE: Final = 0.02
"""Seconds between decisions."""


class Made(msgspec.Struct, tag=True):
    """A decision as the app knows it."""

    impression_id: str
    user: str
    action: str
    mode: Mode | None
    side: Side | None
    basis: Basis
    version: int | None


class Acknowledged(msgspec.Struct, tag=True):
    """That Kafka has the impression, as the app was told."""

    impression_id: str


class Notes:
    """A file to which each note is written at once, so that whoever is killed leaves whole lines."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, *notes: Made | Acknowledged) -> None:
        os.write(self._file, b"".join(msgspec.json.encode(one) + b"\n" for one in notes))

    def acknowledged(self, impression_id: str, written: Future[None]) -> None:
        if not written.cancelled() and written.exception() is None:
            self.write(Acknowledged(impression_id))


def by_package(servers: str, keep: Path | None, notes: Notes, turns: Iterator[int]) -> None:
    with Policies(servers, MODEL, keep=keep) as policies, EventLog(servers) as log:
        for turn in turns:
            who = PEOPLE[turn % len(PEOPLE)]
            decisions = (
                policies.decide_slots(who, ACTIONS, SLOTS, own=OWN_IN_SLOTS)
                if turn % 4 == 0
                else [policies.decide(who, ACTIONS, own=OWN)]
            )
            for one in decisions:
                made = Made(
                    impression_id=one.impression_id, user=str(who["user"]), action=one.action.id,
                    mode=one.mode, side=one.side, basis=one.basis, version=one.policy_version,
                )  # fmt: skip
                notes.write(made)
                log.shown(one).add_done_callback(partial(notes.acknowledged, one.impression_id))
                if (answer := answered(made)) is not None:
                    log.feedback(one.impression_id, answer)


def over_http(url: str, notes: Notes, turns: Iterator[int]) -> None:
    with httpx2.Client(base_url=url, timeout=60.0) as server:

        def ask(path: str, **asked: Any) -> dict[str, Any] | None:
            """Return the answer; None where the server is away, or says that Kafka is, or that it is busy."""
            try:
                answer = server.post(path, json={"model": MODEL, **asked})
            except httpx2.TransportError:
                return None
            if answer.status_code in {httpx2.codes.SERVICE_UNAVAILABLE, httpx2.codes.TOO_MANY_REQUESTS}:
                return None
            answer.raise_for_status()
            told: dict[str, Any] = answer.json()
            return told

        for turn in turns:
            who = PEOPLE[turn % len(PEOPLE)]
            slots = {"slots": [{"id": one} for one in SLOTS]} if turn % 4 == 0 else {}
            later = "?write=later" if turn % 5 == 0 else ""
            actions = [{"id": one.id} for one in ACTIONS]
            told = ask(f"/v1/rank{later}", context=who, actions=actions, **slots)
            if told is None:
                continue
            for one in told.get("slots", [told]):
                made = Made(
                    impression_id=one["impression_id"], user=str(who["user"]), action=one["action"],
                    mode=told["mode"], side=told["side"], basis=told["basis"], version=told["policy_version"],
                )  # fmt: skip
                notes.write(made)
                if told["written"] == "acknowledged":
                    notes.write(Acknowledged(made.impression_id))
                if (answer := answered(made)) is not None:
                    ask("/v1/feedback", impression_id=made.impression_id, signal=answer)


def answered(made: Made) -> str | None:
    """Return what somebody answers to what is shown: each loves one of the actions and hates another."""
    loved = int(made.user.partition("-")[2]) % len(ACTIONS)
    answers: Sequence[str | None] = ("like", "dislike", None)
    return answers[([one.id for one in ACTIONS].index(made.action) - loved) % len(ACTIONS)]


def main(where: str, notes: str, keep: str | None = None) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def turns() -> Iterator[int]:
        for turn in count():
            if stop.wait(PAUSE):
                return
            yield turn

    run: Callable[[Notes, Iterator[int]], None]
    if where.startswith("http"):
        run = partial(over_http, where)
    else:
        run = partial(by_package, where, None if keep is None else Path(keep))
    run(Notes(Path(notes)), turns())


if __name__ == "__main__":
    main(*sys.argv[1:])
