"""Whether anything was lost or learned twice: an independent fold over the topics and the last checkpoint.

It asks no worker. What should have been joined is read off the definition by brute force; what should have been
learned is a pure learner folded over the interactions log, of which the first copy of each counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec

from experiments.chaos.join_definition import HOSTILE, Entry, Expected, feedback_ids, read_definition
from groundswell import policy
from groundswell.chunks import assemble
from groundswell.events import Interaction, Reward
from processors.learners.learner import Learner
from processors.learners.learner_choice import learner_for
from processors.wire.envelopes import decode_interaction
from state import learner_checkpoints
from state.learner_checkpoints import IncompleteError
from streams.settings import Settings

Log = Mapping[int, Sequence[Entry]]
"""The records of a topic, by partition."""
Place = tuple[int, int]
"""Partition and offset of an impression: the identity of its interaction."""


class Audit(msgspec.Struct):
    """What the topics say. Numbers are of distinct impressions unless the name says otherwise.

    `lost`: with no interaction, not in the ledger or among the rewards, or missing in what a model includes.
    `learned_twice`: learned
    at two versions of a model, or beyond what the log holds. `misjoined`: joined with other feedback than
    the definition says. `unexpected`: joined, and should not be. `feedback_lost`: pieces of feedback that are neither
    in an interaction nor on the side output. `late_lost`: late impressions that are not on the side output.
    `set_aside`: what else lies on `dead-letter`: all that honest apps send is good, and a kill is no evidence against a
    record. What a hostile producer sent is joined and learned as all else where it is let in; of its side outputs
    nothing is asked. `honest` are the impressions that are not its own, `honest_late` those of them that were late,
    and `refused` the records of its that no worker lets in.
    `disordered`: written out of the order of closing. `floors_too_high`:
    interactions that vouch for others that had not been written. `repeated`: records written again, which is no fault.
    """

    impressions: int = 0
    learned_once: int = 0
    lost: int = 0
    learned_twice: int = 0
    misjoined: int = 0
    unexpected: int = 0
    feedback_lost: int = 0
    late_lost: int = 0
    set_aside: int = 0
    disordered: int = 0
    floors_too_high: int = 0
    repeated: int = 0
    honest: int = 0
    honest_late: int = 0
    refused: int = 0
    policy_identical: bool = False
    policies: dict[str, str] = {}
    """The SHA-256 of each model's last policy."""
    complaints: list[str] = []

    @property
    def clean(self) -> bool:
        """Whether everything was learned exactly once, and the policy is what it should be."""
        faults = (
            self.lost, self.learned_twice, self.misjoined, self.unexpected,
            self.feedback_lost, self.late_lost, self.set_aside, self.disordered, self.floors_too_high,
        )  # fmt: skip
        return self.policy_identical and not any(faults)


@dataclass
class _Learned:
    """The pure learner of one model, and the places it learned from, in order."""

    learner: Learner
    places: list[Place] = field(default_factory=list)


def audit(read: Callable[[str], Log], settings: Settings) -> Audit:
    """Return the verdict; `read` returns everything on a topic."""
    topics = settings.topics
    result = Audit()
    shown, seen, written = read(topics.impressions), read(topics.feedback), read(topics.interactions)
    defined = {partition: read_definition(shown[partition], seen[partition], settings.join) for partition in shown}
    expected: dict[Place, Expected] = {
        (partition, offset): one
        for partition, definition in defined.items()
        for offset, one in definition.interactions.items()
    }
    result.impressions = len(expected)
    result.honest = sum(_honest(one.impression_id) for one in expected.values())
    result.refused = sum(entry.refused for log in (shown, seen) for entries in log.values() for entry in entries)
    interactions = {
        partition: [decode_interaction(entry.value) for entry in entries] for partition, entries in written.items()
    }
    _check_join(interactions, expected, result)
    _check_feedback(seen, interactions, read(topics.late_feedback), result)
    late = frozenset[str]().union(*(definition.late for definition in defined.values()))
    aside = _keys(read(topics.dead_letter))
    result.honest_late = sum(map(_honest, late))
    result.late_lost, result.set_aside = len(late - aside), sum(map(_honest, aside - late))
    _check_floors(interactions, expected, result)
    folded = {partition: _fold(log, settings) for partition, log in interactions.items()}
    learned = {place for models in folded.values() for one in models.values() for place in one.places}
    kept, extra, short = _check_checkpoints(read(topics.checkpoints), folded, expected, result)
    rewarded, twice = _check_rewards(read(topics.rewards), expected)
    missing = {place for place in expected if place not in learned or place not in kept or place not in rewarded}
    never_due = sum(_honest(one) for definition in defined.values() for one in definition.open)
    result.lost = max(len(missing), short) + never_due
    result.learned_twice = max(len(twice), extra)
    result.learned_once = result.impressions - max(len(missing | twice), short)
    _check_policies(read(topics.policies), folded, result)
    return result


def _first_copies(log: Sequence[Interaction]) -> list[Interaction]:
    first: dict[Place, Interaction] = {}
    for one in log:
        first.setdefault(_place(one), one)
    return list(first.values())


def _place(interaction: Interaction | Reward) -> Place:
    return interaction.source.partition, interaction.source.offset


