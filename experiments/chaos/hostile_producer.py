"""A producer that may write impressions and feedback, nothing else, and is not honest; it writes among those that are.

What its impressions say is drawn from the families of `people/hostile.py`, which bear on what is learned. Beside them
come clocks that are wrong, ids that come again, feedback for what others showed, records that are large or unpack to
much, and what no worker lets in. Whether a record is let in is known when it is made: `refused` goes with it in a
header, for the audit alone. Watermarks that are true to the clock are left out: whoever may write them ends logs
(docs/security.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import numpy as np
import typer
from kafka import KafkaProducer

from experiments.chaos.input_logs import CONNECTED, PATIENCE, Line, Stream
from experiments.chaos.join_definition import HOSTILE, REFUSED
from experiments.people.hostile import FAMILIES
from groundswell.events import MAX_FEATURES, Interaction
from streams.kafka.acknowledged_producer import AcknowledgedProducer

RATE: Final = 25.0
"""Records per second."""
LONGEST_STRETCH: Final = 12
"""Records that are taken of a family before another is drawn."""
BOMB_BYTES: Final = 70_000_000
"""What a batch unpacks to, of some kilobytes on the wire: more than `kafka.max_unpacked_bytes` allows by default."""
BOMB_EVERY: Final = 150
"""Records between two such batches."""
MOST_AHEAD_MS: Final = 2_500
"""How far a wrong clock is ahead that is let in: less than backward and grace of the join that it is beside."""
MOST_BEHIND_MS: Final = 7_200_000
FAR_AHEAD_MS: Final = 3_600_000
PADDING: Final = 150_000
"""Characters of a member that nobody knows."""
TOO_LARGE: Final = 650_000

Draw = np.random.Generator
Body = dict[str, Any]


class Hostile(NamedTuple):
    """One record, and whether workers refuse it."""

    stream: Stream
    key: bytes | None
    value: bytes | None
    refused: bool = False


class HostileApp:
    """Draws records without end. `clock` gives the time in ms, `others` are the ids of what honest apps show."""

    def __init__(self, seed: int, models: Sequence[str], others: Sequence[str], clock: Callable[[], int]) -> None:
        self._rng: Draw = np.random.default_rng([seed, 3])
        self._models, self._others, self._clock = models, others, clock
        self._numbers = count()

    def records(self) -> Iterator[Hostile]:
        """Yield stretches of one family after another."""
        while True:
            yield from self.stretch(str(self._rng.choice([*FAMILIES, *self.of_logs])))

    @property
    def of_logs(self) -> dict[str, Callable[[], Iterator[Hostile]]]:
        """Families that bear on the join and on admission, by name."""
        return {
            "clocks": self._clocks,
            "repeated": self._repeated,
            "others": self._others_feedback,
            "strangers": self._feedback_to_nobody,
            "no model": self._of_no_model,
            "padded": self._padded,
            "refused": self._all_refused,
        }

    def stretch(self, family: str) -> Iterator[Hostile]:
        """Yield some records of a family: one of `people/hostile.py`, or one of `of_logs`."""
        if family in FAMILIES:
            for one in FAMILIES[family](self._rng)[:LONGEST_STRETCH]:
                yield from self._said(one)
        else:
            yield from self.of_logs[family]()

    def _clocks(self) -> Iterator[Hostile]:
        for _ in range(LONGEST_STRETCH // 2):
            yield from self._said(self._ordinary(), self._wrong_clock())

    def _repeated(self) -> Iterator[Hostile]:
        """Yield an impression and another one under its id."""
        records = [*self._said(self._ordinary()), *self._said(self._ordinary())]
        key = records[0].key or b""
        for one in records:
            body = msgspec.json.decode(one.value or b"") | {"impression_id": key.decode()}
            yield one._replace(key=key, value=msgspec.json.encode(body))

    def _others_feedback(self) -> Iterator[Hostile]:
        for _ in range(LONGEST_STRETCH):
            yield self._answer(str(self._rng.choice(self._others)), "dislike", None, self._wrong_clock())

    def _feedback_to_nobody(self) -> Iterator[Hostile]:
        for _ in range(LONGEST_STRETCH):
            yield self._answer(f"{HOSTILE}never-shown-{self._rng.integers(10**9)}", "click", None, 0)

    def _of_no_model(self) -> Iterator[Hostile]:
        shown = next(self._said(self._ordinary()))
        body = msgspec.json.decode(shown.value or b"") | {"model": "nobody's"}
        yield shown._replace(value=msgspec.json.encode(body), refused=True)

    def _padded(self) -> Iterator[Hostile]:
        shown = next(self._said(self._ordinary()))
        body = msgspec.json.decode(shown.value or b"") | {"unknown": "x" * PADDING}
        yield shown._replace(value=msgspec.json.encode(body))

    def _all_refused(self) -> Iterator[Hostile]:
        for _ in range(LONGEST_STRETCH):
            yield self._refused()

    def _ordinary(self) -> Interaction:
        return FAMILIES["outliers"](self._rng)[0]

    def _wrong_clock(self) -> int:
        """Return by how many ms a clock is ahead, or behind."""
        if self._rng.random() < 0.5:
            return int(self._rng.integers(1, MOST_AHEAD_MS))
        return -int(self._rng.integers(1, MOST_BEHIND_MS))

    def _id(self) -> str:
        return f"{HOSTILE}{next(self._numbers)}"

    def _said(self, one: Interaction, ahead: int = 0) -> Iterator[Hostile]:
        """Yield an impression and its feedback."""
        name, at = self._id(), self._clock() + ahead
        impression = msgspec.structs.replace(
            one.impression, impression_id=name, occurred_at=at, model=str(self._rng.choice(self._models))
        )
        # Few actions of very many features are drawn as well.
        refused = any(len(action.features) > MAX_FEATURES for action in impression.actions)
        yield Hostile(Stream.IMPRESSIONS, name.encode(), msgspec.json.encode(impression), refused)
        for each in one.feedback:
            yield self._answer(name, each.signal, each.value, ahead)

    def _answer(self, impression_id: str, signal: str, value: float | None, ahead: int) -> Hostile:
        body: Body = {
            "schema_version": 1, "impression_id": impression_id, "feedback_id": self._id(),
            "occurred_at": self._clock() + ahead, "signal": signal, "value": value,
        }  # fmt: skip
        return Hostile(Stream.FEEDBACK, impression_id.encode(), msgspec.json.encode(body))

    def _refused(self) -> Hostile:
        """Return a record that no worker lets in, of one of the ways in which that may be."""
        stream = Stream.IMPRESSIONS if self._rng.random() < 0.5 else Stream.FEEDBACK
        good = next(self._said(self._ordinary()))
        if stream is Stream.FEEDBACK:
            good = self._answer((good.key or b"").decode(), "click", None, 0)
        body = msgspec.json.decode(good.value or b"")
        key, value = SPOILT[str(self._rng.choice([*SPOILT]))](good.key or b"", body)
        return Hostile(stream, key, value, refused=True)


def _spoilt_by(**members: object) -> Callable[[bytes, Body], tuple[bytes | None, bytes | None]]:
    return lambda key, body: (key, msgspec.json.encode(body | members))


SPOILT: Final[dict[str, Callable[[bytes, Body], tuple[bytes | None, bytes | None]]]] = {
    "tombstone": lambda key, body: (key, None),
    "empty": lambda key, body: (key, b""),
    "wrong UTF-8": lambda key, body: (key, msgspec.json.encode(body)[:-1] + b',"unknown":"\xff\xfe"}'),
    "half a message": lambda key, body: (key, msgspec.json.encode(body)[:-20]),
    "nested": lambda key, body: (key, b"[" * 100_000),
    "another key": lambda key, body: (key + b"-another", msgspec.json.encode(body)),
    "no key": lambda key, body: (None, msgspec.json.encode(body)),
    "too large": lambda key, body: (key, msgspec.json.encode(body | {"unknown": "x" * TOO_LARGE})),
    "from the future": lambda key, body: (
        key, msgspec.json.encode(body | {"occurred_at": body["occurred_at"] + FAR_AHEAD_MS}),
    ),
    "a watermark from the future": lambda key, body: (
        None, msgspec.json.encode({"schema_version": 1, "watermark": body["occurred_at"] + FAR_AHEAD_MS}),
    ),
    "a time beyond all": _spoilt_by(occurred_at=10**30),
    "a time in words": _spoilt_by(occurred_at="now"),
    "another schema": _spoilt_by(schema_version=2),
    "a list for an id": _spoilt_by(impression_id=[]),
}  # fmt: skip
"""Ways to spoil a good message, given its key and its members, so that it is refused on either topic."""


def write(
    others: Path,
    impressions: str,
    feedback: str,
    bootstrap_servers: Annotated[str, typer.Option()],
    seconds: Annotated[float, typer.Option(help="How long it goes on.")],
    seed: Annotated[int, typer.Option()],
    models: Annotated[str, typer.Option(help="Their names, with commas between.")],
) -> None:
    """Write to both topics at a steady rate. `others` is the file of what honest apps show."""
    lines = [msgspec.json.decode(line, type=Line) for line in others.read_bytes().splitlines()]
    shown = [line.key for line in lines if line.key is not None]
    app = HostileApp(seed, models.split(","), shown, lambda: time.time_ns() // 1_000_000)
    topics = {Stream.IMPRESSIONS: impressions, Stream.FEEDBACK: feedback}
    with (
        AcknowledgedProducer(bootstrap_servers, patience=PATIENCE) as producer,
        closing(bomber(bootstrap_servers)) as bombs,
    ):
        for topic in topics.values():
            producer.partitions(topic)
            bombs.partitions_for(topic)
        print(CONNECTED, flush=True)
        began = time.monotonic()
        for number, one in enumerate(app.records()):
            due = number / RATE
            if due > seconds:
                return
            if number % BOMB_EVERY == BOMB_EVERY // 2:
                bombs.send(topics[one.stream], bytes(BOMB_BYTES), key=HOSTILE.encode(), headers=[(REFUSED, b"")])
            time.sleep(max(0.0, began + due - time.monotonic()))
            headers = [(REFUSED, b"")] if one.refused else []
            producer.send(topics[one.stream], one.value, key=one.key, headers=headers)


def bomber(bootstrap_servers: str) -> KafkaProducer:
    """Return a producer of batches that unpack to `BOMB_BYTES`."""
    return KafkaProducer(
        bootstrap_servers=bootstrap_servers,
        acks="all",
        compression_type="zstd",
        batch_size=2 * BOMB_BYTES,
        max_request_size=2 * BOMB_BYTES,
        delivery_timeout_ms=round(PATIENCE * 1000),
    )


if __name__ == "__main__":
    typer.run(write)
