"""What was rewarded before, beside what is learned again: in bounded memory, however long both logs are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from groundswell.events import Source
from processors.learners.ledger import Ledger
from processors.wire.log_records import LogRecord

MOST_AHEAD = 100_000
"""Rewards that are kept for interactions that are yet to come."""


class Place(msgspec.Struct):
    """Where an impression lies."""

    partition: int
    offset: int
    topic: str = ""


class EarlierReward(msgspec.Struct):
    """What is compared of a reward."""

    model: str
    source: Place
    state: int | None
    reward: float


class Before(NamedTuple):
    """The state that an interaction had, None where it was unknown, and the reward."""

    state: int | None
    reward: float


class RewardsBefore:
    """Reads the rewards of a partition as far as its interactions have been learned again, both being in one order.

    A worker that was killed writes some of them again, and either log may begin earlier than the other. So rewards
    that come before their interaction wait for it, and those whose interaction the `ledger` has are passed over. Where
    rewards are missing, as many are read ahead as are kept, and no more.
    """

    def __init__(self, records: Iterable[LogRecord], model: str, ledger: Ledger) -> None:
        self._rewards = self._decoded(records, model)
        self._ledger = ledger
        self._ahead: dict[tuple[int, int, str], Before] = {}

    @staticmethod
    def _decoded(records: Iterable[LogRecord], model: str) -> Iterator[EarlierReward]:
        decode = msgspec.json.Decoder(EarlierReward).decode
        for record in records:
            if record.value is not None and (reward := decode(record.value)).model == model:
                yield reward

    def of(self, sources: Sequence[Source]) -> list[Before | None]:
        """Return what was rewarded at these places, which the ledger has admitted by now; None if nothing is known."""
        places = [_place(source) for source in sources]
        found = {place: self._ahead.pop(place) for place in places if place in self._ahead}
        missing = set(places) - found.keys()
        while missing and self._has_room() and (reward := next(self._rewards, None)) is not None:
            place, before = _place(reward.source), Before(reward.state, reward.reward)
            if place in missing:
                missing.remove(place)
                found[place] = before
            elif not self._ledger.has(*place):
                self._ahead[place] = before
        return [found.get(place) for place in places]

    def _has_room(self) -> bool:
        if len(self._ahead) >= MOST_AHEAD:
            self._ahead = {place: one for place, one in self._ahead.items() if not self._ledger.has(*place)}
        return len(self._ahead) < MOST_AHEAD


def _place(source: Source | Place) -> tuple[int, int, str]:
    return source.partition, source.offset, source.topic
