"""Interactions, or a log as `replay` reads it, written out as DSJSON, for VowpalWabbit to learn from."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeVar, cast

import msgspec

from groundswell.events import Impression, Interaction, Reward, Source, contradiction
from processors.wire.envelopes import UNREADABLE
from streams.kafka.topic_inspector import TopicInspector
from streams.replay.dsjson import DsjsonMapping
from streams.replay.dsjson_lines import DsjsonLines
from streams.replay.dsjson_slot_lines import MISSING, Partial, together
from streams.replay.examination import examine, found_good, readable_log
from streams.replay.mapping import Mapping as LogMapping
from streams.replay.standards import Standards
from streams.settings import Settings
from streams.signal_numbers import numbers_by_signal
from streams.words import counted

Kind = TypeVar("Kind")
COST_FORM: Final = "a cost is SIGNAL=NUMBER, as in click=-1; what is good costs less"


class Decided(NamedTuple):
    """An impression, its signals, and the reward that was inferred of it, None where none is known."""

    impression: Impression
    signals: list[str]
    reward: float | None


class CostError(ValueError):
    """A cost that is none."""


def costs_of(given: list[str]) -> dict[str, float]:
    """Return costs by signal from `signal=number`. Raises `CostError`."""
    try:
        return numbers_by_signal(given, 1e6)
    except ValueError as wrong:
        raise CostError(f"--cost {wrong}: {COST_FORM}") from None


@dataclass
class Exported:
    """What came of an export."""

    lines: DsjsonLines
    mapping: Path
    without_reward: int = 0

    def in_words(self) -> Iterator[str]:
        """Yield it for a terminal."""
        yield f"{counted(self.lines.written, 'line')} written; `replay` reads them by {self.mapping}"
        for reason, count in self.lines.left_out.items():
            yield f"left out: {counted(count, 'impression')} with {reason}"
        if self.lines.spread:
            many = counted(self.lines.spread, "impression")
            yield f"{many} had the probability of the shown action alone: the others share the rest alike"
        for feature, count in self.lines.hidden.most_common(5):
            yield f"feature {feature!r} is not written ({count:,} times): names with _ first are VowpalWabbit's own"
        if self.without_reward:
            yield f"{counted(self.without_reward, 'impression has', 'impressions have')} no reward yet: they cost 0"


def export(out: Path, lines: DsjsonLines, decided: Iterator[Decided], costs: Mapping[str, float] | None) -> Exported:
    """Write a line for each decision to `out` (compressed where it ends in .gz), and a mapping to read them by.

    Of a decision over several slots a line has all of them. What each costs is the sum of its signals' `costs`, without
    any minus the reward that was inferred, 0 where none was. Raises `UnwritableError`.
    """
    exported = Exported(lines, out.with_name(f"{out.name}.toml"))
    with _opened(out) as file:
        for found in together(decided):
            if isinstance(found, Partial):
                lines.left_out[MISSING] += found.impressions
                continue
            exported.without_reward += costs is None and sum(one.reward is None for one in found.parts)
            cost = [_cost(one, costs) for one in found.parts]
            first = found.parts[0]
            line = (
                lines.line(first.impression, first.signals, cost[0])
                if first.impression.decision is None
                else lines.slots_line(
                    [one.impression for one in found.parts], [one.signals for one in found.parts], cost
                )
            )
            if line is not None:
                file.write(line)
    exported.mapping.write_text(lines.mapping(), encoding="utf-8")
    return exported


def _cost(one: Decided, costs: Mapping[str, float] | None) -> float:
    cost = -(one.reward or 0.0) if costs is None else sum(costs.get(signal, 0.0) for signal in one.signals)
    return cost + 0.0  # and not -0.0


@contextmanager
def _opened(out: Path) -> Iterator[BinaryIO]:
    """Open a file to write; it is there under its name once it is whole."""
    half = out.with_name(f"{out.name}.part")
    try:
        with half.open("wb") as file:
            if out.suffix == ".gz":
                with gzip.open(file, "wb") as packed:
                    yield cast(BinaryIO, packed)
            else:
                yield file
        half.replace(out)
    finally:
        half.unlink(missing_ok=True)


def of_topics(settings: Settings, logs: TopicInspector, model: str) -> Iterator[Decided]:
    """Yield what lies on the topic of interactions of a model, each once, with its reward where there is one.

    The rewards are held in memory, 100 bytes each or so.
    """
    topics = settings.topics
    rewards = {}
    for value in _values(logs, topics.rewards, topics.interaction_partitions):
        reward = _decoded(_reward.decode, value)
        if reward is not None and reward.model == model:
            rewards[_place(reward.source)] = reward.reward
    seen = set()
    for value in _values(logs, topics.interactions, topics.interaction_partitions):
        interaction = _decoded(_interaction.decode, value)
        if interaction is None or interaction.impression.model != model or contradiction(interaction.impression):
            continue  # the learner sets it aside
        place = _place(interaction.source)
        if place not in seen:
            seen.add(place)
            signals = [one.signal for one in interaction.feedback]
            yield Decided(interaction.impression, signals, rewards.get(place))


def of_log(path: Path, mapping: LogMapping | DsjsonMapping, standards: Standards) -> Iterator[Decided]:
    """Yield what `replay` would send of a log. Raises what reading it does."""
    log = readable_log(path, mapping)
    found = examine(log, mapping.model, standards, None)
    for impression, feedback in found_good(log, found, None):
        yield Decided(impression, [one.signal for one in feedback], None)


_interaction = msgspec.json.Decoder(Interaction)
_reward = msgspec.json.Decoder(Reward)


def _decoded(decode: Callable[[bytes], Kind], value: bytes) -> Kind | None:
    try:
        return decode(value)
    except UNREADABLE:
        return None


def _place(source: Source) -> tuple[str, int, int]:
    return source.topic, source.partition, source.offset


def _values(logs: TopicInspector, topic: str, partitions: int) -> Iterator[bytes]:
    for partition, (first, _) in logs.bounds(topic, partitions).items():
        for record in logs.read(topic, partition, first, as_they_come=True):
            yield record.value or b""
