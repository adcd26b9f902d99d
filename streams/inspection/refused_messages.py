"""What was refused or came too late, as it lies on its topic: the reason in the headers, the message itself."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from kafka.consumer.fetcher import ConsumerRecord
from msgspec import Struct

from groundswell.events import CONTRADICTIONS
from processors.admission.event_records import Reason
from processors.join.entries import Outcome
from streams.observing.metrics import MISPLACED_ORPHAN
from streams.words import counted, nearest

REFUSED = frozenset({*map(str, Reason), *CONTRADICTIONS})
"""The reasons on dead-letter."""
ASIDE = frozenset({
    *map(str, (
        Outcome.LATE, Outcome.TOO_EARLY, Outcome.TOO_MANY, Outcome.ORPHAN, Outcome.FEEDBACK_EVICTED,
        Outcome.FEEDBACK_NOT_SHOWN, Reason.LATE_IMPRESSION, Reason.TOPIC_MADE_AGAIN,
    )),
    MISPLACED_ORPHAN,
})  # fmt: skip
"""The reasons on late-feedback."""
SHOWN_CHARACTERS = 300
"""Of a message; it may be a megabyte, and it is not ours."""


class RefusedMessage(Struct, frozen=True):
    """A message and why it was refused. `at` is when, in ms since 1970; `came_from` where it had been written."""

    at: int
    reason: str
    detail: str
    came_from: str
    key: str
    value: str

    def in_words(self) -> Iterator[str]:
        """Yield lines for a terminal, whatever the message holds."""
        when = datetime.fromtimestamp(self.at / 1000, UTC).isoformat(timespec="seconds")
        told = ": ".join(part for part in (self.reason, self.detail) if part)
        yield f"{when}  {told}" + (f"  ({self.came_from})" if self.came_from else "")
        shown = _printable(self.value)
        yield f"    {shown[:SHOWN_CHARACTERS]}" + (" …" if len(shown) > SHOWN_CHARACTERS else "")


class Refused(Struct):
    """The last of a topic's messages that were asked for, and how many there are of each reason."""

    messages: list[RefusedMessage]
    reasons: Mapping[str, int]

    def lacks(self, reason: str, *, late: bool) -> str:
        """Return what to say where none of them has a reason that was asked for; `late` is of late-feedback."""
        here, there = (ASIDE, REFUSED) if late else (REFUSED, ASIDE)
        if reason in here:
            return f"none is there for the reason {reason!r}"
        if reason in there:
            return f"{reason!r} is a reason on the other topic: {'leave --late out' if late else 'add --late'}"
        close = nearest(reason, here)
        hint = f"; did you mean {close!r}?" if close else f"; reasons are {', '.join(sorted(here))}"
        return f"there is no reason {reason!r}{hint}"

    def sums(self) -> str:
        """Return how many there are in all."""
        if not self.reasons:
            return "none"
        each = ", ".join(f"{reason} {number:,}" for reason, number in Counter(dict(self.reasons)).most_common())
        return f"{counted(sum(self.reasons.values()), 'message')} in all: {each}"


def newest_of(records: Iterable[ConsumerRecord], reason: str | None, count: int) -> Refused:
    """Return the last `count` messages of a log, of one reason where one is named; all are counted."""
    reasons: Counter[str] = Counter()

    def wanted() -> Iterator[ConsumerRecord]:
        for record in records:
            why = _headers(record).get("reason", "unknown")
            reasons[why] += 1
            if reason in {None, why}:
                yield record

    newest = heapq.nlargest(count, wanted(), key=lambda record: (record.timestamp, record.partition, record.offset))
    return Refused([_message(record) for record in reversed(newest)], reasons)


def _message(record: ConsumerRecord) -> RefusedMessage:
    headers = _headers(record)
    lateness = headers.get("lateness_ms")
    return RefusedMessage(
        at=int(record.timestamp),
        reason=headers.get("reason", "unknown"),
        detail=headers.get("detail", "" if lateness is None else f"{lateness} ms late"),
        came_from=f"{headers['topic']}[{headers['partition']}]@{headers['offset']}" if "topic" in headers else "",
        key=(record.key or b"").decode(errors="replace"),
        value=(record.value or b"").decode(errors="replace"),
    )


def _headers(record: ConsumerRecord) -> dict[str, str]:
    given: Iterable[tuple[Any, bytes | None]] = record.headers or ()
    return {str(name): (value or b"").decode(errors="replace") for name, value in given}


def _printable(text: str) -> str:
    """Return the text on one line, with nothing in it that commands a terminal."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
