"""To which segment an impression belongs: a few values of one feature of its context, for metrics only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from groundswell.events import FeatureValue
from streams.settings import SegmentSettings

OTHER_SEGMENT = "other"
MISSING = "missing"
MAX_LENGTH = 64


class Segments:
    """The segments of one model: the configured ones, or the first that come; never more, whatever producers send."""

    def __init__(self, settings: SegmentSettings, met: Iterable[str] = ()) -> None:
        """Begin where others ended that had `met` these segments."""
        self._feature = settings.feature
        self._known = set(settings.values)
        self._most = 0 if settings.values else settings.most
        for segment in met:
            if segment not in {OTHER_SEGMENT, MISSING} and len(self._known) < self._most:
                self._known.add(segment)

    def label(self, context: Mapping[str, FeatureValue]) -> str:
        """Return the segment of an impression with this context."""
        value = context.get(self._feature)
        if value is None:
            return MISSING
        text = str(value).lower() if isinstance(value, bool) else str(value)[:MAX_LENGTH]
        if text not in self._known:
            if len(self._known) >= self._most:
                return OTHER_SEGMENT
            self._known.add(text)
        return text
