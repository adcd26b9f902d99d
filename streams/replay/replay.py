"""Replaying a log: its rows become impressions and feedback on the topics, as if they happened again.

Everything is read and checked before anything is sent.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as Lookup
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from groundswell.events import Impression
from streams.kafka.acknowledged_producer import AcknowledgedProducer
from streams.kafka.watermarks import mark
from streams.replay.dsjson import DsjsonMapping
from streams.replay.event_time_pace import Pace, in_event_time
from streams.replay.examination import ReadableLog, ReplayError, beside, examine, found_good, readable_log, summed_up
from streams.replay.mapping import Mapping
from streams.replay.newest_events import in_words
from streams.replay.remarks import Remarks
from streams.replay.standards import Standards
from streams.replay.summary import ReplaySummary
from streams.words import counted


class InterruptedReplay(KeyboardInterrupt):
    """A replay was told to end before its end; the message says what was sent, what that means and what to do."""


WATERMARK_MARGIN_MS = 3_600_000
MESSAGES_PER_WATERMARK = 10_000


def replay(
    path: Path,
    mapping: Mapping | DsjsonMapping,
    *,
    bootstrap_servers: str,
    impressions_topic: str,
    feedback_topic: str,
    speed: float | None,
    limit: int | None,
    console: Console,
    standards: Standards | None = None,
    check: bool = False,
    watermark_margin_ms: int = WATERMARK_MARGIN_MS,
    newest_there: Callable[[Lookup[str, Sequence[int]]], int | None] | None = None,
    late_after_ms: int = 0,
    security: Lookup[str, Any] | None = None,
) -> ReplaySummary:
    """Check the log at `path`, produce it to the two topics in event-time order, then mark the end of input.

    `speed` is a multiple of real time, None as fast as the broker takes it; `limit` replays the first rows
    only. With `check` nothing is sent. `standards` is what the worker takes. The end is a watermark on every partition
    of both topics, `watermark_margin_ms` after the newest event time (but not in the future): choose no less than the
    join's wait and grace. `newest_there` says the newest event time on these partitions of topics: where that is more
    than `late_after_ms` after the oldest of the log, which would then be set aside as late, nothing is sent. `security`
    is what clients need beyond the address.

    Raises MappingError where mapping, log and configuration do not fit, ReplayError for bad rows or none, SendError
    where the broker does not take a message, ValueError for a speed that is not positive, InterruptedReplay where it is
    interrupted (KeyboardInterrupt) after something was sent.
    """
    started = time.monotonic()
    pace = Pace(speed)
    standards = standards or Standards()
    standards.check_model(mapping.model)
    log = readable_log(path, mapping)
    if not log.rows:
        raise ReplayError(f"{path}: has no rows, so there is nothing to replay; see whether it was written to its end")
    remarks = Remarks.of(mapping, standards.definite_signals(mapping.model), whole=limit is None)
    with _progress(console) as progress:
        known = log.rows - log.duplicates - log.left_out.total()
        total = known if limit is None else min(limit, known)
        checked = progress.add_task(f"{path.name}, checked", total=total, unit="rows")
        found = examine(
            log, mapping.model, standards, limit, lambda rows: progress.advance(checked, rows), remarks.observe
        )
        progress.update(checked, completed=total)
        summary = summed_up(log, found, known - total, time.monotonic() - started)
        _stop_at_wrong_rows(log, mapping, summary)
        _stop_without_impressions(path, summary)
        summary = replace(summary, remarks=tuple(remarks.in_words()))
        if check:
            return summary
        with AcknowledgedProducer(bootstrap_servers, security=security) as producer:
            partitions = {topic: producer.partitions(topic) for topic in (impressions_topic, feedback_topic)}
            if newest_there is not None:
                there = newest_there(partitions)
                _refuse_beside_newer(found.oldest, there, late_after_ms)
                summary = replace(summary, remarks=(*summary.remarks, *_beside_others(found.oldest, there)))
            shown = progress.add_task(f"{path.name}, sent", total=summary.impressions, unit="impressions")
            encode = msgspec.json.Encoder().encode
            messages = in_event_time(found_good(log, found, limit), found.backward_ms)
            sent: Counter[str] = Counter()
            try:
                for number, message in enumerate(messages, start=1):
                    pace.wait_until(message.occurred_at)
                    topic = impressions_topic if isinstance(message, Impression) else feedback_topic
                    producer.send(topic, encode(message), key=message.impression_id.encode())
                    sent[topic] += 1
                    if isinstance(message, Impression):
                        progress.advance(shown)
                    if number % MESSAGES_PER_WATERMARK == 0:
                        mark(producer, partitions, message.occurred_at)
                # Not in the future, where it would be refused: then the last windows close by the clock.
                newest = found.newest
                watermark = max(newest, min(newest + watermark_margin_ms, int(time.time() * 1_000)))
                mark(producer, partitions, watermark)
                producer.wait_for_acknowledgements()
            except KeyboardInterrupt as error:
                raise InterruptedReplay(
                    f"interrupted: {sent[impressions_topic]:,} of {counted(summary.impressions, 'impression')} and "
                    f"{counted(sent[feedback_topic], 'piece', 'pieces')} of feedback were sent, and no end of input "
                    "was acknowledged, so that the last windows stay open until newer events come. Start over on fresh "
                    "topics: what comes again is dropped only as long as the join remembers it"
                ) from error
    return replace(summary, watermark=watermark, seconds=time.monotonic() - started)


def _stop_at_wrong_rows(log: ReadableLog, mapping: Mapping | DsjsonMapping, summary: ReplaySummary) -> None:
    wrong = [one for one in (log.left_out, *beside(log)) if one.wrong]
    if wrong and mapping.bad_rows == "stop":
        count = sum(one.wrong.total() for one in wrong)
        raise ReplayError(
            "\n".join(
                [
                    f"{wrong[0].first_wrong()}",
                    f"{counted(count, 'row is', 'rows are')} wrong, so nothing was sent; mend the file, or set "
                    'bad_rows = "skip" to leave such rows out',
                    *summary.sums(),
                ]
            )
        )


def _stop_without_impressions(path: Path, summary: ReplaySummary) -> None:
    if not summary.impressions:
        raise ReplayError(
            "\n".join(
                [
                    f"{path}: no impression is left of {counted(summary.rows, 'row')}, so there is nothing to "
                    "replay; mend the file, or the mapping where it does not fit",
                    *summary.sums(),
                ]
            )
        )


def _refuse_beside_newer(oldest: int | None, there: int | None, late_after_ms: int) -> None:
    if oldest is None or there is None or there < oldest + late_after_ms:
        return
    raise ReplayError(
        f"nothing was sent: the topics already hold events (or an end of input) of {in_words(there)}, and the log "
        f"begins at {in_words(oldest)}. Event time does not go back: what is older by more than join.wait and "
        f"join.grace ({late_after_ms / 1000:g} s) would be set aside as late_impression and not be learned. Replay "
        "into fresh topics, or the older log first; --anyway sends it all the same"
    )


def _beside_others(oldest: int | None, there: int | None) -> Iterator[str]:
    """Yield what to look at where the topics are as far as the log's begin: perhaps by the same rows."""
    if oldest is not None and there is not None and there >= oldest:
        yield (
            f"the topics held events (or an end of input) of {in_words(there)} before, and the log begins at "
            f"{in_words(oldest)}: if it was replayed into them already, its impressions are dropped as repeated, as "
            "long as the join remembers the first; for a replay that counts as a whole, use fresh topics"
        )


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
