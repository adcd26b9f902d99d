"""What a worker says first: what it is, what it learns, where its page is, and when there will be anything to see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from processors.join.config import JoinConfig
from processors.join.entries import ShownImpression
from streams.command_line import DISTRIBUTION
from streams.observing.logs import get_log
from streams.settings import HttpSettings, Settings
from streams.words import span

LOG = get_log(__name__)


def say_what_starts(settings: Settings) -> None:
    """Log what this worker is, and from when on it learns."""
    LOG.info(
        f"groundswell {version(DISTRIBUTION)} starts, with a page about itself at {page_address(settings.http)}",
        models=sorted(settings.models),
        broker=settings.kafka.bootstrap_servers,
        group=settings.kafka.group,
    )
    join = settings.join
    LOG.info(
        f"nothing is learned of an impression before {span(1000 * (join.wait + join.grace))} are over: the wait for "
        "its feedback, and the grace for what comes out of order",
        wait=join.wait,
        grace=join.grace,
    )


def page_address(http: HttpSettings) -> str:
    """Return where a person on this machine finds the page."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(http.host, http.host)
    return f"http://{host}:{http.port}/"


class FirstClosing:
    """Says, when the first impression since the start has come, when it will close."""

    def __init__(self, join: JoinConfig) -> None:
        self._open_ms = round(1000 * (join.wait + join.grace))
        self._said = False

    def impressions_came(self, admitted: Sequence[object]) -> None:
        """Take notice of what was let in, in the order of its log: of the impressions among it."""
        if self._said:
            return
        first = next((one for one in admitted if isinstance(one, ShownImpression)), None)
        if first is None:
            return
        self._said = True
        occurred_at = first.occurred_at
        LOG.info(
            "the first impression has come: it closes, and is learned, when both logs have reached that time",
            occurred_at=_time(occurred_at),
            closes_at=_time(occurred_at + self._open_ms),
        )


def _time(ms: int) -> str:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")
    except ValueError:  # an impression may be of the year 9999, and close after it
        return f"{ms} ms since 1970"
