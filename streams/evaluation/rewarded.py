"""The decisions of a log with their rewards: inferred by the model's decoder, written by a worker, or declared.

Where a decoder infers them, it learns the log in its order, and judges each decision by what it had learned before: no
reward rests on what came after, so that intervals hold. What it infers gets better along the way.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

from groundswell.events import NONE_SIGNAL, Feedback, Impression, Interaction, Source, contradiction
from processors.learners.learner import Learner
from processors.learners.learner_choice import learner_for
from streams.kafka.topic_inspector import TopicInspector
from streams.replay.dsjson import DsjsonMapping
from streams.replay.dsjson_export import of_topics
from streams.replay.examination import ReadableLog, ReplayError, beside
from streams.replay.left_out import RowError
from streams.replay.mapping import Mapping as LogMapping
from streams.replay.standards import Standards, without_repeats
from streams.settings import Settings
from streams.signal_numbers import numbers_by_signal
from streams.words import counted

STRETCH: Final = 2_000
"""So many decisions are learned at once."""
WORTH_FORM: Final = "a worth is SIGNAL=NUMBER from -1 to 1, as in like=1, dislike=-1 or none=0"


class WorthError(ValueError):
    """A declared worth that is none."""


class Rewarded(NamedTuple):
    """A decision and its reward, from -1 to 1."""

    impression: Impression
    reward: float


@dataclass
class Told:
    """What became of the rows of a log beside their values.

    `unrewarded` have no reward: too few actions, or none was written yet. Of `doubtful` ones the decoder could not tell
    the state. `late` pieces of feedback came when the wait was over, and `cut` rewards lay beyond [-1, 1].
    """

    decisions: int = 0
    unrewarded: int = 0
    doubtful: int = 0
    late: int = 0
    cut: int = 0
    lines: list[str] = field(default_factory=list)

    def in_words(self) -> Iterator[str]:
        """Yield what to look at, line by line."""
        yield from self.lines
        if self.unrewarded:
            yield f"{counted(self.unrewarded, 'decision')} without a reward left out"
        if self.doubtful:
            share = self.doubtful / max(self.decisions, 1)
            yield (
                f"of {counted(self.doubtful, 'decision')} ({share:.1%}) the decoder could not tell what people felt: "
                "their rewards are its best guess"
            )
        if self.late:
            yield f"{counted(self.late, 'piece of feedback is', 'pieces of feedback are')} beyond the wait (join.wait)"
        if self.cut:
            yield f"{counted(self.cut, 'reward is', 'rewards are')} more than 1 or less than -1, and cut there"


def worths_of(given: Sequence[str]) -> dict[str, float]:
    """Return worths by signal from `signal=number`. Raises `WorthError`."""
    try:
        return numbers_by_signal(given, 1.0)
    except ValueError as wrong:
        raise WorthError(f"--worth {wrong}: {WORTH_FORM}") from None


def decoder_of(settings: Settings, model: str) -> Learner:
    """Return what infers rewards of a model by its configuration. Raises `WorthError` where there is none of it."""
    configured = settings.models.get(model)
    if configured is None:
        raise WorthError(
            f"rewards of {model!r} cannot be inferred, since the configuration has no [models.{model}]: name the file "
            "that has it with --config, or say what signals are worth, as in --worth like=1 --worth dislike=-1"
        )
    return learner_for(configured)


def of_log(
    log: ReadableLog,
    mapping: LogMapping | DsjsonMapping,
    standards: Standards,
    told: Told,
    *,
    learner: Learner | None,
    worths: Mapping[str, float],
) -> Iterator[Rewarded]:
    """Yield the decisions of a log in its order.

    With a `learner` their rewards are what it infers, without one the sum of the signals' `worths`.

    Raises ReplayError after the last one where rows are wrong, and the mapping does not say to skip them.
    """
    good = _good(log, standards, told)
    yield from _inferred(good, learner, told) if learner is not None else _declared(good, worths, told)
    left_out = (log.left_out, *beside(log))
    wrong = [one for one in left_out if one.wrong]
    if wrong and mapping.bad_rows == "stop":
        count = sum(one.wrong.total() for one in wrong)
        raise ReplayError(
            f"{wrong[0].first_wrong()}\n{counted(count, 'row is', 'rows are')} wrong, so nothing is said of the rest; "
            'mend the file, or set bad_rows = "skip" to leave such rows out'
        )
    told.lines += [f"left out, {reason}" for one in left_out for reason in one.in_words()]
    if log.duplicates:
        told.lines.append(f"{counted(log.duplicates, 'row repeats', 'rows repeat')} an earlier one")


def of_model(settings: Settings, logs: TopicInspector, model: str, told: Told) -> Iterator[Rewarded]:
    """Yield the interactions of a model from their topic, with the rewards that workers wrote of them."""
    for decided in of_topics(settings, logs, model):
        if decided.reward is None:
            told.unrewarded += 1
            continue
        told.decisions += 1
        yield Rewarded(decided.impression, decided.reward)


def _good(log: ReadableLog, standards: Standards, told: Told) -> Iterator[tuple[int, Impression, list[Feedback]]]:
    """Yield what a worker would take, with the feedback that would count; what is wrong goes to what is left out."""
    files = {file.path: file for file in log.feedback_files.values()}
    for number, outcome in log.outcomes(None):
        if isinstance(outcome, RowError):
            log.left_out.add(log.place(number), outcome)
            continue
        impression = outcome.impression
        contradicted = contradiction(impression)
        if contradicted is not None:
            log.left_out.add(log.place(number), RowError(*contradicted))
            continue
        wrong = [(one.place, one.error) for one in outcome.told if one.error is not None]
        own = [error for place, error in wrong if place is None]
        if own:
            log.left_out.add(log.place(number), own[0])
            continue
        for place, error in wrong:
            if place is not None:
                files[place.path].left_out.add(place, error)
        feedback, _, _ = without_repeats(outcome)
        first, last = impression.occurred_at - standards.backward_ms, impression.occurred_at + standards.wait_ms
        counting = [piece for piece in feedback if first <= piece.occurred_at <= last]
        told.late += len(feedback) - len(counting)
        yield number, impression, counting


def _declared(
    good: Iterator[tuple[int, Impression, list[Feedback]]], worths: Mapping[str, float], told: Told
) -> Iterator[Rewarded]:
    nothing, unknown = worths.get(NONE_SIGNAL, 0.0), Counter[str]()
    for _, impression, feedback in good:
        signals = {piece.signal for piece in feedback}
        reward = math.fsum(worths.get(signal, 0.0) for signal in signals) if signals else nothing
        unknown.update(signals - worths.keys())
        told.cut += abs(reward) > 1.0
        told.decisions += 1
        yield Rewarded(impression, min(1.0, max(-1.0, reward)))
    if unknown:
        named = ", ".join(f"{signal} ({count:,})" for signal, count in unknown.most_common(5))
        told.lines.append(f"signals without a worth count 0: {named}; give --worth SIGNAL=NUMBER where that is wrong")


def _inferred(
    good: Iterator[tuple[int, Impression, list[Feedback]]], learner: Learner, told: Told
) -> Iterator[Rewarded]:
    while stretch := list(islice(good, STRETCH)):
        interactions = [
            Interaction(
                schema_version=1,
                source=Source(0, number, 0),
                impression=impression,
                feedback=feedback,
                signals=list(dict.fromkeys(piece.signal for piece in feedback)) or [NONE_SIGNAL],
            )
            for number, impression, feedback in stretch
        ]
        columns = learner.learn(interactions)
        rewards = columns.rewards.tolist()
        told.cut += sum(abs(reward) > 1.0 for reward in rewards)
        told.decisions += len(rewards)
        told.unrewarded += len(stretch) - len(rewards)
        told.doubtful += sum(doubt is not None for doubt in columns.doubts)
        for place, reward in zip(columns.places, rewards, strict=True):
            yield Rewarded(stretch[place][1], min(1.0, max(-1.0, reward)))
