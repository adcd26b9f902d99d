"""Follows a running demo: topics, the simulator's truth and the worker's metrics, for a view and an audit."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec
import numpy as np
from kafka.consumer.fetcher import ConsumerRecord
from numpy.typing import NDArray

from experiments.demo.audit import UNKNOWN, Audit
from experiments.demo.cluster import Cluster
from experiments.demo.screen import View
from experiments.people.true_value import true_worth
from experiments.people.truth_log import Finished, PolicyTruth, Progress, Truth, TruthReader, World
from experiments.servers.topic_reader import TopicReader
from experiments.servers.worker_metrics import join_outcomes, leaking_signals
from groundswell.events import Feedback, Impression, Interaction, Reward
from groundswell.newest_snapshot import NewestSnapshot
from groundswell.policy import Policy, PolicySnapshot
from groundswell.worth import WorthTable
from streams.words import counted

SCRAPE_SECONDS = 1.0
Take = Callable[[ConsumerRecord], None]
Body = TypeVar("Body")


class DemoWatch:
    """What is known of a run so far.

    With an audit, every record of every topic is entered there; without one (a run without end) only what the
    view shows is kept.
    """

    def __init__(self, cluster: Cluster, model: str, truth: Path, view: View, audit: Audit | None) -> None:
        topics = cluster.settings.topics
        self.view = view
        self.states: NDArray[np.int8] = np.zeros((0, 0), dtype=np.int8)
        self.published: list[PolicyTruth] = []
        self.finished: Finished | None = None
        self.records = 0
        """How many have been read of all topics."""
        self.worth: WorthTable | None = None
        """What the signals were worth when the worker last wrote it down."""
        self.found_after: dict[str, int] = {}
        """How many interactions were learned when a signal was first seen to tell the action."""
        self._model = model
        self._audit = audit
        self._cluster = cluster
        self._newest = NewestSnapshot(model)
        self._truth = TruthReader(truth)
        self._next_scrape = 0.0
        self._take: dict[str, Take] = {topics.policies: self._policy}
        if audit is None:
            self._take[topics.rewards] = _decoded(Reward, self._show)
        else:
            self._take |= {
                topics.impressions: _decoded(Impression, audit.add_impression),
                topics.feedback: _decoded(Feedback, audit.add_feedback),
                topics.interactions: _decoded(Interaction, audit.add_interaction),
                topics.rewards: _decoded(Reward, self._show, audit.add_reward),
                topics.late_feedback: _decoded(Feedback, audit.add_late),
                topics.signal_worth: _decoded(WorthTable, self._worth),
                topics.dead_letter: lambda record: audit.add_dead_letter(dict(record.headers)["reason"].decode()),
            }
        self._topics = TopicReader(cluster.bootstrap_servers, *self._take, from_beginning=audit is not None)

    @property
    def snapshot(self) -> PolicySnapshot | None:
        """The newest policy that was published."""
        return self._newest.snapshot

    def update(self) -> None:
        """Take in what is new."""
        for truth in self._truth.new():
            self._learn_truth(truth)
        for record in self._topics.new():
            self.records += 1
            if record.key is not None or record.topic == self._cluster.settings.topics.dead_letter:
                self._take[record.topic](record)  # what has no key is the marker of the input's end
        if self._audit is not None:
            self.view.joined, self.view.learned = self._audit.joined, self._audit.learned
        if time.monotonic() >= self._next_scrape:
            self._next_scrape = time.monotonic() + SCRAPE_SECONDS
            page = self._cluster.metrics()
            if page is not None:
                self.view.join_outcomes = join_outcomes(page)
                self.view.leaking = leaking_signals(page, self._model)
                for signal in self.view.leaking:
                    self.found_after.setdefault(signal, self.view.learned)

    def missing(self) -> list[str]:
        """Return what has not arrived yet of a run that has an end, in words; empty when all is there."""
        assert self._audit is not None, "only an audited run has an end"
        if self.finished is None:
            return [f"the apps have not finished: {counted(self.view.produced, 'impression')} so far"]
        unlearned = self.finished.produced.impressions - self._audit.learned
        if unlearned > 0:  # spare the full count, which takes a while
            return [f"{counted(unlearned, 'impression is', 'impressions are')} not learned"]
        counts = self._audit.counts()
        sent = self.finished.produced
        version = 0 if self.snapshot is None else self.snapshot.version
        judged = 0 if self.worth is None else self.worth.interactions
        wanted = [
            (sent.impressions - counts["impressions_produced"], "impressions are not on their topic"),
            (sent.feedback - counts["feedback_produced"], "pieces of feedback are not on their topic"),
            (counts["impressions_produced"] - counts["interactions_joined"], "impressions are not joined"),
            (counts["lost"], "impressions are not learned"),
            (counts["feedback_lost"], "pieces of feedback are neither joined nor set aside as late"),
            (counts["interactions_learned"] - version, "interactions are in no published policy"),
            (counts["interactions_learned"] - judged, "interactions are not in what signals are worth"),
        ]
        return [f"{number:,} {what}" for number, what in wanted if number > 0]

    def _show(self, reward: Reward) -> None:
        self.view.recent.append(UNKNOWN if reward.state is None else reward.state)
        if self._audit is None:
            self.view.learned += 1

    def _worth(self, table: WorthTable) -> None:
        if table.model == self._model:
            self.worth = table

    def _policy(self, record: ConsumerRecord) -> None:
        if not self._newest.offer(record.key, record.value):
            return
        self.view.policies_published += 1
        if self._audit is not None and self.snapshot is not None:
            self.published.append(true_worth(Policy(self.snapshot), self.states, self.view.produced))

    def _learn_truth(self, truth: Truth) -> None:
        match truth:
            case World(states):
                self.states = np.array(states, dtype=np.int8)
            case PolicyTruth():
                self.view.policy_version = truth.version
                self.view.greedy_value, self.view.policy_value = truth.greedy_value, truth.policy_value
                self.view.values.append(truth.greedy_value)
            case Progress(produced):
                self.view.produced = produced.impressions
            case Finished(produced):
                self.view.produced = produced.impressions
                self.finished = truth

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._topics.__exit__(kind, error, traceback)


def _decoded(body: type[Body], *take: Callable[[Body], None]) -> Take:
    decoder = msgspec.json.Decoder(body)

    def take_record(record: ConsumerRecord) -> None:
        decoded = decoder.decode(record.value)
        for one in take:
            one(decoded)

    return take_record
