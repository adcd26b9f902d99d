"""What the newest policy would have done where apps decided by a rule of their own: how often the same, what gain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec
from kafka.consumer.fetcher import ConsumerRecord
from msgspec import Struct

from groundswell.client.decisions import DecidedImpression
from groundswell.events import Reward, contradiction
from groundswell.policy import Policy, PolicySnapshot
from processors.policies.off_policy_value import ValueEstimate
from processors.wire.envelopes import UNREADABLE
from streams.kafka.topic_inspector import TopicInspector
from streams.settings import Settings

ENOUGH: Final = 30.0
"""Effective interactions before a gain is estimated."""
CERTAIN: Final = 0.999
"""A rule that shows what it shows so surely says nothing about what else would have been worth."""


class Gain(NamedTuple):
    """How much more the policy would have earned an interaction than was earned, with a 95 % interval.

    In reward states, -1 to 1.
    """

    estimate: float
    low: float
    high: float


class ApprenticeReport(NamedTuple):
    """Of `interactions` in the mode `apprentice`: in which share the policy ranks first what was shown, and the gain.

    The gain is None where too little speaks for it; of a rule that leaves nothing to chance nothing does. The policy
    has learned from some of these interactions, which flatters it a little: the worker's `groundswell_policy_value`
    asks only policies that have not.
    """

    interactions: int
    match_rate: float
    gain: Gain | None

    def in_words(self, snapshot: PolicySnapshot) -> list[str]:
        """Return it for a terminal."""
        if not self.interactions:
            return ["  none of the last interactions was decided in the mode apprentice"]
        gain = "not known: too little is shown by chance that the policy would show (give probabilities as `own`)"
        if self.gain is not None:
            gain = f"{self.gain.estimate:+.3f} an interaction ({self.gain.low:+.3f} to {self.gain.high:+.3f})"
        return [
            f"  of the last {self.interactions:,} interactions policy version {snapshot.version:,} ranks "
            f"{self.match_rate:.1%} the same first",
            f"  estimated gain: {gain}",
        ]


class _Interaction(Struct):
    impression: DecidedImpression


_interaction = msgspec.json.Decoder(_Interaction)
_reward = msgspec.json.Decoder(Reward)


def apprentice_report(
    settings: Settings, logs: TopicInspector, model: str, snapshot: PolicySnapshot, last: int
) -> ApprenticeReport:
    """Report on the last interactions, so many of each partition, and their rewards."""
    topics = settings.topics

    def newest(topic: str) -> Iterable[ConsumerRecord]:
        for partition, (first, end) in logs.bounds(topic, topics.interaction_partitions).items():
            yield from logs.read(topic, partition, max(first, end - last))

    return reported(
        model,
        snapshot,
        (record.value or b"" for record in newest(topics.interactions)),
        (record.value or b"" for record in newest(topics.rewards)),
    )


def reported(
    model: str, snapshot: PolicySnapshot, interactions: Iterable[bytes], rewards: Iterable[bytes]
) -> ApprenticeReport:
    """Report on interactions and rewards as they lie on their topics."""
    decided: dict[str, DecidedImpression] = {}
    for content in interactions:
        try:
            impression = _interaction.decode(content).impression
        except UNREADABLE:
            continue  # the learner sets it aside
        if impression.model == model and impression.mode == "apprentice" and contradiction(impression) is None:
            decided[impression.impression_id] = impression
    policy = Policy(snapshot)
    ranked = {id: policy.greedy(one.context, one.actions)[one.chosen] for id, one in decided.items()}
    value = ValueEstimate(max(1, len(decided)) * 1_000)  # nothing fades
    by_chance = False
    for content in rewards:
        try:
            reward = _reward.decode(content)
        except UNREADABLE:
            continue
        found = decided.pop(reward.impression_id, None)  # a copy counts once
        if found is not None:
            by_chance = by_chance or found.chosen_propensity < CERTAIN
            state = reward.reward if reward.state is None else reward.state
            value.add(ranked[reward.impression_id] / found.chosen_propensity, state, found.weight)
    gain, worth = None, value.value()
    if worth is not None and by_chance and value.effective >= ENOUGH:
        gain = Gain(worth.snips - value.logged, worth.low - value.logged, worth.high - value.logged)
    return ApprenticeReport(len(ranked), sum(ranked.values()) / max(1, len(ranked)), gain)
