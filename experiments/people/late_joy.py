"""People whose joy comes after the join's wait, so that nothing is learned of it: through the join and the learner."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from experiments.people.playing import CLICKS, MODEL, TRUE, Outcome, inferred
from experiments.people.world import EMISSIONS, SIGNALS, World, liking, people
from groundswell.events import NONE_SIGNAL, Action, Features, Feedback, Impression
from processors.admission.event_records import readmit_feedback, readmit_impression
from processors.join.config import JoinConfig
from processors.join.entries import ObservedFeedback, Step
from processors.join.fold import Join
from processors.join.written_interactions import encode_interactions, floor_of
from processors.learners.reward_columns import DOUBTS
from processors.learners.three_state_learner import ThreeStateLearner
from processors.models.config import ModelConfig
from processors.wire.envelopes import decode_interaction
from streams.observing.context_segments import Segments
from streams.observing.late_by_segment import IN_TIME, LATE, LateBySegment
from streams.observing.metrics import Metrics
from streams.settings import SegmentSettings

CASES: Final = {"all of their joy": 1.0, "half of their joy": 0.5}
"""How much of the joy of half of the people is late."""
PROMPT, SLOW = "web", "tv"
CODES: Final = {name: code for code, name in DOUBTS.items()}
PLATFORM: Final = "platform"
LATER: Final = "late "
"""Begins the name of a signal that comes after the wait."""
JOIN: Final = JoinConfig(wait=60.0, grace=5.0)
APART_MS: Final = 100
"""Between two visits: six hundred wait at a time."""
TOGETHER: Final = 50
"""Visits that are decided by one policy, and that the join takes at once."""
SOON_MS, LONG_MS = 8_000, 30_000
"""How long feedback takes in the mean, and by how much more than the wait what is late takes."""
TOLD: Final = {
    TRUE: ModelConfig(
        name=MODEL.name, definitely_negative=frozenset({"hated"}), definitely_positive=frozenset({"enjoyed"})
    ),
    CLICKS: ModelConfig(name=MODEL.name, definitely_positive=frozenset({"enjoyed"})),
}
"""The same learner, told what is felt, or that clicks are joy."""
STATES: Final = ("hated", NONE_SIGNAL, "enjoyed")
_encode: Final = msgspec.json.Encoder().encode


def world(case: str, seed: int) -> World:
    """Return ten people who enjoy and hate one of eleven actions each; half of them are on the slow platform."""
    rng = np.random.default_rng([seed, 12])
    slow = np.arange(10) >= 5
    known = [_known(i) for i in range(10)]
    table = np.zeros((2, 3, len(SIGNALS) + 2))
    table[:, :, : len(SIGNALS)] = EMISSIONS
    table[1, 2, -2:] = CASES[case] * table[1, 2, :2]
    table[1, 2, :2] *= 1 - CASES[case]
    signals = (*SIGNALS, *(LATER + joy for joy in SIGNALS[:2]))
    states = liking(rng, 10, 11, 1, 1)
    return people(rng, states, emissions=table, signals=signals, known=known, kinds=slow.astype(np.int64))


def played_through_join(world: World, source: int, seed: int) -> Outcome:
    """Let people and learner interact, with the join between them.

    The oracle and the bandit on clicks are told what came in time, and of the rest that nothing came.
    """
    return _Feed(world, source, seed).played()


class _Feed:
    """One run: apps that act by the newest policy, people who answer sooner or later, join, learner."""

    def __init__(self, world: World, source: int, seed: int) -> None:
        self._world, self._source = world, source
        self._rng = np.random.default_rng([seed, 13])
        self._learner = ThreeStateLearner(TOLD.get(source, MODEL))
        self._join = Join(JOIN)
        self._metrics = Metrics()
        segments = {MODEL.name: Segments(SegmentSettings(feature=PLATFORM))}
        self._late = LateBySegment(self._metrics, segments)
        self._actions = [Action(f"a{i}") for i in range(world.states.shape[1])]
        self._cumulative = np.cumsum(world.emissions, axis=2)
        self._coming: list[tuple[int, int, str]] = []
        """Feedback that is still to come: when, the number of its visit, its signal."""
        self._answers = 0
        count = len(world.rows)
        self._values, self._propensities = np.zeros(count), np.zeros(count)
        self._record = np.zeros((4, count), dtype=np.int64)
        self._probabilities = np.zeros((count, 3))
        self._doubts = np.zeros(count, dtype=np.int64)

    def played(self) -> Outcome:
        """Let all visits come, and all feedback to them."""
        count = len(self._world.rows)
        for begin in range(0, count, TOGETHER):
            self._visits(range(begin, min(begin + TOGETHER, count)))
        self._settle([self._join.advance(2**40, 2**40)])
        true, chosen, signals, decoded = self._record
        left_out = [name for name, leak in self._learner.leaking.items() if leak.left_out]
        return Outcome(
            self._values, true, chosen, signals, decoded, self._probabilities, self._propensities,
            posteriors=np.ones(count), doubts=self._doubts, left_out=left_out, late_shares=self._late_shares(),
        )  # fmt: skip

    def _visits(self, numbers: range) -> None:
        impressions = []
        policies: dict[int, tuple[np.ndarray, float]] = {}
        for number in numbers:
            person = int(self._world.rows[number])
            if person not in policies:
                policies[person] = self._policy(person)
            shown, self._values[number] = policies[person]
            chosen = min(int(np.searchsorted(np.cumsum(shown), self._rng.random())), len(shown) - 1)
            self._answer(number, person, chosen)
            self._propensities[number] = shown[chosen]
            impression = Impression(
                schema_version=1,
                impression_id=f"i{number}",
                occurred_at=number * APART_MS,
                model=MODEL.name,
                context=_known(person),
                actions=self._actions,
                chosen=chosen,
                propensity=float(shown[chosen]),
            )
            impressions.append(readmit_impression(_encode(impression), number))
        now = numbers[-1] * APART_MS
        steps = [self._join.add_impressions(impressions), self._join.add_feedback(self._came(now))]
        self._settle([*steps, self._join.advance(now, now)])

    def _policy(self, person: int) -> tuple[np.ndarray, float]:
        scores = self._learner.scores(_known(person), self._actions)
        best = scores == scores.max()
        shown = np.array(self._learner.probabilities(_known(person), self._actions))
        return shown, float(self._world.states[person][best].mean())

    def _answer(self, number: int, person: int, chosen: int) -> None:
        """Draw what is felt and what will come of it, and when."""
        state = int(self._world.states[person, chosen])
        emitted = self._cumulative[self._world.kinds[number], state + 1]
        place = min(int(np.searchsorted(emitted, self._rng.random(), side="right")), len(emitted) - 1)
        signal = self._world.signals[place]
        self._record[:3, number] = state, chosen, place
        wait_ms = round(JOIN.wait * 1000)
        delay = min(int(self._rng.exponential(SOON_MS)), wait_ms - 1)
        if late := signal.startswith(LATER):
            delay = wait_ms + round(JOIN.grace * 1000) + int(self._rng.exponential(LONG_MS))
        said = signal.removeprefix(LATER)
        if self._source == TRUE and not late:
            said = STATES[state + 1]
        elif self._source == CLICKS and not late:
            said = STATES[2] if signal in self._world.clicks else NONE_SIGNAL
        if said != NONE_SIGNAL:
            heapq.heappush(self._coming, (number * APART_MS + delay, number, said))

    def _came(self, now: int) -> list[ObservedFeedback]:
        came = []
        while self._coming and self._coming[0][0] <= now:
            at, number, signal = heapq.heappop(self._coming)
            answer = Feedback(
                schema_version=1, impression_id=f"i{number}", feedback_id=f"f{number}", occurred_at=at, signal=signal
            )
            came.append(readmit_feedback(_encode(answer), self._answers, 0))
            self._answers += 1
        return came

    def _settle(self, steps: Sequence[Step]) -> None:
        closed = [one for step in steps for one in step.closed]
        self._late.closed(closed)
        for step in steps:
            self._late.strays(step.strays)
        floor = floor_of(closed, self._join.floor, len(self._world.rows))
        interactions = [decode_interaction(value) for value in encode_interactions(closed, 0, floor)]
        for reward in self._learner.learn(interactions):
            if reward is not None:
                self._record[3, reward.source.offset] = inferred(reward)
                self._doubts[reward.source.offset] = CODES[reward.doubt]
                self._probabilities[reward.source.offset] = reward.state_probabilities or ()

    def _late_shares(self) -> Mapping[str, float]:
        def came(segment: str, when: str) -> float:
            return float(self._metrics.segment_feedback.labels(MODEL.name, segment, when)._value.get())

        late = {segment: came(segment, LATE) for segment in (PROMPT, SLOW)}
        return {segment: number / (number + came(segment, IN_TIME)) for segment, number in late.items()}


def _known(person: int) -> Features:
    return {"user": f"u{person}", PLATFORM: SLOW if person >= 5 else PROMPT}
