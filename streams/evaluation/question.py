"""What is asked of a log or a model, and what is found: a pass over its decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from processors.evaluation.gate import Rule
from streams.evaluation import rewarded
from streams.evaluation.asked_policies import Snapshot, read_snapshot
from streams.evaluation.evaluation import Evaluation, EvaluationError
from streams.inspection.published_policies import newest_policies
from streams.kafka.topic_inspector import TopicInspector
from streams.replay.examination import readable_log
from streams.replay.mapping_file import load_mapping, mapping_path
from streams.replay.standards import Standards
from streams.settings import Settings


@dataclass(frozen=True)
class Question:
    """Which policies to value, and which of them the others have to beat, or not to lose to by more than `margin`.

    `worths` of signals take the place of what a decoder infers, where there are any. `feature` is that by whose values
    it is asked what the log cannot speak of.
    """

    policies: tuple[Path, ...] = ()
    live: Path | None = None
    greedy: bool = False
    margin: float = 0.0
    worths: Mapping[str, float] = field(default_factory=dict)
    feature: str | None = None

    def begun(self, published: Snapshot | None = None) -> tuple[Evaluation, list[Snapshot]]:
        """Return an evaluation of nothing yet, and the policies that it is of; the live one may be `published`."""
        asked = [Snapshot(path.stem, read_snapshot(path), greedy=self.greedy) for path in self.policies]
        live = published
        if self.live is not None:
            live = Snapshot(self.live.stem, read_snapshot(self.live), greedy=self.greedy)
        rule = Rule("not_worse", self.margin) if self.margin else Rule()
        return Evaluation(asked, live, rule, self.feature), [*asked, *([] if live is None else [live])]


@dataclass(frozen=True)
class Answer:
    """What was found, what it rests on, and what to look at before it is believed."""

    source: str
    evaluation: Evaluation
    remarks: tuple[str, ...]


def of_log(question: Question, path: Path, mapping: str, settings: Settings) -> Answer:
    """Value policies on a log. Raises what reading it does, `WorthError`, PolicyError and `EvaluationError`."""
    declared = load_mapping(mapping_path(mapping))
    learner = None if question.worths else rewarded.decoder_of(settings, declared.model)
    how = "declared worths of signals" if learner is None else "what the decoder inferred along the way"
    evaluation, asked = question.begun()
    log, told, standards = readable_log(path, declared), rewarded.Told(), Standards.of(settings, configured=False)
    decisions = rewarded.of_log(log, declared, standards, told, learner=learner, worths=question.worths)
    told.lines += _others(asked, declared.model)
    return _answered(f"{declared.model}: {path.name}, by {how}", evaluation, asked, decisions, told)


def of_model(question: Question, model: str, settings: Settings, logs: TopicInspector) -> Answer:
    """Value policies on the interactions of a model, as `of_log` does; the published policy is the live one."""
    published = newest_policies(settings, logs).get(model)
    live = None
    if published is not None:
        version = published.snapshot.version
        live = Snapshot(f"published, version {version:,}", published.snapshot, greedy=question.greedy)
    evaluation, asked = question.begun(live)
    told, topics = rewarded.Told(), settings.topics
    told.lines += _others(asked, model)
    configured = settings.models.get(model)
    if configured is not None and configured.sharded_by is not None:
        told.lines.append(
            "shards are read one after the other, and not in the order of time: where the policy that acted has "
            "learned from them, no interval is assured"
        )
    decisions = rewarded.of_model(settings, logs, model, told)
    source = f"{model}: the topic {topics.interactions}, by the rewards on {topics.rewards}"
    return _answered(source, evaluation, asked, decisions, told)


def _others(asked: Sequence[Snapshot], model: str) -> Iterator[str]:
    """Yield which policies are of another model than the decisions: likely another file was meant."""
    for one in asked:
        if one.snapshot.model != model:
            yield (
                f"{one.name} is a policy of the model {one.snapshot.model!r}, and these are decisions of {model!r}: of "
                "features and actions that it has not learned it knows nothing"
            )


def _answered(
    source: str,
    evaluation: Evaluation,
    asked: list[Snapshot],
    decisions: Iterator[rewarded.Rewarded],
    told: rewarded.Told,
) -> Answer:
    evaluation.take(decisions)
    if not evaluation.count:
        raise EvaluationError(f"{source}: there is no decision with a reward, so nothing can be said of any policy")
    remarks = list(told.in_words())
    most = max((one.snapshot.version for one in asked), default=0)
    if most:
        remarks.append(
            "a policy that has learned from these decisions is judged too kindly by them, and these have learned from "
            f"up to {most:,}: evaluate on what came later"
        )
    return Answer(source, evaluation, tuple(remarks))
