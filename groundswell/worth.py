"""What each signal is worth, as it lies on the topic `signal-worth`: what others ask hand-made weights for."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from groundswell.events import Doubt, Name

WorthDoubt = Literal[Doubt, "by_definition", "tells_action", "stands_for_none", "few"]
"""Why a signal has no worth, or a vague one: the doubts of rewards, in the same words, and four of its own."""


class Worth(Struct, frozen=True, kw_only=True):
    """The log odds of satisfied (+1) against not, ln P / (1 - P), where this signal came back.

    P is what it would be if all actions were shown alike: each play counts by its importance weight, so that it is the
    signal's doing and not the policy's. `segment` is a value of the context feature that `[segments.NAME]` names, None
    for all of them together. `low` and `high` bound the log odds; None is no bound: beyond 4.6 (99 to 1) the decoder
    cannot tell what is likely from what is certain. `plays` is the effective number of plays (Kish 1965) that speak,
    of which old ones fade, and `share` how much of what would come back in the segment is this signal.

    Where `doubt` is given there is no number, but with `no_indifference`: `by_definition` is a signal whose meaning the
    configuration states (`none` too); `tells_action`: it tells which action was shown whatever people think of it, and
    is left out since that was found; `no_definite_signal`: none has come yet that says which state is which;
    `uninformative_feedback`: too many of the plays were decoded while feedback told nothing about what was shown, as
    at first; `stands_for_none`: next to no `none` comes, and the commonest signal, this one, is taken for indifference
    instead; `few`: fewer than ten plays; `undetermined_signal`: of many plays the decoder does not know the state.
    `no_indifference` says that 0 rests on the commonest signal, and the bounds are wide.
    """

    signal: Name
    segment: str | None
    log_odds: float | None
    low: float | None
    high: float | None
    plays: Annotated[float, Meta(ge=0)]
    share: Annotated[float, Meta(ge=0, le=1)]
    doubt: WorthDoubt | None = None


class WorthTable(Struct, frozen=True, kw_only=True):
    """What the signals of a model are worth after `interactions` of them, the commonest first, over all segments first.

    `feature` is the feature of the context whose values are the segments, None where there are none. `further` counts
    the rows that are left out for room.
    """

    schema_version: Literal[1] = 1
    model: Name
    interactions: int
    feature: str | None
    rows: list[Worth]
    further: int = 0
