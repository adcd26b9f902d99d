"""Whose feedback comes after the wait: feedback by segment, in time or late, of a sample of the impressions.

Feedback that is late names its impression and nothing more, so that what is known of late feedback as a whole says not
who loses it. Where one segment's joy is slow, it learns that nothing is enjoyed there, while the whole looks well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from zlib import crc32

from groundswell.events import SHOWN_SIGNAL
from processors.join.entries import Outcome, Pending, Stray
from processors.join.written_interactions import context_of
from streams.observing.context_segments import Segments
from streams.observing.metrics import Metrics

IN_TIME: Final = "in_time"
LATE: Final = "late"
MOST_REMEMBERED: Final = 1 << 14
"""Impressions of a partition, about 5 MB. With twice as many, every other one is left out from then on."""
FOR_MS: Final = 24 * 3600 * 1000
"""How long a closed impression is remembered: far beyond `join.remember`, after which late feedback is an orphan."""


class LateBySegment:
    """Counts the feedback of one partition by segment, for models with a section `[segments.NAME]`.

    Which impressions are in the sample depends on their ids alone, so that of them all feedback is counted, in time or
    late. It knows nothing of impressions that closed before a restart.
    """

    def __init__(self, metrics: Metrics, segments: Mapping[str, Segments]) -> None:
        self._metrics = metrics
        self._segments = segments
        self._every = 1
        self._closed: dict[str, tuple[str, str, int]] = {}
        """Model, segment and event time (ms) of impressions that closed, in the order in which they did."""

    def closed(self, pending: Iterable[Pending]) -> None:
        """Count what came in time to impressions that have just closed, and remember them."""
        if not self._segments:
            return
        newest = 0
        for one in pending:
            impression = one.impression
            segments = self._segments.get(impression.model)
            if segments is None or not self._sampled(impression.id):
                continue
            segment = segments.label(context_of(one))
            answers = sum(not (impression.deferred and answer.signal == SHOWN_SIGNAL) for answer in one.feedback)
            self._metrics.segment_feedback.labels(impression.model, segment, IN_TIME).inc(answers)
            # What has not happened yet is 0, not unknown.
            self._metrics.segment_feedback.labels(impression.model, segment, LATE)
            newest = one.effective
            self._closed[impression.id] = impression.model, segment, newest
        self._forget(newest - FOR_MS)

    def strays(self, strays: Iterable[Stray]) -> None:
        """Count what came too late to impressions that are remembered."""
        for stray in strays:
            if stray.reason in (Outcome.LATE, Outcome.ORPHAN):
                known = self._closed.get(stray.feedback.impression_id)
                if known is not None:
                    self._metrics.segment_feedback.labels(known[0], known[1], LATE).inc()

    def _sampled(self, impression_id: str) -> bool:
        return self._every == 1 or crc32(impression_id.encode()) % self._every == 0

    def _forget(self, before: int) -> None:
        while self._closed:
            oldest = next(iter(self._closed))
            if self._closed[oldest][2] >= before:
                break
            del self._closed[oldest]
        while len(self._closed) > MOST_REMEMBERED:
            self._every *= 2
            self._closed = {name: one for name, one in self._closed.items() if self._sampled(name)}
