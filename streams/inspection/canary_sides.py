"""How a canary divides the people whom apps showed something lately, as far as the topic of impressions may be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, Self

import msgspec
from kafka.errors import KafkaError
from msgspec import Struct

from groundswell.client.canary_watch import nobody_in_it
from groundswell.controls import Canary, is_told_apart, side_of
from groundswell.events import FeatureValue
from processors.wire.envelopes import UNREADABLE
from streams.kafka.topic_inspector import TopicInspector
from streams.settings import Settings
from streams.words import counted

LAST: Final = 500
"""Impressions of each partition that are looked at."""


class _Shown(Struct):
    model: str
    context: dict[str, FeatureValue]


_shown = msgspec.json.Decoder(_Shown)


class CanarySides(NamedTuple):
    """Of `impressions` of a model: of how many the canary's feature has a value, and how many are in the canary.

    `names` are those of the features that their contexts have.
    """

    impressions: int
    told_apart: int
    in_canary: int
    names: tuple[str, ...]

    @classmethod
    def of(cls, model: str, canary: Canary, values: Iterable[bytes]) -> Self:
        """Count the impressions of a model among these values of records."""
        shown = apart = inside = 0
        names: dict[str, None] = {}
        for value in values:
            try:
                found = _shown.decode(value)
            except UNREADABLE:
                continue  # the worker sets it aside
            if found.model == model:
                shown += 1
                apart += is_told_apart(model, canary, found.context)
                inside += side_of(model, canary, found.context) == "canary"
                names.update(dict.fromkeys(found.context))
        return cls(shown, apart, inside, tuple(names))

    def in_words(self, model: str, canary: Canary) -> str:
        """Return it for a terminal, with what to do where all are the rest."""
        if not self.impressions:
            return f"  no impressions of {model!r} are there yet, so whom {canary.feature!r} tells apart is not known"
        of_all = f"of the last {counted(self.impressions, 'impression')}"
        if not self.told_apart:
            return f"  {of_all} {nobody_in_it(model, canary, self.names)}"
        without = self.impressions - self.told_apart
        lacking = f"; {without / self.impressions:.1%} have no {canary.feature!r} and are the rest" if without else ""
        return f"  {of_all} {self.in_canary / self.impressions:.1%} are in the canary{lacking}"


def canary_sides(settings: Settings, logs: TopicInspector, model: str, canary: Canary) -> CanarySides | None:
    """Return how the last impressions are divided, or None where they cannot be looked at."""
    topic = settings.topics.impressions
    try:
        values = [
            record.value or b""
            for partition, (first, end) in logs.bounds(topic, logs.partitions(topic)).items()
            for record in logs.read(topic, partition, max(first, end - LAST))
        ]
    except (KafkaError, TimeoutError):
        return None  # whoever sets controls need not have the right to read what was shown
    return CanarySides.of(model, canary, values)
