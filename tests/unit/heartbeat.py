"""A thread that wants to run every millisecond, as heartbeats do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple


class Held(NamedTuple):
    """How long work took, and how long at most the thread stood still meanwhile (seconds)."""

    taken: float
    longest_pause: float


ATTEMPTS = 100


def heartbeats_go_on_during(work: Callable[[], object]) -> bool:
    """Say whether the thread runs beside the work: on a busy machine not every time, and never where it cannot."""
    return any(held.longest_pause < held.taken / 2 for held in (_heartbeat_during(work) for _ in range(ATTEMPTS)))


def _heartbeat_during(work: Callable[[], object]) -> Held:
    """Do the work beside a heartbeat."""
    pauses: list[float] = []
    done = threading.Event()

    def beat() -> None:
        last, over = time.monotonic(), False
        while not over:
            over = done.wait(0.001)
            pauses.append(-last + (last := time.monotonic()))

    thread = threading.Thread(target=beat)
    thread.start()
    begin = time.monotonic()
    work()
    taken = time.monotonic() - begin
    done.set()
    thread.join()
    return Held(taken, max(pauses))
