"""The wire contract: what is written on the topics, as types that decode and check themselves.

Every value is JSON. Decoding with these types refuses what does not fit (unknown `schema_version`, wrong
types, overlong ids); `contradiction` finds what fits the types and still cannot be true.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

SCHEMA_VERSION: Literal[1] = 1
NONE_SIGNAL = "none"
"""The signal of an impression for which no feedback came: something to learn from, not a reward of 0."""
NONE_IS_NO_FEEDBACK = (
    "signal is 'none', which says that nothing came back: send nothing then, the join writes it itself"
)
"""Why no feedback may bear it: beside a click it would say that nothing came, and alone that something did."""
SHOWN_SIGNAL = "shown"
"""The signal that says when a deferred impression was shown; for other impressions a signal like any other."""

Identifier = Annotated[str, Meta(min_length=1, max_length=256)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
LATEST = 253_402_300_799_999
"""The end of the year 9999. What is beyond it was counted in microseconds or nanoseconds."""
Milliseconds = Annotated[int, Meta(ge=0, le=LATEST, description="milliseconds since 1970-01-01 UTC")]
LIKELY_SECONDS = range(978_307_200, 4_102_444_800)
"""The years 2001 to 2099 in seconds. As milliseconds they lie in early 1970, when there was nobody to log."""
FeatureValue = str | bool | int | float
MAX_FEATURES, MAX_ACTIONS, MAX_SLOTS = 1_024, 10_000, 100
Features = Annotated[dict[Name, FeatureValue], Meta(max_length=MAX_FEATURES)]


class Action(Struct, frozen=True, omit_defaults=True, gc=False):
    """One of the things that could have been shown."""

    id: Identifier
    features: Features = {}


class DecisionSlot(Struct, frozen=True, gc=False):
    """Which of the places an impression fills that were decided together: number `slot`, from 0 on, of `slots`.

    `id` is the same for all impressions of the decision. Nothing is learned from it: what is to be learned of a slot
    stands in the context.
    """

    id: Identifier
    slot: Annotated[int, Meta(ge=0, lt=MAX_SLOTS)]
    slots: Annotated[int, Meta(ge=1, le=MAX_SLOTS)]


class Impression(Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """What an app showed, and how likely it was to show just that.

    `probabilities` (one per action, summing to 1) or `propensity` (of the chosen action) is given.
    `weight` is the inverse of the rate at which a sub-sampled log was kept. A `deferred` impression was logged
    before it was known whether it would be shown (prefetched, or below the fold): it counts from the feedback `shown`
    on, and not at all without it. Of a `decision` over several slots there is one impression a slot, whose actions are
    those that were left for it, and whose probabilities are those given the slots before it.
    """

    schema_version: Literal[1]
    impression_id: Identifier
    occurred_at: Milliseconds
    model: Name
    context: Features
    actions: Annotated[list[Action], Meta(min_length=1, max_length=MAX_ACTIONS)]
    chosen: Annotated[int, Meta(ge=0)]
    probabilities: list[float] | None = None
    propensity: float | None = None
    policy_version: Annotated[int, Meta(ge=0)] | None = None
    weight: float = 1.0
    deferred: bool = False
    decision: DecisionSlot | None = None

    @property
    def chosen_propensity(self) -> float:
        """The logged probability of the chosen action, in (0, 1]."""
        if self.probabilities is not None:
            return self.probabilities[self.chosen]
        assert self.propensity is not None  # `contradiction` refuses an impression with neither
        return self.propensity


class Feedback(Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One signal that came back for an impression. Whether it is good or bad is not the producer's to say.

    Where nothing came back nothing is sent: `none` is refused, it is the signal of an impression without feedback.
    """

    schema_version: Literal[1]
    impression_id: Identifier
    feedback_id: Identifier
    occurred_at: Milliseconds
    signal: Name
    value: float | None = None


