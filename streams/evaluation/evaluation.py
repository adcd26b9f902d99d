"""What each policy that is asked about would have earned on a log, in one pass and bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from processors.evaluation.confidence_sequence import DIFFERENCE, ERROR, VALUE, ConfidenceSequence, Interval
from processors.evaluation.gate import Decision, Rule, decide
from processors.evaluation.logged_decisions import Floats, LoggedDecisions
from processors.evaluation.predicted_rewards import PredictedRewards
from processors.evaluation.support import ENOUGH, Support
from processors.evaluation.value_estimates import ValueEstimates
from streams.evaluation.asked_policies import AskedPolicy, Random
from streams.evaluation.batches import MOST_ACTIONS, Batch, Batches
from streams.evaluation.rewarded import Rewarded

AS_LOGGED: Final = "as logged"
MOST_CONSTANTS: Final = 25
"""So many actions are asked what it would be worth to show nothing else: the first that are offered."""
ALWAYS: Final = 0.9
"""Share of the decisions that must have offered an action, or it is none that could be shown to everybody."""
MOST_SEGMENTS: Final = 20


class EvaluationError(ValueError):
    """A log of which nothing right can be said; the message says why."""


@dataclass
class Valued:
    """A policy, its estimates and its interval so far."""

    name: str
    estimates: ValueEstimates
    sequence: ConfidenceSequence

    @classmethod
    def begun(cls, name: str) -> Valued:
        """Return one of which nothing is known."""
        return cls(name, ValueEstimates(), ConfidenceSequence(VALUE))

    def add(self, decisions: LoggedDecisions, target: Floats, predicted: Floats) -> None:
        """Take in decisions and what the policy would have done."""
        self.estimates.add(decisions, target, predicted)
        self.sequence.add(decisions, target, predicted)


@dataclass(frozen=True)
class Compared:
    """What a candidate earns more than the live policy, and what the gate makes of it."""

    candidate: str
    live: str
    interval: Interval
    decision: Decision


class Evaluation:
    """Values policies on a log.

    `live` is the policy that the others are compared with, and judged by the `rule`; None for none. `feature` is that
    of the context by whose values it is asked what the log cannot speak of.
    """

    def __init__(
        self, policies: Sequence[AskedPolicy], live: AskedPolicy | None, rule: Rule, feature: str | None = None
    ) -> None:
        self._policies, self._live, self._rule = list(policies), live, rule
        asked = [*self._policies, *([] if live is None else [live])]
        self.logged, self.random = Valued.begun(AS_LOGGED), Valued.begun(Random().name)
        self.named = [Valued.begun(one.name) for one in asked]
        self._random = Random()
        self._differences = [] if live is None else [ConfidenceSequence(DIFFERENCE) for _ in self._policies]
        self._constants: dict[int, Valued] = {}
        self._batches = Batches(feature, MOST_SEGMENTS)
        self._predictions = PredictedRewards(MOST_ACTIONS + 1)
        self.support = Support(MOST_SEGMENTS + 1, MOST_ACTIONS + 1)
        self._weight: float | None = None

    @property
    def count(self) -> int:
        """How many decisions were taken in."""
        return self.logged.estimates.count

    def take(self, rewarded: Iterable[Rewarded]) -> None:
        """Take in decisions, in the order in which they were made.

        Raises EvaluationError where they weigh differently: a log that was sub-sampled by what came back.
        """
        for batch in self._batches.of(rewarded):
            self._check_weights(batch)
            self._take(batch)

    def _take(self, batch: Batch) -> None:
        decisions, predicted = batch.decisions, self._predictions.predict(batch.actions)
        shown = batch.actions[np.arange(len(decisions)), decisions.chosen]
        alone = predicted[np.arange(len(decisions)), decisions.chosen][:, None]
        self.logged.add(decisions.as_logged(), np.ones_like(alone), alone)
        self.random.add(decisions, self._random.probabilities(batch), predicted)
        asked = [*self._policies, *([] if self._live is None else [self._live])]
        targets = [one.probabilities(batch) for one in asked]
        for valued, target in zip(self.named, targets, strict=True):
            valued.add(decisions, target, predicted)
        for sequence, target in zip(self._differences, targets, strict=False):
            sequence.add(decisions, target - targets[-1], predicted)
        self._take_constants(batch, predicted)
        self.support.add(decisions, batch.actions, batch.segments)
        self._predictions.learn(shown, decisions.rewards)

    def _take_constants(self, batch: Batch, predicted: Floats) -> None:
        decisions = batch.decisions
        names = self._batches.actions.names("")
        for number in range(min(MOST_CONSTANTS, len(self._batches.actions))):
            there = (batch.actions == number) & decisions.offered
            rows = there.any(axis=1)
            valued = self._constants.setdefault(number, Valued.begun(f"always {names[number]}"))
            if rows.all():
                valued.add(decisions, there.astype(np.float64), predicted)
            elif rows.any():
                valued.add(decisions.rows(rows), there[rows].astype(np.float64), predicted[rows])

    def _check_weights(self, batch: Batch) -> None:
        for impression in batch.impressions:
            if self._weight is None:
                self._weight = impression.weight
            if impression.weight != self._weight:
                raise EvaluationError(
                    f"impression {impression.impression_id!r} weighs {impression.weight:g}, the first one "
                    f"{self._weight:g}: the log was sub-sampled, some decisions more than others, and no interval "
                    "holds of what is left. Evaluate the log as it was before"
                )

    def constants(self) -> list[Valued]:
        """Return the actions that could be shown to everybody, and of which the log speaks, each shown alone."""
        return [
            one
            for one in self._constants.values()
            if one.estimates.count >= ALWAYS * self.count and one.estimates.effective >= ENOUGH
        ]

    def best_constant(self) -> tuple[Valued, Interval] | None:
        """Return the one whose interval begins highest, with an interval that holds for all of them at once."""
        judged = self.constants()
        if not judged:
            return None
        found = [(one, one.sequence.interval(ERROR / len(judged))) for one in judged]
        return max(found, key=lambda one: (one[1].low, one[0].estimates.snips or 0.0, one[0].name))

    def compared(self) -> list[Compared]:
        """Return what each policy earns more than the live one."""
        if self._live is None:
            return []
        live = self.named[-1].estimates
        found = []
        for valued, sequence in zip(self.named, self._differences, strict=False):
            interval, estimates = sequence.interval(self._rule.error), valued.estimates
            misweighted = live.misweighted() or estimates.misweighted()
            decision = decide(self._rule, interval, self.count, estimates.supported, misweighted=misweighted)
            found.append(Compared(valued.name, self._live.name, interval, decision))
        return found

    def actions(self) -> int:
        """Return how many actions were told apart."""
        return len(self._batches.actions)

    def names(self) -> tuple[list[str], list[str]]:
        """Return what actions and segments are called, by their numbers."""
        return self._batches.actions.names("all other actions"), self._batches.segments.names("all other segments")
