"""How long rewards and policies take: counted when they are acknowledged, each interaction once."""

from __future__ import annotations

from msgspec.structs import replace
from prometheus_client import Histogram

from groundswell.events import Interaction
from processors.join.config import JoinConfig
from processors.learners.learner_choice import learner_for
from processors.learners.reward_columns import RewardColumns
from streams.observing.learning_delays import Delays
from streams.observing.metrics import Metrics
from tests.unit.rounds import ACTIONS, interaction
from tests.unit.stand_ins import worker_settings

WINDOW = JoinConfig(wait=20, grace=1)
BEGIN = 1_767_225_600.0


def shown(seconds: float, *, deferred: bool = False) -> Interaction:
    """Return an interaction whose impression occurred so long after `BEGIN`."""
    one = interaction(0)
    occurred_at = round(1000 * (BEGIN + seconds))
    return replace(one, impression=replace(one.impression, occurred_at=occurred_at, deferred=deferred))


def rewarded(interactions: list[Interaction]) -> RewardColumns:
    return learner_for(worker_settings().models["feed"]).learn(interactions)


NO_CHOICE = interaction(0, actions=ACTIONS[:1])
"""An interaction that gets no reward."""


def observed(histogram: Histogram) -> tuple[float, float]:
    """Return how many values there were, and their sum."""
    found = {sample.name.rpartition("_")[2]: sample.value for one in histogram.collect() for sample in one.samples}
    return found["count"], round(found["sum"], 6)


def test_a_reward_is_late_by_what_passes_after_the_wait_and_the_grace() -> None:
    metrics = Metrics()
    delays = Delays(metrics, WINDOW)
    interactions = [shown(0), shown(0.5), shown(0, deferred=True)]
    delays.learned("feed", rewarded(interactions), BEGIN + 21.6)
    assert observed(metrics.reward_delay) == (0, 0)
    delays.acknowledged(BEGIN + 22)
    assert observed(metrics.reward_delay) == (2, 1.5)
    delays.acknowledged(BEGIN + 23)
    assert observed(metrics.reward_delay) == (2, 1.5)


def test_what_gets_no_reward_has_no_delay() -> None:
    metrics = Metrics()
    delays = Delays(metrics, WINDOW)
    delays.learned("feed", rewarded([NO_CHOICE]), BEGIN + 21)
    delays.acknowledged(BEGIN + 22)
    assert observed(metrics.reward_delay) == (0, 0)


def test_an_interaction_waits_for_the_first_policy_that_includes_it() -> None:
    metrics = Metrics()
    delays = Delays(metrics, WINDOW)
    delays.learned("feed", rewarded([NO_CHOICE] * 2), BEGIN)
    delays.acknowledged(BEGIN + 1)
    delays.learned("feed", rewarded([NO_CHOICE]), BEGIN + 2)
    delays.learned("other", rewarded([NO_CHOICE]), BEGIN)
    delays.published("feed", here=True)
    delays.learned("feed", rewarded([NO_CHOICE]), BEGIN + 2)
    delays.acknowledged(BEGIN + 3)
    assert observed(metrics.publication_delay) == (3, 3 + 3 + 1)
    delays.published("feed", here=True)
    delays.acknowledged(BEGIN + 5)
    assert observed(metrics.publication_delay) == (4, 3 + 3 + 1 + 3)


def test_a_shard_whose_policy_is_published_elsewhere_tells_nothing_of_it() -> None:
    metrics = Metrics()
    delays = Delays(metrics, WINDOW)
    delays.learned("feed", rewarded([NO_CHOICE]), BEGIN)
    delays.published("feed", here=False)
    delays.acknowledged(BEGIN + 3)
    assert observed(metrics.publication_delay) == (0, 0)
