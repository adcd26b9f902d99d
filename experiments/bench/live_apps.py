"""Apps at work now: impressions at an even rate and their feedback, each written when it occurs."""

from __future__ import annotations

import random
import time
from heapq import heappop, heappush
from typing import Final

from experiments.bench.race import Inputs, contract_producer
from experiments.bench.workload import FEEDBACK_SHARE, feedback, impression

TICK_SECONDS: Final = 0.005
LINGER_MS: Final = 5


class LiveApps:
    """Writes `rate` impressions a second, of which feedback comes evenly within `wait` seconds."""

    def __init__(self, inputs: Inputs, rate: float, wait: float, seed: int) -> None:
        self._inputs = inputs
        self._rate = rate
        self._wait_ms = round(wait * 1000)
        self._rng = random.Random(seed)
        self._producer = contract_producer(inputs.servers, linger_ms=LINGER_MS)
        self._to_come: list[tuple[int, bytes]] = []

    def work(self, seconds: float) -> float:
        """Write for so many seconds; return the rate of impressions that came of it."""
        begin, sent = time.monotonic(), 0
        while (elapsed := time.monotonic() - begin) < seconds:
            due = round(self._rate * elapsed) - sent
            self._write(due)
            sent += due
            self._producer.poll(0)
            time.sleep(TICK_SECONDS)
        self._producer.flush()
        return sent / (time.monotonic() - begin)

    def _write(self, impressions: int) -> None:
        rng, now = self._rng, round(time.time() * 1000)
        for _ in range(impressions):
            key, value = impression(0, rng, begin=now)
            self._producer.produce(self._inputs.impressions, value, key)
            if rng.random() < FEEDBACK_SHARE:
                heappush(self._to_come, (now + rng.randrange(self._wait_ms), key))
        while self._to_come and self._to_come[0][0] <= now:
            at, key = heappop(self._to_come)
            self._producer.produce(self._inputs.feedback, feedback(key, at, rng)[1], key)