LogNumber = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Source(Struct, frozen=True, gc=False, omit_defaults=True):
    """Where an impression lies in the impressions topic: the identity of its interaction.

    `floor` is the lowest offset of that partition which was still pending when the interaction was written:
    everything below it has been written before. `topic` is the id that Kafka gave the topic when it was made, so that
    one that is deleted and made again under the same name has other places; empty where it is not known.
    """

    partition: LogNumber
    offset: LogNumber
    floor: LogNumber
    topic: Annotated[str, Meta(max_length=64)] = ""


class Interaction(Struct, frozen=True, kw_only=True, gc=False):
    """An impression joined with all feedback of its window; `signals` is `["none"]` when nothing came.

    `signals` are the distinct signals in the order in which they occurred.
    """

    schema_version: Literal[1]
    source: Source
    impression: Impression
    feedback: list[Feedback]
    signals: Annotated[list[Name], Meta(min_length=1)]


RewardState = Literal[-1, 0, 1]
Doubt = Literal["no_definite_signal", "uninformative_feedback", "no_indifference", "undetermined_signal"]
"""Why data cannot tell a state. No definite signal came yet: +1 and -1 could change places. Feedback tells nothing
about what was shown. Next to nobody is indifferent: what passes for 0 could be joy. What this signal means is not
determined: too little bears it out, or it is left out and came in the place of what would have said something.
"""


class Reward(Struct, frozen=True, gc=False):
    """The inferred reward of one impression, with its provenance.

    `state` is the likeliest one, and None where data cannot tell: it counts as unknown, and `doubt` says why.
    `state_probabilities` say how likely the states -1, 0 and +1 are, to six digits; None where the model's rule has
    none, and such a rule is never in doubt. `posterior` is the inverse-kinematics probability of the chosen action
    given context and feedback; by the papers' rules the event is extreme where it exceeds `threshold` (twice the prior,
    2/K), which is None by the default one. `reward` is what the bandit was trained on: by the default rule the
    probability of +1 minus that of -1. `weight` is the importance weight, 1/(K p) times the impression's own, cut
    where it is far beyond those before it. `ik_version` and `policy_version` count the interactions that were learned
    when this one was judged; `logged_policy_version` is the version by which the app says it acted.
    """

    schema_version: Literal[1]
    impression_id: Identifier
    model: Name
    occurred_at: Milliseconds
    source: Source
    action: Identifier
    signal: Name
    state: RewardState | None
    reward: float
    posterior: float
    weight: float
    ik_version: int
    policy_version: int
    threshold: float | None = None
    state_probabilities: Annotated[list[float], Meta(min_length=3, max_length=3)] | None = None
    logged_policy_version: int | None = None
    doubt: Doubt | None = None


PROBABILITY_TOLERANCE = 1e-3
"""How far logged probabilities may be from summing to 1: producers round."""
_LAST_BITS = 1e-12
"""What the sum of decimal fractions is off by in binary: 0.25 + 0.25 + 0.25 + 0.249 misses 1 by more than 0.001."""
LEAST_PROPENSITY = 1e-9
PERCENT = 100
"""A probability of more than 1 and no more than this is one of a hundred, it seems."""
LEAST_WEIGHT = 1e-6
LARGEST_WEIGHT = 1e9
"""Bounds within which importance weights and the sums of their squares stay finite."""


CONTRADICTIONS = frozenset({
    "chosen_out_of_range", "duplicate_actions", "bad_weight", "no_propensity", "bad_propensity", "probabilities_length",
    "bad_probabilities",
})  # fmt: skip
"""The reasons of `contradiction`."""


