"""What a worker's metrics say in hours of healthy traffic, made in seconds: the pure learner, with the time passed in.

For finding false alarms: the samples are written as OpenMetrics with their moments, for Prometheus to take in
afterwards (`promtool tsdb create-blocks-from openmetrics`).
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from dataclasses import dataclass
from pathlib import Path

from experiments.people.app_sessions import offered_actions
from experiments.people.three_state import ThreeStateUsers
from groundswell.events import Features, Impression, Interaction, Source
from groundswell.policy import Policy, encode
from processors.learners.learner_choice import learner_for
from processors.models.config import ModelConfig
from streams.observing.learning_metrics import LearningMetrics
from streams.observing.metrics import Metrics
from streams.settings import SegmentSettings

MODEL = "quiet"
PUBLISH = 500
WAIT = 630.0
SCRAPE = 15


@dataclass(frozen=True)
class QuietTraffic:
    """People of the papers' simulator who come `rate` times a second by two platforms, for `hours` from `begin` on.

    They are shown what the newest policy says, and what they do is learned `WAIT` seconds later. `begin` is in
    seconds since 1970.
    """

    begin: int
    hours: float
    rate: float
    p_dislike: float
    seed: int

    @property
    def end(self) -> int:
        """When it ends (seconds since 1970)."""
        return self.begin + round(self.hours * 3600)

    def write(self, path: Path) -> None:
        """Write the metrics of the model every `SCRAPE` seconds, as OpenMetrics."""
        metrics, learner = Metrics(), learner_for(ModelConfig(name=MODEL, definitely_negative=frozenset({"dislike"})))
        learning = LearningMetrics(metrics, {MODEL: SegmentSettings(feature="platform")})
        learning.follow(0, MODEL, learner.statistics)
        apps, pending = _Apps(self.p_dislike, self.seed), deque[Interaction]()
        scraped: defaultdict[tuple[str, str], list[tuple[str, int, float]]] = defaultdict(list)
        for now in range(self.begin, self.end, SCRAPE):
            pending.extend(apps.show() for _ in range(round(SCRAPE * self.rate)))
            while len(pending) > WAIT * self.rate:
                until_due = PUBLISH - learner.interactions_included % PUBLISH
                stretch = [pending.popleft() for _ in range(min(until_due, len(pending), 50))]
                learning.learned(0, MODEL, stretch, learner.learn(stretch), learner.statistics)
                if learner.interactions_included % PUBLISH == 0:
                    snapshot = learner.snapshot(None)
                    learning.published(snapshot, now, len(encode(snapshot)))
                    apps.policy = Policy(snapshot)
            _scrape(metrics, now, scraped)
        with path.open("w") as file:
            for (name, kind), samples in scraped.items():
                file.write(f"# TYPE {name} {kind}\n")
                file.writelines(f"{series} {value} {at}\n" for series, at, value in sorted(samples))
            file.write("# EOF\n")


class _Apps:
    """Apps that show people actions by a policy."""

    def __init__(self, p_dislike: float, seed: int) -> None:
        self.policy = Policy.uniform()
        self._people = ThreeStateUsers(users=5, actions=11, p_dislike=p_dislike, seed=seed)
        self._actions = offered_actions(11)
        self._random = random.Random(seed)
        self._number = 0
        self._known: dict[tuple[int, int], list[float]] = {}

    def show(self) -> Interaction:
        """Show somebody something; return what comes of it."""
        user, number = self._people.arrive(), self._number
        context: Features = {"user": f"user-{user}", "platform": f"platform-{user * 2 // 5}"}
        place = (self.policy.version, user)
        if place not in self._known:
            self._known[place] = self.policy.probabilities(context, self._actions)
        [chosen] = self._random.choices(range(11), weights=self._known[place])
        self._number += 1
        impression = Impression(
            schema_version=1, impression_id=str(number), occurred_at=number, model=MODEL, context=context,
            actions=self._actions, chosen=chosen, probabilities=self._known[place], policy_version=self.policy.version,
        )  # fmt: skip
        signals = [self._people.signal(user, chosen)]
        return Interaction(
            schema_version=1, source=Source(0, number, number), impression=impression, feedback=[], signals=signals
        )


def _scrape(metrics: Metrics, now: int, scraped: dict[tuple[str, str], list[tuple[str, int, float]]]) -> None:
    for family in metrics.registry.collect():
        for sample in family.samples:
            if sample.labels.get("model") == MODEL and not sample.name.endswith("_created"):
                labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
                scraped[family.name, family.type].append((f"{sample.name}{{{labels}}}", now, sample.value))
