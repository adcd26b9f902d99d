"""A policy that grows by leaps is told of, with the impression that took most of the room."""

from __future__ import annotations

import msgspec
import pytest

from groundswell.events import Action, Interaction
from processors.admission.interaction_records import InteractionReader, Stretch
from streams.observing.conditions import Conditions
from streams.observing.learning_metrics import LearningMetrics
from streams.observing.metrics import Metrics
from streams.observing.policy_growth import LEAST_BYTES, STANDS_SECONDS, PolicyGrowth
from tests.unit.rounds import uniform_log
from tests.unit.stand_ins import cut, worker_settings
from tests.unit.worker.test_partition_learner import Learned, written

LOG = uniform_log(40)


def wide(number: int, features: int = 900, actions: int = 60) -> Interaction:
    """Return one of the log with so many features and actions."""
    one = LOG[number]
    shown = msgspec.structs.replace(
        one.impression,
        context={f"f{n}": n + 1 for n in range(features)},
        actions=[Action(f"a{n}") for n in range(actions)],
        probabilities=None,
        propensity=0.5,
    )
    return msgspec.structs.replace(one, impression=shown)


def stretch(*interactions: Interaction) -> Stretch:
    reader = InteractionReader(worker_settings().models)
    return Stretch(reader.read([msgspec.json.encode(one) for one in interactions]), range(len(interactions)))


class Told:
    """What is said of the growth of policies."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.conditions = Conditions(self.metrics)
        self.growth = PolicyGrowth(self.metrics, self.conditions)

    def standing(self) -> list[str]:
        return [one.says for one in self.conditions.standing()]


def test_a_policy_that_one_impression_made_large_is_told_of_with_that_impression() -> None:
    told = Told()
    told.growth.learned("feed", stretch(*LOG[:10]))
    told.growth.published("feed", 24_000, 0.0)
    told.growth.learned("feed", stretch(*LOG[10:12], wide(12), LOG[13]))
    told.growth.learned("feed", stretch(*LOG[14:20]))
    told.growth.published("feed", 3_000_000, 10.0)
    (says,) = told.standing()
    name, source = LOG[12].impression.impression_id, LOG[12].source
    assert says == (
        "its policy has grown from 24,000 to 3,000,000 bytes; the widest of the impressions behind that, "
        f"{name!r} at partition {source.partition}, offset {source.offset}, has 900 features and 60 actions: "
        "54,060 crosses"
    )
    assert told.metrics.policy_bytes.labels("feed")._value.get() == 3_000_000


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (24_000, LEAST_BYTES - 1, False),
        (24_000, LEAST_BYTES, True),
        (1_000_000, 2_999_999, False),
        (1_000_000, 3_000_000, True),
        (3_000_000, 24_000, False),
    ],
)
def test_only_leaps_beyond_those_of_a_young_model_are_told_of(before: int, after: int, *, said: bool) -> None:
    told = Told()
    for size in (before, after):
        told.growth.learned("feed", stretch(LOG[0]))
        told.growth.published("feed", size, 0.0)
    assert bool(told.standing()) == said


def test_it_is_told_for_an_hour_and_no_longer_where_another_worker_publishes() -> None:
    told = Told()
    for model in ("feed", "ads"):
        for size, now in ((24_000, 0.0), (3_000_000, 10.0), (3_000_000, 20.0)):
            told.growth.learned(model, stretch(LOG[0]))
            told.growth.published(model, size, now)
    assert len(told.standing()) == 2
    told.growth.leave("ads")
    assert len(told.standing()) == 1
    told.growth.published("feed", 3_000_000, 10.0 + STANDS_SECONDS)
    assert told.standing() == []


def test_a_worker_tells_it_of_what_it_learns() -> None:
    learned = Learned()
    said = Conditions(learned.metrics)
    learning = LearningMetrics(learned.metrics, conditions=said)
    learned.learner._metrics = learning
    learned.learner._add("feed", learned.learner._learner("feed"))
    records = [written(one, offset) for offset, one in enumerate([*LOG[:30], wide(30, 1_000, 1_000), *LOG[31:]])]
    learned.reads(cut(records, [20]))
    assert learned.metrics.policy_bytes.labels("feed")._value.get() == len(learned.policies()[-1])
    assert learning._growth._widest["feed"].features == 1_000