def contradiction(impression: Impression) -> tuple[str, str] | None:
    """Return (reason, detail) if the impression contradicts itself, else None.

    The reason is one of a fixed set and fit for a metric label; the detail is for a reader.
    """
    count = len(impression.actions)
    if impression.chosen >= count:
        told = f"chosen is {impression.chosen}, but there are {count} actions"
        hint = ", and not from 1" if impression.chosen == count else ""
        return "chosen_out_of_range", f"{told}; it is the index of the one that was shown, from 0 to {count - 1}{hint}"
    if len({action.id for action in impression.actions}) != count:
        repeated = next(id for id, times in Counter(action.id for action in impression.actions).items() if times > 1)
        return "duplicate_actions", f"two actions have the same id, {repeated!r}; give each its own"
    if not LEAST_WEIGHT <= impression.weight <= LARGEST_WEIGHT:
        bounds = f"[{LEAST_WEIGHT:g}, {LARGEST_WEIGHT:g}]"
        return (
            "bad_weight",
            f"weight is {impression.weight}, expected within {bounds}; leave it out, it is 1 then",
        )
    return bad_propensity(impression.probabilities, impression.propensity, impression.chosen, count)


def bad_propensity(
    probabilities: Sequence[float] | None, propensity: float | None, chosen: int, count: int
) -> tuple[str, str] | None:
    """Return (reason, detail) if what is said of the probabilities of `count` actions contradicts itself, else None."""
    if probabilities is not None:
        wrong = bad_probabilities(probabilities, count)
        if wrong is not None:
            return wrong
        if propensity is not None and abs(propensity - probabilities[chosen]) > PROBABILITY_TOLERANCE:
            told = f"propensity {propensity} is not probabilities[chosen], {probabilities[chosen]}"
            return "bad_propensity", f"{told}; log one of the two"
        propensity = probabilities[chosen]  # which is what `chosen_propensity` goes by
    if propensity is None:
        told = "neither probabilities nor propensity is given"
        return "no_propensity", f"{told}; log the probability by which the shown action was drawn"
    if not LEAST_PROPENSITY <= propensity <= 1:
        detail = f"expected within (0, 1] and no less than {LEAST_PROPENSITY:g}"
        return "bad_propensity", f"propensity of the chosen action is {propensity}, {detail}{_probably(propensity)}"
    return None


def bad_probabilities(probabilities: Sequence[float], count: int) -> tuple[str, str] | None:
    """Return (reason, detail) if these are no probabilities of `count` actions, else None."""
    if len(probabilities) != count:
        told = f"{len(probabilities)} probabilities for {count} actions"
        return "probabilities_length", f"{told}; log one for each, in their order"
    if not all(0 <= one <= 1 for one in probabilities):
        place, wrong = next((place, one) for place, one in enumerate(probabilities) if not 0 <= one <= 1)
        return (
            "bad_probabilities",
            f"probabilities must lie in [0, 1], as [0.75, 0.25] do; number {place} is {wrong}{_probably(wrong)}",
        )
    total = math.fsum(probabilities)
    if abs(total - 1) > PROBABILITY_TOLERANCE + _LAST_BITS:
        return "bad_probabilities", f"probabilities must sum to 1, as [0.75, 0.25] do; they sum to {total}"
    return None


def _probably(given: float) -> str:
    """Return what a number that is no probability of what was shown may be, and what to write for it."""
    if 1 < given < math.inf:
        percent = "write 0.5 for 50 %; " if given <= PERCENT else ""
        return f"; {percent}of an importance weight, 1/p, write p: {1 / given:.3g}"
    if -math.inf < given < 0:
        return f"; it looks like a logarithm: write exp of it, {math.exp(given):.3g}, if it is the natural one"
    if 0 <= given < LEAST_PROPENSITY:
        return "; what was shown had a chance: write that of the action at `chosen`, exploration included, and no floor"
    return ""


class Watermark(Struct, frozen=True, forbid_unknown_fields=True):
    """A producer's promise that nothing with an earlier event time follows on this partition.

    Written to every partition of both topics at the end of a replay, so that the last windows close.
    """

    schema_version: Literal[1]
    watermark: Milliseconds
