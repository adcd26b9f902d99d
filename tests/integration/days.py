"""People who are shown something and answer, and what their answers must have come to in the end."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Iterator

from experiments.people.three_state import ThreeStateUsers
from groundswell import policy
from groundswell.events import Interaction
from processors.learners.learner_choice import learner_for
from processors.models.config import ModelConfig
from processors.wire.envelopes import decode_interaction
from streams.worker.outputs import contract_partition
from tests.factories import feedback, impression
from tests.integration.workers import TOPICS, Apps, read_all

ACTIONS = 5


class Day:
    """People who are shown something, and answer within the wait, event after event.

    Nothing of theirs lies on the partition to `avoid`. Another day begins with a `first` number beyond those before.
    """

    def __init__(self, servers: str, *, avoid: int | None = None, first: int = 0) -> None:
        self._apps = Apps(servers)
        self._people = ThreeStateUsers(3, ACTIONS, 0.3, seed=0)
        self._rng = random.Random(0)
        self._at = round(time.time() * 1000) - 3_600_000 + 1_000 * first
        self._names = self._named(avoid, first)
        self.expected: dict[str, list[str]] = {}

    @staticmethod
    def _named(avoid: int | None, first: int) -> Iterator[str]:
        for name in (f"i{number}" for number in itertools.count(first)):
            if contract_partition(name.encode(), TOPICS.event_partitions) != avoid:
                yield name

    def goes_on(self, count: int) -> None:
        for _ in range(count):
            name, user, chosen = next(self._names), self._people.arrive(), self._rng.randrange(ACTIONS)
            self._at += 3
            actions = [{"id": f"a{number}"} for number in range(ACTIONS)]
            shown = impression(
                name, self._at, context={"user": f"u{user}"}, actions=actions, chosen=chosen,
                probabilities=[1 / ACTIONS] * ACTIONS,
            )  # fmt: skip
            self._apps.send(TOPICS.impressions, shown)
            signal = self._people.signal(user, chosen)
            if signal != "none":
                self._apps.send(TOPICS.feedback, feedback(name, self._at + 500, signal=signal))
            self.expected[name] = [signal]
        self._apps.flush()

    def ends(self) -> None:
        self._apps.end(self._at + 60_000)
        self._apps.close()


def learned(servers: str) -> set[str]:
    return {json.loads(record.value)["impression_id"] for record in read_all(servers, TOPICS.rewards)}


def first_deliveries(servers: str) -> list[Interaction]:
    """Return the interactions log without repetitions."""
    seen, first = set(), []
    for record in read_all(servers, TOPICS.interactions):
        interaction = decode_interaction(record.value)
        if (place := (interaction.source.partition, interaction.source.offset)) not in seen:
            seen.add(place)
            first.append(interaction)
    return first


def assert_policies_are_the_learners(servers: str, model: ModelConfig, log: list[Interaction]) -> None:
    """Check that every published policy is, to the byte, that of a learner that read this log and nothing else."""
    published = {policy.decode(record.value).version: record.value for record in read_all(servers, TOPICS.policies)}
    assert max(published) == len(log)
    pure = learner_for(model)
    for version in sorted(published):
        pure.learn(log[pure.interactions_included : version])
        parent = policy.decode(published[version]).parent
        assert policy.encode(pure.snapshot(parent)) == published[version], f"version {version}"
