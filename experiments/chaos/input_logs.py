"""What flows while things die: files of impressions and feedback, and the process that sends one of them.

The files are a function of the seed. Event time begins at a fixed moment of the past and goes at `RATE`; the two
logs hold what real delivery brings: repeats, disorder, feedback that comes early or late.
"""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer

from experiments.people.app_sessions import Answer, AppSessions, Decide, Mishaps, Showing, deciding_by
from experiments.people.three_state import ThreeStateUsers
from groundswell.client.decisions import Decision, impression_of
from groundswell.events import SCHEMA_VERSION, Feedback, Impression, Watermark
from groundswell.policy import Policy
from processors.join.config import JoinConfig
from streams.kafka.acknowledged_producer import AcknowledgedProducer

RATE = 500
"""Impressions per second of event time."""
BEGINNING = 1_700_000_000_000
"""The event time of the first impression, in milliseconds."""
PATIENCE = 600.0
"""Seconds that a message may take: the broker dies again and again, and what is judged is not its producers."""
CONNECTED = "connected"
"""What a producer says when it has found the broker: one that finds none when it starts gives up."""
USERS, ACTIONS, P_DISLIKE = 5, 5, 0.2
MISHAPS = Mishaps(repeated_impression=0.01, repeated_feedback=0.05, held=0.05, early=0.05, late=0.05)


class Stream(StrEnum):
    """The two topics that apps write."""

    IMPRESSIONS = "impressions"
    FEEDBACK = "feedback"


class Line(msgspec.Struct, array_like=True):
    """One message of a file; without a key it goes to every partition. `due` is in ms since the beginning."""

    due: int
    key: str | None
    value: str


def write_input(folder: Path, impressions: int, models: Sequence[str], seed: int, join: JoinConfig) -> float:
    """Write `impressions.jsonl` and `feedback.jsonl`, each closed by a watermark; return how long they go on (s)."""
    wait, grace = round(join.wait * 1000), round(join.grace * 1000)
    sessions = [
        AppSessions(
            ThreeStateUsers(USERS, ACTIONS, P_DISLIKE, seed + number),
            run=model,
            seed=seed + number,
            wait=wait,
            grace=grace,
            mishaps=MISHAPS,
        )
        for number, model in enumerate(models)
    ]
    decide = [deciding_by(model, Policy.uniform(), random.Random(f"what {model} shows, {seed}")) for model in models]
    last = BEGINNING
    with (folder / "impressions.jsonl").open("wb") as shown, (folder / "feedback.jsonl").open("wb") as seen:
        files = _LogFiles(shown, seen)
        for message in _in_order(sessions, decide, impressions):
            last = files.due = message.due
            message.write_to(files)
        closing = last + wait + grace + round(join.backward * 1000) + 1000
        marker = msgspec.json.encode(Watermark(schema_version=SCHEMA_VERSION, watermark=closing)).decode()
        for file in (shown, seen):
            file.write(msgspec.json.encode(Line(last - BEGINNING, None, marker)) + b"\n")
    return (last - BEGINNING) / 1000


class _LogFiles:
    """The two files as a log: each message is a line, due when `due` says."""

    def __init__(self, impressions: BinaryIO, feedback: BinaryIO) -> None:
        self.due = BEGINNING
        self._impressions, self._feedback = impressions, feedback

    def shown(self, decision: Decision, *, occurred_at: int) -> None:
        self._write(self._impressions, impression_of(decision, occurred_at))

    def feedback(self, impression_id: str, signal: str, *, feedback_id: str, occurred_at: int) -> None:
        self._write(
            self._feedback,
            Feedback(
                schema_version=SCHEMA_VERSION,
                impression_id=impression_id,
                feedback_id=feedback_id,
                occurred_at=occurred_at,
                signal=signal,
            ),
        )

    def _write(self, file: BinaryIO, event: Impression | Feedback) -> None:
        line = Line(self.due - BEGINNING, event.impression_id, msgspec.json.encode(event).decode())
        file.write(msgspec.json.encode(line) + b"\n")


def _in_order(
    sessions: Sequence[AppSessions], decide: Sequence[Decide], impressions: int
) -> Iterator[Showing | Answer]:
    """Yield all messages in the order in which they are due."""
    due: list[tuple[int, int, Showing | Answer]] = []
    order = 0
    for number in range(impressions):
        now = BEGINNING + number * 1000 // RATE
        while due and due[0][0] < now:
            yield heapq.heappop(due)[2]
        turn = number % len(sessions)
        for message in sessions[turn].show(now, decide[turn]):
            heapq.heappush(due, (message.due, order, message))
            order += 1
    while due:
        yield heapq.heappop(due)[2]


class Moved:
    """Moves the event times of messages: of one that is repeated by as much as before, as copies are the same."""

    def __init__(self) -> None:
        self._by: dict[str, int] = {}

    def __call__(self, value: bytes, by: int) -> bytes:
        """Return a message whose event time is so many ms later."""
        body = msgspec.json.decode(value)
        name = body.get("feedback_id") or body.get("impression_id")
        if name is not None:
            by = self._by.setdefault(name, by)
        return msgspec.json.encode(
            {one: member + by if one in {"occurred_at", "watermark"} else member for one, member in body.items()}
        )


def send(
    file: Path,
    topic: str,
    bootstrap_servers: Annotated[str, typer.Option()],
    seconds: Annotated[float, typer.Option(help="How long sending takes at least.")] = 0.0,
    live: Annotated[bool, typer.Option(help="Whether it happens now, and not in the past.")] = False,
) -> None:
    """Send a file in its order, spread over `seconds`, with every message acknowledged.

    `live` moves event times by as much as lies between when a message was due in the past and now. The watermark is
    sent when it is no more ahead of the clock: one from the future is refused.
    """
    lines = [msgspec.json.decode(line, type=Line) for line in file.read_bytes().splitlines()]
    pace = seconds / max(1, lines[-1].due)
    began = time.monotonic()
    moved = Moved()
    with AcknowledgedProducer(bootstrap_servers, patience=PATIENCE) as producer:
        partitions = producer.partitions(topic)
        print(CONNECTED, flush=True)
        for line in lines:
            time.sleep(max(0.0, began + line.due * pace - time.monotonic()))
            value = line.value.encode()
            if live:
                value = moved(value, time.time_ns() // 1_000_000 - (BEGINNING + line.due))
            if line.key is not None:
                producer.send(topic, value, key=line.key.encode())
                continue
            if live:
                time.sleep(max(0.0, msgspec.json.decode(value, type=Watermark).watermark / 1000 - time.time()))
            producer.wait_for_acknowledgements()  # so that no marker overtakes a message
            for partition in partitions:
                producer.send(topic, value, partition=partition)


if __name__ == "__main__":
    typer.run(send)
