"""What only the simulator knows, passed to the demo as a file of JSON lines beside the topics.

The apps write it, the demo follows it while it grows. The worker never sees it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from experiments.people.app_sessions import Produced


class World(msgspec.Struct, frozen=True, tag="world"):
    """The first line: the latent reward state of each action for each user, shape (users, actions)."""

    states: list[list[int]]


class PolicyTruth(msgspec.Struct, frozen=True, tag="policy"):
    """What a policy is truly worth: what it ranks first, and what it does with its exploration.

    `impressions` is how many had been shown when it came out, or was adopted by the apps.
    """

    version: int
    impressions: int
    greedy_value: float
    policy_value: float


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """How much has been produced so far."""

    produced: Produced


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The last line: everything has been sent, and acknowledged by the broker.

    `closed_at` is the event time (milliseconds) before which nothing follows.
    """

    produced: Produced
    closed_at: int


Truth = World | PolicyTruth | Progress | Finished

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Truth] = msgspec.json.Decoder(Truth)


class TruthWriter:
    """Appends truths to a file, each line complete when it is written; without a path, to nowhere."""

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else path.open("ab", buffering=0)

    def write(self, truth: Truth) -> None:
        """Append one line."""
        if self._file is not None:
            self._file.write(_ENCODER.encode(truth) + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


class TruthReader:
    """Follows the file that a `TruthWriter` in another process appends to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def new(self) -> Iterator[Truth]:
        """Yield what has been written since the last call; nothing while there is no file yet."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):  # the writer is in the middle of it
                    return
                self._position += len(line)
                yield _DECODER.decode(line)
