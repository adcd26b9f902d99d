"""The join is a function of its two logs, and accounts for everything that comes in."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from groundswell.events import Watermark
from processors.admission.event_records import Admission, Refusal
from processors.join.config import JoinConfig
from processors.join.entries import ObservedFeedback, Outcome, ShownImpression, Step
from processors.join.fold import Join
from tests.factories import MODEL, admitted, encode, feedback, impression, models
from tests.unit.join.join_oracle import truth
from tests.unit.join.join_worker import CONFIG, Logs, logs


@given(logs(), st.randoms(use_true_random=False))
def test_the_result_is_that_of_the_definition_however_reading_was_interleaved(some: Logs, turns: random.Random) -> None:
    join = Join(CONFIG)
    steps: list[Step] = []
    logs_left: list[list[ShownImpression | ObservedFeedback | int]]
    logs_left = [[*reversed(some.impressions)], [*reversed(some.feedback)]]
    while logs_left[0] or logs_left[1]:
        topic = turns.choice([topic for topic in (0, 1) if logs_left[topic]])
        match logs_left[topic].pop():
            case ShownImpression() as shown:
                steps.append(join.add_impressions([shown]))
            case ObservedFeedback() as observed:
                steps.append(join.add_feedback([replace(observed)]))
            case int() as reached if topic == 0:
                steps.append(join.advance(impressions_time=reached))
            case int() as reached:
                steps.append(join.advance(feedback_time=reached))
    closed = [one for step in steps for one in step.closed]
    expected = truth(CONFIG, *some)
    assert [one.impression.offset for one in closed] == list(expected.interactions)
    assert {one.impression.offset: {f.id for f in one.feedback} for one in closed} == expected.interactions
    joined = {one.id for pending in closed for one in pending.feedback}
    assert {
        stray.feedback.id for step in steps for stray in step.strays
    } - joined - expected.repeated == expected.strays
    assert sum(step.outcomes.get(Outcome.NOT_SHOWN, 0) for step in steps) == len(expected.not_shown)
    assert {late.impression.offset for step in steps for late in step.late} == expected.late
    assert sum(step.outcomes.get(Outcome.LATE_IMPRESSION, 0) for step in steps) == len(expected.late)
    assert (len(join), join.early) == (0, 0)


def test_of_100_000_fuzzed_messages_every_one_is_accounted_for() -> None:
    fuzz = Fuzz(seed=20)
    while fuzz.counts["impressions"] + fuzz.counts["feedback"] < 100_000:
        fuzz.one()
    fuzz.end()
    assert (len(fuzz.join), fuzz.join.early) == (0, 0)
    counts = fuzz.counts
    assert counts["impressions"] == fuzz.refused["impression"] + sum(
        counts[outcome]
        for outcome in (
            Outcome.MATCHED,
            Outcome.NONE,
            Outcome.NOT_SHOWN,
            Outcome.LATE_IMPRESSION,
            Outcome.EVICTED,
            Outcome.DUPLICATE_IMPRESSION,
            Outcome.CONFLICTING_IMPRESSION,
        )
    )
    assert counts["feedback"] == fuzz.refused["feedback"] + sum(
        counts[outcome]
        for outcome in (
            Outcome.FEEDBACK_MATCHED,
            Outcome.FEEDBACK_EVICTED,
            Outcome.FEEDBACK_NOT_SHOWN,
            Outcome.FEEDBACK_LATE_IMPRESSION,
            Outcome.DUPLICATE_FEEDBACK,
            Outcome.LATE,
            Outcome.TOO_EARLY,
            Outcome.TOO_MANY,
            Outcome.ORPHAN,
        )
    )
    never = [one.value for one in Outcome if not counts[one] and one is not Outcome.FEEDBACK_POISON]
    assert never == [], "and the messages were such that everything happened"
    assert min(fuzz.refused.values()) > 1_000


class Fuzz:
    """Messages good and bad, late and early, twice and never, and what becomes of each."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.admission = Admission(models(MODEL), max_ahead_ms=60_000)
        self.join = Join(JoinConfig(wait=2, grace=0.5, backward=0.5, activation=1, remember=3, max_pending=25))
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.now = 1_000_000
        self.offset = 0
        self.recent = ["nobody"]

    def one(self) -> None:
        self.offset += 1
        self.now += self.random.choice([0, 1, 20, 40, 80])
        if self.random.random() < 0.4:
            self.counts["impressions"] += 1
            self._impression()
        else:
            self._feedback()

    def end(self) -> None:
        """Let everything close, and what waits for an impression expire."""
        self._take(self.join.advance(self.now + 1_000_000, self.now + 1_000_000))

    def _impression(self) -> None:
        fresh = self.random.random() < 0.9
        name = f"i{self.offset}" if fresh else self.random.choice(self.recent)
        self.recent = [*self.recent[-40:], name]
        changes = {"deferred": self.random.random() < 0.2, "chosen": self.random.choice([1, 1, 1, 1, 0, 3])}
        key, value = self._spoilt(name, encode(impression(name, self._time(), **changes)))
        match admitted(self.admission.impressions, key, value, self.offset, self.now):
            case ShownImpression() as shown:
                self._take(self.join.add_impressions([shown]))
            case Refusal():
                self.refused["impression"] += 1
            case Watermark():
                raise AssertionError("no watermark was sent")

    def _feedback(self) -> None:
        busy = self.random.random() < 0.3
        name = (
            f"i{self.offset + 3}"
            if self.random.random() < 0.05
            else self.random.choice(self.recent[-3 if busy else 0 :])
        )
        message = feedback(name, self._time(), signal=self.random.choice(["click", "click", "shown"]))
        message["feedback_id"] = f"f{self.offset - self.random.choice([0, 0, 0, 1, 2])}"
        many = self.random.choice([1] * 400 + [80])
        for again in range(many):
            key, value = self._spoilt(name, encode({**message, "feedback_id": f"{message['feedback_id']}.{again}"}))
            self.counts["feedback"] += 1
            self.offset += 1
            match admitted(self.admission.feedback, key, value, self.offset, self.now):
                case ObservedFeedback() as observed:
                    self._take(self.join.add_feedback([observed]))
                case Refusal():
                    self.refused["feedback"] += 1
                case Watermark():
                    raise AssertionError("no watermark was sent")

    def _time(self) -> int:
        return self.now + self.random.choice(
            [0, 0, 0, 0, -30, -300, -600, -1_500, -5_000, 100_000 if self.offset % 7 == 0 else 0]
        )

    def _spoilt(self, name: str, value: bytes) -> tuple[bytes, bytes | None]:
        match self.random.randrange(40):
            case 0:
                return name.encode(), None
            case 1:
                return b"another", value
            case 2:
                return name.encode(), value[: self.random.randrange(len(value))]
            case 3:
                return name.encode(), self.random.randbytes(30)
            case 4:
                place = self.random.randrange(len(value))
                return name.encode(), value[:place] + self.random.randbytes(1) + value[place + 1 :]
        return name.encode(), value

    def _take(self, step: Step) -> None:
        self.counts.update({str(outcome): number for outcome, number in step.outcomes.items()})
        self.counts.update(str(stray.reason) for stray in step.strays)
        assert len(step.evicted) == step.outcomes.get(Outcome.EVICTED, 0)
        assert len(step.late) == step.outcomes.get(Outcome.LATE_IMPRESSION, 0)
