"""Everything that an app may send by the contract goes the whole way, however odd: nothing raises, each is learned."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest

from groundswell import policy
from groundswell.events import LARGEST_WEIGHT, LEAST_PROPENSITY, LEAST_WEIGHT
from streams.observing.learning_metrics import LearningMetrics
from streams.observing.metrics import Metrics
from streams.settings import Settings
from streams.worker.partition_join import JoinWiring, PartitionJoin
from streams.worker.partition_learner import LearningWiring, PartitionLearner
from tests.factories import encode, feedback, impression
from tests.unit.join.memory_segments import Changelog, MemorySegments
from tests.unit.stand_ins import Log, always, batch, record

T0 = 1_000_000
END = T0 + 10_000
PAPERS = {"reward": {"rule": "iclr", "alpha": 0.1}}
MEANING = {"reward": {"rule": "two-state", "extreme": "meaning"}}
SPECTRAL = {"form": "spectral", "user_feature": "user", "users": 3, "signals": 3}
RIVER = {"class": "river.linear_model.LinearRegression"}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "crossed": {"context_crosses": True, "value_measures": {"odd": "user"}, "several_signals": "count"},
    "sharded": {"sharded_by": "user"},
    "papers": {"sharded_by": "user", **PAPERS},
    "spectral": {"inverse_kinematics": SPECTRAL, **MEANING},
    "river": {"bandit": {"estimator": RIVER}, **PAPERS},
}
SETTINGS = Settings.model_validate(
    {
        "join": {"wait": 0.1, "activation": 0.1, "grace": 0.02, "backward": 0.03, "remember": 0.1},
        "models": {name: {"definitely_negative": ["dislike"], "hash_bits": 8, **kind} for name, kind in KINDS.items()},
        "segments": {name: {"feature": "country"} for name in KINDS},
        "learning": {"publish_interactions": 1},
    }
)

LARGE = (10**400, -(10**4_298), 10**23, -(10**19), 2**64, -(2**63) - 1, 2**53 + 1)
odd_numbers = st.one_of(
    st.sampled_from((*LARGE, 1.7e308, -1.7e308, 5e-324, -0.0, 0, 1e-9, True, False, 3.0, 3)),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)
odd_texts = st.one_of(
    st.sampled_from(("", "\x00", 'a","b":1', "{[,]}", "\\", "\u2028\n\r\t", "\U0001f600", "x" * 5_000, "=", "user=1")),
    st.text(max_size=8),
)
odd_names = odd_texts.filter(lambda text: 1 <= len(text) <= 128)
values = odd_numbers | odd_texts
many = st.just({f"feature{n}": n for n in range(1_024)})
features = st.one_of(
    st.dictionaries(st.sampled_from(("user", "country")) | odd_names, values, max_size=6),
    st.fixed_dictionaries({"user": values, "country": values}),
)


@st.composite
def impressions(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what may stand in an impression."""
    ids = draw(st.lists(odd_names, min_size=1, max_size=4, unique=True))
    actions = [{"id": one, "features": draw(features)} if draw(st.booleans()) else {"id": one} for one in ids]
    model = draw(st.sampled_from(list(KINDS)))
    crossed = model == "crossed"
    chosen = draw(st.integers(0, len(ids) - 1))
    certain = [float(n == chosen) for n in range(len(ids))]
    likely: list[dict[str, Any]] = [{"propensity": LEAST_PROPENSITY}, {"propensity": 1}, {"probabilities": certain}]
    how = draw(st.sampled_from(likely))
    changes: dict[str, Any] = {
        "model": model,
        "context": draw(features if crossed else features | many),
        "actions": actions,
        "chosen": chosen,
        "probabilities": None,
        "weight": draw(st.sampled_from((LEAST_WEIGHT, 1, LARGEST_WEIGHT))),
        "deferred": draw(st.booleans()),
        **how,
    }
    if draw(st.booleans()):
        changes["policy_version"] = draw(st.sampled_from((0, 2**63, 2**64, 10**400)))
    if draw(st.booleans()):
        changes[draw(odd_names.filter(lambda name: not name.isidentifier()))] = draw(values | st.just([[{}]]))
    return changes


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what may stand in feedback."""
    value = draw(st.none() | odd_numbers.filter(lambda one: not isinstance(one, bool) and abs(one) < 10**300))
    return {
        "signal": draw(st.sampled_from(("odd", "shown", "dislike", "a+b", "2*a")) | odd_names),
        "value": value,
    }


def ids(number: int) -> str:
    return f"i{number}"


class WholeWay:
    """Join and learner of one partition, with what they show of themselves."""

    def __init__(self) -> None:
        self.log, self.metrics, self.changelog = Log(), Metrics(), Changelog()
        self.restart()

    def restart(self) -> None:
        table = MemorySegments(self.changelog)
        self.join = PartitionJoin(0, JoinWiring(SETTINGS, table, self.log.outputs, self.metrics))
        self.join.restore()
        learning = LearningMetrics(self.metrics, SETTINGS.segments)
        wiring = LearningWiring(SETTINGS, self.log.outputs, learning, always)
        self.learner = PartitionLearner(0, wiring, self.log.newest("checkpoints"), self.log.newest("policies"))

    def goes(self, shown: list[dict[str, Any]], came: list[dict[str, Any]]) -> None:
        asyncio.run(self._goes(shown, came))

    async def _goes(self, shown: list[dict[str, Any]], came: list[dict[str, Any]]) -> None:
        values = [encode(impression(ids(n), T0 + n, **one)) for n, one in enumerate(shown)]
        end = encode({"schema_version": 1, "watermark": END})
        records = [record("impressions", n, ids(n).encode(), value) for n, value in enumerate(values)]
        await self.join.take_impressions(batch(records))
        self.restart()
        answered = [(ids(n % len(shown)), one) for n, one in enumerate(came)]
        records = [
            record("feedback", n, name.encode(), encode(feedback(name, T0 + 10 + n, **one)))
            for n, (name, one) in enumerate(answered)
        ]
        await self.join.take_feedback(batch([*records, record("feedback", len(came), None, end)]))
        await self.join.take_impressions(batch([record("impressions", len(shown), None, end)]))
        joined = self.log.of("interactions")
        if joined:
            records = [record("interactions", n, one.key, one.value) for n, one in enumerate(joined)]
            self.learner.interactions.contiguous(batch(records))
            await self.learner.take(batch(records))
        await self.learner.write_checkpoint()


@settings(max_examples=60)
@example([{"model": "sharded", "context": {"user": one}} for one in LARGE], [])
@example([{"model": "plain", "policy_version": one} for one in (2**63, 2**64, 10**400)], [])
@example(
    [{"model": name, "context": {"user": 10**400, "country": -(10**4_298)}} for name in KINDS], [{"value": 1.7e308}]
)
@given(st.lists(impressions(), min_size=1, max_size=6), st.lists(answers(), max_size=12))
def test_no_event_that_an_app_may_send_raises_anywhere_on_the_way_and_each_is_learned_once(
    shown: list[dict[str, Any]], came: list[dict[str, Any]]
) -> None:
    way = WholeWay()
    way.goes(shown, came)
    assert [one.headers for one in way.log.of("dead-letter")] == []
    learned = sum(learner.interactions_included for learner in way.learner._learners.values())
    not_shown = way.metrics.join.labels("not_shown")._value.get()
    assert learned + not_shown == len(shown)
    for one in way.log.of("policies"):
        policy.decode(one.value or b"")
    generate_latest(way.metrics.registry)
    way.restart()
    assert sum(learner.interactions_included for learner in way.learner._learners.values()) == learned
