"""What comes of two logs by the definition of the join and nothing else: no fold, no heap, no state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from groundswell.events import SHOWN_SIGNAL
from processors.join.config import JoinConfig
from processors.join.entries import BEFORE_TIME, ObservedFeedback, ShownImpression

T = TypeVar("T", ShownImpression | int, ObservedFeedback | int)


class Truth(NamedTuple):
    """By offset of the impression, in the order of closing: the ids of its feedback. And what came to nothing.

    `late` are the impressions whose window had closed when they were logged. `repeated` says again that an impression
    was shown: a duplicate, or late, as the log has it once or twice.
    """

    interactions: dict[int, frozenset[str]]
    not_shown: frozenset[int]
    late: frozenset[int]
    strays: frozenset[str]
    repeated: frozenset[str]


def truth(
    config: JoinConfig, impressions: Sequence[ShownImpression | int], feedback: Sequence[ObservedFeedback | int]
) -> Truth:
    """Judge two whole logs; a bare number is a watermark. An id must not come back after it was forgotten."""
    wait, grace, backward, activation = (
        round(seconds * 1000) for seconds in (config.wait, config.grace, config.backward, config.activation)
    )
    first: dict[str, tuple[ShownImpression, int]] = {}
    for one, before in _with_log_time(impressions):
        if isinstance(one, ShownImpression) and one.id not in first:
            first[one.id] = one, before
    answers: dict[str, list[tuple[ObservedFeedback, int]]] = {}
    for answer, before in _with_log_time(feedback):
        if isinstance(answer, ObservedFeedback):
            answers.setdefault(answer.impression_id, []).append((answer, before))

    closing: list[tuple[int, int, frozenset[str]]] = []
    not_shown: set[int] = set()
    repeated: set[str] = set()
    late: set[int] = set()
    for impression, log_time in first.values():
        occurred_at = impression.occurred_at
        if occurred_at + wait + grace <= log_time:
            late.add(impression.offset)
            continue
        at = max(occurred_at, log_time - grace)
        mine = answers.get(impression.id, [])
        effective, showing = at, None
        if impression.deferred:
            showing = next(
                (
                    one
                    for one, before in mine
                    if one.signal == SHOWN_SIGNAL
                    and occurred_at - backward <= one.occurred_at <= at + activation
                    and before < min(at + activation, max(at, one.occurred_at) + wait) + grace
                ),
                None,
            )
            if showing is None:
                not_shown.add(impression.offset)
                continue
            effective = max(at, showing.occurred_at)
            occurred_at = max(occurred_at, showing.occurred_at)
        in_time = [one for one, before in mine if before < effective + wait + grace]
        if showing is not None:
            showings = [one for one in in_time if one.signal == SHOWN_SIGNAL]
            repeated.update(one.id for one in showings[showings.index(showing) + 1 :])
            in_time = [showing, *(one for one in in_time if one.signal != SHOWN_SIGNAL)]
        joined = {
            one.id for one in in_time if one is showing or occurred_at - backward <= one.occurred_at <= effective + wait
        }
        closing.append((effective + wait + grace, impression.offset, frozenset(joined)))
    interactions = {offset: joined for _, offset, joined in sorted(closing, key=lambda one: one[:2])}
    everything = {one.id for some in answers.values() for one, _ in some}
    strays = frozenset(everything - repeated).difference(*interactions.values())
    return Truth(interactions, frozenset(not_shown), frozenset(late), strays, frozenset(repeated))


def _with_log_time(log: Sequence[T]) -> list[tuple[T, int]]:
    newest, result = BEFORE_TIME, []
    for one in log:
        result.append((one, newest))
        newest = max(newest, one if isinstance(one, int) else one.occurred_at - one.ahead)
    return result
