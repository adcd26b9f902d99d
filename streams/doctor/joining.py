"""What `groundswell doctor` makes of the join: does feedback find its impressions, how much comes too late, what waits.

Pure; `examination.py` looks at the last records of the topics.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from processors.admission.local_times import in_words
from streams.doctor.findings import MANY, WRITE_UTC, Finding, failed, passed, warned
from streams.words import counted, span

CHECK: Final = "join"
REMEDIES: Final = {
    "orphan": "see that feedback carries the `impression_id` of its impression, and that this is logged",
    "misplaced_orphan": "set the producers' partitioner to murmur2 (librdkafka: murmur2_random), key by impression_id",
    "late": "raise join.wait, or see what holds feedback up",
    "too_early": "set the clocks of the apps (NTP), see that `occurred_at` is in milliseconds, or raise join.backward",
    "late_impression": "see what holds impressions up: feedback on those that come after their own window is of no use",
}
"""By the reason for which most feedback joined nothing."""


class JoinSample(Struct, frozen=True):
    """The last interactions, and what else came of the join in their time.

    `joined` interactions have feedback, `pieces` in all; `strays` counts by reason what joined nothing. `waiting`
    impressions were logged within wait and grace of now, the first of them at `first_waiting` (ms since 1970). `zones`
    has by topic of how many hours its event times are behind the broker's clock, where these are a zone's.
    """

    interactions: int
    joined: int
    pieces: int
    strays: Mapping[str, int]
    waiting: int
    first_waiting: int | None
    open_ms: int
    zones: Mapping[str, float] = {}


def of_join(sample: JoinSample) -> Finding:
    """Judge the join by a sample of what lately came of it."""
    waits = f"{counted(sample.waiting, 'impression waits', 'impressions wait')} for feedback"
    if sample.first_waiting is not None:
        closes = datetime.fromtimestamp((sample.first_waiting + sample.open_ms) / 1000, UTC)
        waits += f", the first until {closes:%H:%M:%S} UTC"
    astray = sum(sample.strays.values())
    if not sample.interactions:
        if sample.waiting or not astray:
            return passed(CHECK, f"no interaction yet; {waits} ({span(sample.open_ms)} each: wait and grace)")
        return failed(CHECK, f"no interaction, and {_astray(sample)}", _remedy(sample))
    seen = f"{sample.joined:,} of the last {counted(sample.interactions, 'interaction')} with feedback; {waits}"
    if not astray:
        return passed(CHECK, f"{seen}; no feedback came to nothing meanwhile")
    seen += f"; meanwhile {_astray(sample)}"
    if not sample.pieces:
        return failed(CHECK, seen, _remedy(sample))
    if astray > max(1, MANY * (astray + sample.pieces)):
        return warned(CHECK, seen, _remedy(sample))
    return passed(CHECK, seen)


def _astray(sample: JoinSample) -> str:
    each = ", ".join(f"{reason} {number:,}" for reason, number in _by_number(sample))
    return f"{counted(sum(sample.strays.values()), 'piece', 'pieces')} of feedback joined no impression: {each}"


def _remedy(sample: JoinSample) -> str:
    commonest = _by_number(sample)[0][0]
    # Impressions and feedback that are off alike meet all the same.
    apart = len(sample.zones) == 1 or len(set(sample.zones.values())) > 1
    if (apart and commonest in {"late", "too_early"}) or (sample.zones and commonest == "late_impression"):
        topics = " and ".join(f"{topic} ({in_words(-hours)})" for topic, hours in sample.zones.items())
        return f"see the event times of {topics}: {WRITE_UTC}"
    return REMEDIES.get(commonest, "read them: `groundswell dead-letters --late`")


def _by_number(sample: JoinSample) -> list[tuple[str, int]]:
    return sorted(sample.strays.items(), key=lambda one: -one[1])