def _check_join(
    interactions: Mapping[int, Sequence[Interaction]], expected: Mapping[Place, Expected], result: Audit
) -> None:
    """Check every copy of every interaction against the definition, and the order of the first copies."""
    misjoined: set[Place] = set()
    unexpected: set[Place] = set()
    for log in interactions.values():
        first = _first_copies(log)
        result.repeated += len(log) - len(first)
        for one in log:
            should = expected.get(_place(one))
            if should is None:
                unexpected.add(_place(one))
            elif (one.impression.impression_id, tuple(sorted(each.feedback_id for each in one.feedback))) != (
                should.impression_id,
                should.feedback,
            ):
                misjoined.add(_place(one))
        last: defaultdict[tuple[int, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
        for one in first:
            if (should := expected.get(_place(one))) is not None:
                order, group = (should.closes_at, should.offset), (_place(one)[0], should.model)
                result.disordered += order < last[group]
                last[group] = max(order, last[group])
    result.misjoined, result.unexpected = len(misjoined), len(unexpected)


def _check_feedback(seen: Log, interactions: Mapping[int, Sequence[Interaction]], strays: Log, result: Audit) -> None:
    there = {one for entries in strays.values() for one in feedback_ids(entries)}
    there |= {each.feedback_id for log in interactions.values() for one in log for each in one.feedback}
    result.feedback_lost = sum(sum(map(_honest, feedback_ids(entries) - there)) for entries in seen.values())


def _check_floors(
    interactions: Mapping[int, Sequence[Interaction]], expected: Mapping[Place, Expected], result: Audit
) -> None:
    """Check that whatever lies below an interaction's floor had been written before it, to the same partition."""
    for log in interactions.values():
        models = {one.impression.model for one in log}
        written: set[Place] = set()
        due: defaultdict[int, list[int]] = defaultdict(list)
        for place, one in sorted(expected.items(), reverse=True):
            if one.model in models:
                due[place[0]].append(place[1])
        for interaction in log:
            source = interaction.source
            waiting = due[source.partition]
            while waiting and waiting[-1] < source.floor:
                result.floors_too_high += (source.partition, waiting.pop()) not in written
            written.add(_place(interaction))


def _fold(log: Sequence[Interaction], settings: Settings) -> dict[str, _Learned]:
    """Return what pure learners make of the first copies in a log, by model."""
    models: dict[str, list[Interaction]] = defaultdict(list)
    for one in _first_copies(log):
        models[one.impression.model].append(one)
    folded = {}
    for model, interactions in models.items():
        folded[model] = _Learned(learner_for(settings.models[model]), [_place(one) for one in interactions])
        folded[model].learner.learn(interactions)
    return folded


def _check_checkpoints(
    log: Log, folded: Mapping[int, Mapping[str, _Learned]], expected: Mapping[Place, Expected], result: Audit
) -> tuple[set[Place], int, int]:
    """Compare checkpoints with the fold; return the ledgers, what is too much, what too little."""
    kept: set[Place] = set()
    extra = short = 0
    for partition, models in folded.items():
        if not models:
            continue
        try:
            stored = learner_checkpoints.stored(_newest(log[partition]))
        except IncompleteError:
            stored = None
        if stored is None:
            result.complaints.append(f"no complete checkpoint on partition {partition}")
            continue
        checkpoint = stored.checkpoint
        floors = dict(checkpoint.ledger["floors"])
        above = {source: set(offsets) for source, offsets in checkpoint.ledger["above"]}
        for place, one in expected.items():
            if one.model in models and (place[1] < floors.get(place[0], 0) or place[1] in above.get(place[0], ())):
                kept.add(place)
        for model, learned in models.items():
            state = checkpoint.models.get(model)
            difference = (state or {}).get("interactions_included", 0) - len(learned.places)
            extra, short = extra + max(0, difference), short + max(0, -difference)
            if msgspec.msgpack.encode(state) != msgspec.msgpack.encode(learned.learner.state()):
                result.complaints.append(f"the checkpoint of {model} is not what its interactions make")
    return kept, extra, short


def _check_rewards(log: Log, expected: Mapping[Place, Expected]) -> tuple[set[Place], set[Place]]:
    """Return the places that were rewarded, and those that were learned at more than one version of their model."""
    versions: defaultdict[Place, set[int]] = defaultdict(set)
    for entries in log.values():
        for entry in entries:
            reward = msgspec.json.decode(entry.value, type=Reward)
            versions[_place(reward)].add(reward.policy_version)
    return set(versions), {place for place, at in versions.items() if len(at) > 1}


def _check_policies(log: Log, folded: Mapping[int, Mapping[str, _Learned]], result: Audit) -> None:
    """Compare the last policy of each model with that of the pure learner, byte for byte."""
    newest = _newest([entry for entries in log.values() for entry in entries])
    identical = not result.complaints
    for models in folded.values():
        for model, learned in models.items():
            content, _ = assemble(model.encode(), newest)
            if content is None:
                result.complaints.append(f"no policy of {model}")
                identical = False
                continue
            result.policies[model] = sha256(content).hexdigest()
            should = policy.encode(learned.learner.snapshot(policy.decode(content).parent))
            if content != should:
                result.complaints.append(f"the last policy of {model} is not that of the pure learner")
                identical = False
    result.policy_identical = identical and bool(result.policies)


def _honest(name: str) -> bool:
    """Say whether an id is an honest app's."""
    return not name.startswith(HOSTILE)


def _keys(log: Log) -> set[str]:
    return {entry.key.decode(errors="replace") for entries in log.values() for entry in entries if entry.key}


def _newest(entries: Sequence[Entry]) -> dict[bytes, bytes | None]:
    return {entry.key: entry.value for entry in entries if entry.key is not None}
