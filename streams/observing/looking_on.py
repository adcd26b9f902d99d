"""What only looks on may fail without harm: the joins and learners that it looks at go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from processors.wire.evidence import NO_EVIDENCE
from streams.observing.logs import get_log
from streams.observing.metrics import Metrics

LOG = get_log(__name__)
SILENCE: Final = 60.0
"""Seconds between two lines of the log about the same failure."""


class LookingOn:
    """Counts what fails among what only looks on, and tells it now and then."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._told: dict[str, float] = {}

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Let what is done within fail; `what` says what that is. An error of the machine is passed on."""
        try:
            yield
        except NO_EVIDENCE:
            raise
        except Exception:
            self._metrics.observing_failures.labels(what).inc()
            if time.monotonic() - self._told.get(what, -SILENCE) >= SILENCE:
                self._told[what] = time.monotonic()
                LOG.exception("what only looks on has failed; all else goes on", what=what)
