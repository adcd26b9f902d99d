"""Whether `chosen` is counted from 1: the last action is beyond the end then, and others pass for those before them.

Only the last one is refused. So where that is by one index each time, what is not refused is looked at: whether the
first action, 0, is ever chosen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from processors.admission.event_records import Refusal
from processors.join.entries import ShownImpression
from processors.wire.envelopes import UNREADABLE
from processors.wire.log_records import LogRecord

OUT_OF_RANGE: Final = "chosen_out_of_range"
MEMORY: Final = 1000
"""It is judged of about the last so many impressions that were looked at."""
ENOUGH: Final = 3.0
"""How often the first action would have been chosen by chance where it is noticed that it never is."""
FEW: Final = 2
"""Refused ones that may have another cause."""
LOOKS: Final = 64
"""Good impressions of a batch that are looked at."""
SILENCE_SECONDS: Final = 600.0
"""Without one that is refused, after which nothing is looked at any more."""


class _Choice(Struct, gc=False):
    model: str
    chosen: int
    actions: list[Raw]


class _Indices:
    """How many impressions of a model chose what, fading."""

    def __init__(self) -> None:
        self.beyond = self.further = self.first = self.others = self.expected = 0.0
        self.refused_at = 0.0

    def observe(self, choice: _Choice, stands_for: float = 1.0) -> None:
        """Take in one that was looked at, and stands for so many."""
        chosen, actions = choice.chosen, len(choice.actions)
        fading = (1 - 1 / MEMORY) ** stands_for
        self.beyond = fading * self.beyond + stands_for * (chosen == actions)
        self.further = fading * self.further + (chosen > actions)
        self.first = fading * self.first + (chosen == 0)
        self.others = fading * self.others + stands_for * (0 < chosen < actions)
        self.expected = fading * self.expected + (0 < chosen < actions) / actions

    def says(self) -> str | None:
        """Return what speaks for a count from 1, None where nothing does."""
        # One that was chosen long ago counts no more.
        if self.beyond <= FEW or self.further + self.first > 0.5 or self.expected < ENOUGH:
            return None
        share = self.beyond / (self.beyond + self.others)
        return (
            f"`chosen` is one beyond the last action in {share:.0%} of the impressions, which are refused, and never 0 "
            "in the others: it seems to be counted from 1, so that the action before the one shown is learned from"
        )


class ChosenIndices:
    """The indices that apps log, by model. `clock` is in seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._models: dict[str, _Indices] = {}

    def came(self, records: Sequence[LogRecord], admitted: Sequence[object], looks: int = LOOKS) -> None:
        """Take in a batch of the topic of impressions, and what was made of it."""
        now = self._clock()
        for record, one in zip(records, admitted, strict=True):
            if isinstance(one, Refusal) and one.reason == OUT_OF_RANGE and (choice := _choice(record.value)):
                seen = self._models.setdefault(choice.model, _Indices())
                seen.refused_at = now
                seen.observe(choice)
        self._models = {name: seen for name, seen in self._models.items() if now - seen.refused_at < SILENCE_SECONDS}
        if not self._models:
            return
        good = [record.value for record, one in zip(records, admitted, strict=True) if isinstance(one, ShownImpression)]
        step = max(1, len(good) // looks)
        for value in good[::step]:
            choice = _choice(value)
            if choice is not None and choice.model in self._models:
                self._models[choice.model].observe(choice, step)

    def says(self, model: str) -> str | None:
        """Return what speaks for a count from 1 in a model's impressions, None where nothing does."""
        seen = self._models.get(model)
        if seen is None or self._clock() - seen.refused_at >= SILENCE_SECONDS:
            return None
        return seen.says()


def _choice(value: bytes | None) -> _Choice | None:
    try:
        return _decode(value or b"")
    except UNREADABLE:
        return None


_decode: Final = msgspec.json.Decoder(_Choice).decode
