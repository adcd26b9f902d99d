"""Shards of one model: what each adds is counted once, and together they are one learner."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from experiments.papers import feeds, measures
from experiments.people.sharded_play import Spread, sharded_play
from groundswell.chunks import split
from groundswell.events import Interaction
from groundswell.policy import encode
from groundswell.signatures import Kind
from processors.join.entries import Pending, ShownImpression
from processors.join.written_interactions import shard_key
from processors.learners import three_state
from processors.learners.learner_choice import learner_for, restored_learner
from processors.learners.ledger import Ledger
from processors.learners.shard_learner import ShardLearner, ThreeStateShard
from processors.learners.shard_mixing import Contribution, Rows
from processors.learners.three_state_learner import ThreeStateLearner
from processors.models.config import ModelConfig
from processors.wire.plain_state import StateError
from state import learner_checkpoints
from state.learner_checkpoints import CHECKPOINT_KEY
from streams.kafka.signing import Belief, Signing
from streams.observing.learning_metrics import LearningMetrics
from streams.observing.metrics import Metrics, samples
from streams.settings import Settings
from streams.worker.model_worth import ModelWorth
from streams.worker.shard_exchange import ShardExchange
from streams.worker.worker_app import Groundswell
from tests.unit.rounds import ACTIONS, interaction, uniform_log

MODEL = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), hash_bits=12, sharded_by="user")
WHOLE = MODEL.model_copy(update={"sharded_by": None})
IGL = ModelConfig.model_validate(
    {**MODEL.model_dump(exclude={"reward"}), "reward": {"rule": "iclr", "alpha": 0.2}, "sharded_by": "user"}
)
LOG = uniform_log(900)
MANY = uniform_log(6_000, seed=4)


def user(one: Interaction) -> int:
    return int(str(one.impression.context["user"])[1:])


def shard_of(model: ModelConfig = MODEL) -> ShardLearner:
    learner = learner_for(model)
    assert isinstance(learner, ShardLearner)
    return learner


def learned(log: list[Interaction], model: ModelConfig = MODEL) -> ShardLearner:
    learner = shard_of(model)
    learner.learn(log)
    return learner


def together(contributions: list[Contribution], model: ModelConfig = MODEL) -> ShardLearner:
    """Return a shard without interactions of its own that knows these."""
    whole = shard_of(model)
    whole.take_in(contributions)
    return whole


def states_agree(left: ShardLearner, right: ShardLearner) -> bool:
    return all(
        np.allclose(table, right._tables[name], rtol=1e-9, atol=1e-12) for name, table in left._tables.items()
    ) and np.allclose(left._totals, right._totals)


def test_shards_by_user_know_together_what_one_learner_knows() -> None:
    one = learned(MANY)
    whole = together([learned([each for each in MANY if user(each) == who]).contribution() for who in range(3)])
    for who in range(3):
        context = {"user": f"u{who}"}
        assert whole.scores(context, ACTIONS).argmax() == one.scores(context, ACTIONS).argmax()
        assert whole.probabilities(context, ACTIONS) == pytest.approx(one.probabilities(context, ACTIONS))
    assert whole.version == one.version == len(MANY)


def test_the_mix_of_two_means_is_the_mean_of_both_weighted_by_how_often_each_was_seen() -> None:
    """Both shards meet the same person and action, with different feedback: neither knows more than its part."""
    liked = [interaction(i, signals=["click"]) for i in range(30)]
    other = [interaction(100 + i, chosen=1) for i in range(200)]
    left, right = learned(other + liked), learned(other[:100])
    whole = together([left.contribution(), right.contribution()])
    scores = [one.scores({"user": "ann"}, ACTIONS)[1] for one in (left, right, whole)]
    assert min(scores[:2]) - 1e-12 <= scores[2] <= max(scores[:2]) + 1e-12


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=12), st.integers(0, 2**32))
def test_however_often_and_in_whatever_order_shards_mix_nothing_counts_twice(order: list[int], seed: int) -> None:
    """Counts of plays are the same as one learner's, to the last one, after any exchange of contributions."""
    spread = np.random.default_rng(seed).integers(0, 3, len(LOG))
    parts = [[one for one, shard in zip(LOG, spread, strict=True) if shard == number] for number in range(3)]
    shards = [shard_of() for _ in parts]
    known = [shard.contribution() for shard in shards]
    done = [0, 0, 0]
    for number in order:
        shard = shards[number]
        shard.learn(parts[number][done[number] : done[number] + 40])
        done[number] = min(done[number] + 40, len(parts[number]))
        shard.take_in([one for other, one in enumerate(known) if other != number])
        shard.take_in([one for other, one in enumerate(known) if other != number])
        known[number] = shard.contribution()
    for number, shard in enumerate(shards):
        shard.learn(parts[number][done[number] :])
        known[number] = shard.contribution()
    one, whole = learned(LOG), together(known)
    assert whole.version == len(LOG)
    assert np.allclose(whole._tables["bandit"][:, three_state.SEEN], one._tables["bandit"][:, three_state.SEEN])
    assert np.allclose(whole._tables["signals"][:, three_state.WEIGHT], one._tables["signals"][:, three_state.WEIGHT])
    assert np.allclose(whole._totals[three_state.PLAYS], one._totals[three_state.PLAYS])
    assert whole.exploration.parameter == pytest.approx(one.exploration.parameter)


def test_what_a_signal_means_is_surer_the_more_shards_say_so_and_undecided_where_they_disagree() -> None:
    """As independent z-scores of the same size: twice the same is 1.4 times as sure."""
    rule = ThreeStateShard.mixtures["signals"]
    columns = [*range(three_state.MEANING, three_state.MEANING + 3), *range(three_state.SLOPES, three_state.SLOPES + 3)]

    def row(*odds: float) -> Rows:
        return Rows(np.array([5]), np.array([[*odds, 4.0, 4.0, 4.0, 10.0]]))

    def mixed(*contributed: Rows) -> list[float]:
        table, before = np.zeros((8, three_state.SIGNAL_COLUMNS)), rule.nothing(8)
        table[5, columns] = -1.0, 0.0, 1.0, 4.0, 4.0, 4.0
        own = rule.own(table, before)
        others = rule.mixed(table, own, before, contributed)
        assert np.allclose(rule.own(table, others).values, own.values), "its own stays what it was"
        return [float(one) for one in table[5, columns[:3]]]

    assert mixed() == [-1.0, 0.0, 1.0]
    assert mixed(row(-1.0, 0.0, 1.0)) == pytest.approx([-(2**0.5), 0.0, 2**0.5])
    assert mixed(row(1.0, 0.0, -1.0)) == pytest.approx([0.0, 0.0, 0.0])


def test_a_row_that_counts_anew_is_the_shards_own() -> None:
    """What others had counted before the world changed comes back only from them."""
    shard = learned(LOG[:300])
    shard.take_in([learned(LOG[300:]).contribution()])
    bandit = shard._tables["bandit"]
    row = int(bandit[:, three_state.SEEN].argmax())
    bandit[row, three_state.SEEN] = 1.0
    (place,) = np.flatnonzero((mine := shard.contribution().tables["bandit"]).numbers == row)
    assert mine.values[place, 3] == 1.0
    assert mine.values[place, 0] == bandit[row, three_state.SCORE]


def test_shards_by_a_papers_rule_add_up_as_before() -> None:
    one = learned(LOG, IGL)
    parts = [learned([each for each in LOG if user(each) == who], IGL).contribution() for who in range(3)]
    whole = together(parts, IGL)
    assert whole.version == one.version == len(LOG)
    for who in range(3):
        context = {"user": f"u{who}"}
        assert whole.scores(context, ACTIONS).argmax() == one.scores(context, ACTIONS).argmax()


def test_what_was_taken_in_before_makes_way_for_what_is_taken_in_now() -> None:
    first, more = learned(LOG[:300]).contribution(), learned(LOG[:600]).contribution()
    shard, other = learned(LOG[600:]), learned(LOG[600:])
    shard.take_in([first])
    shard.take_in([more])
    other.take_in([more])
    assert states_agree(shard, other)
    assert shard.version == 900


def test_a_restored_shard_continues_to_the_bit_and_contributes_the_same() -> None:
    shard = learned(LOG[:300])
    shard.take_in([learned(LOG[300:600]).contribution()])
    shard.learn(LOG[600:700])
    restored = restored_learner(MODEL, msgspec.msgpack.decode(msgspec.msgpack.encode(shard.state())))
    assert isinstance(restored, ShardLearner)
    assert encode(restored.snapshot(None)) == encode(shard.snapshot(None))
    assert restored.learn(LOG[700:]) == shard.learn(LOG[700:])
    mine, its = shard.contribution(), restored.contribution()
    assert all(np.array_equal(mine.tables[name].values, its.tables[name].values) for name in mine.tables)
    assert encode(restored.snapshot(None)) == encode(shard.snapshot(None))


def test_a_shard_that_is_alone_learns_as_any_learner_does() -> None:
    plain, shard = ThreeStateLearner(MODEL), shard_of()
    assert plain.learn(LOG) == shard.learn(LOG)
    shard.take_in([])
    assert encode(plain.snapshot(None)) == encode(shard.snapshot(None))


def test_a_model_of_one_partition_does_not_go_on_as_a_shard() -> None:
    whole = learner_for(WHOLE)
    with pytest.raises(StateError, match="another configuration"):
        restored_learner(MODEL, whole.state())


def test_stock_estimators_cannot_be_sharded() -> None:
    estimator = {"class": "river.linear_model.LogisticRegression"}
    with pytest.raises(ValidationError, match="sharded_by needs a compiled"):
        ModelConfig.model_validate({**MODEL.model_dump(), "inverse_kinematics": {"estimator": estimator}})


def test_tables_too_large_to_be_exchanged_are_refused() -> None:
    with pytest.raises(ValidationError, match="hash_bits 22 with sharded_by"):
        ModelConfig.model_validate({**MODEL.model_dump(), "hash_bits": 22})


@pytest.mark.parametrize(
    ("left", "right"), [("3", "3.0"), ("1", "1.0"), ('"u1"', '"u1"')], ids=["numbers", "ones", "names"]
)
def test_what_is_one_feature_lies_on_one_shard(left: str, right: str) -> None:
    keys = {
        shard_key(Pending(ShownImpression("i", 0, "feed", 0, value), 0, ()), "user")
        for value in (b'{"impression_id":"i","context":{"user":%b}}' % one.encode() for one in (left, right))
    }
    assert len(keys) == 1


def test_without_the_feature_an_impression_goes_by_its_own_id() -> None:
    value = b'{"impression_id":"i-17","context":{"hour":7}}'
    assert shard_key(Pending(ShownImpression("i-17", 0, "feed", 0, value), 0, ()), "user") == b"i-17"


@pytest.mark.parametrize("spread", [lambda t, user: user % 4, lambda t, user: t % 4], ids=["by user", "by impression"])
def test_four_shards_learn_what_people_enjoy(spread: Spread) -> None:
    people = feeds.three_state(7, p_dislike=0.2)
    model = MODEL.model_copy(update={"hash_bits": 14})
    values = sharded_play(people, model, 6_000, 8, shards=4, spread=spread, published_every=100)
    found = measures.t90(values)
    assert found is not None
    assert found < 2_500


@pytest.mark.parametrize("damaged", [b"groundswell-checkpoint", b"junk"])
def test_a_checkpoint_that_cannot_be_read_leaves_what_its_partition_contributed_before(damaged: bytes) -> None:
    settings = Settings.model_validate({"models": {"feed": MODEL.model_dump(exclude={"name"})}})
    metrics = Metrics()
    app = SimpleNamespace(settings=settings, learning=LearningMetrics(metrics, {}), belief=believing)
    exchange = ShardExchange(cast(Groundswell, app))
    worth = ModelWorth(MODEL, None, None).state()
    exchange._newest[0].update(split(CHECKPOINT_KEY, whole(learned(LOG).state(), worth), 0)[0])
    exchange._newest[1].update(split(CHECKPOINT_KEY, damaged, 0)[0])
    assert [(partition, set(models)) for partition, models in exchange._read([0, 1]).items()] == [(0, {"feed"})]
    assert [(partition, set(models)) for partition, models in exchange._worths.items()] == [(0, {"feed"})]
    assert sum(value for _, value in samples(metrics.disbelieved)) == 1


def believing(kind: Kind, topic: str, partition: int) -> Belief:
    return Signing().belief(kind, partition)


def whole(state: Mapping[str, Any], worth: Mapping[str, Any]) -> bytes:
    return learner_checkpoints.encode(
        learner_checkpoints.Checkpoint(9, Ledger().state(), {"feed": {**state}}, {}, {"feed": {**worth}})
    )


def test_of_a_checkpoint_with_wrong_contents_only_what_is_right_is_mixed_in() -> None:
    settings = Settings.model_validate({"models": {"feed": MODEL.model_dump(exclude={"name"})}})
    metrics = Metrics()
    app = SimpleNamespace(settings=settings, learning=LearningMetrics(metrics, {}), belief=believing)
    exchange = ShardExchange(cast(Groundswell, app))
    state, worth = learned(LOG).state(), ModelWorth(MODEL, None, None).state()
    contents = [(state, {**worth, "signals": [["like", 49]]}), ({**state, "seen": b""}, worth)]
    for partition, content in enumerate(contents):
        exchange._newest[partition].update(split(CHECKPOINT_KEY, whole(*content), 0)[0])
    found = exchange._read([0, 1])
    assert {partition: set(models) for partition, models in found.items()} == {0: {"feed"}, 1: set()}
    assert {partition: set(models) for partition, models in exchange._worths.items()} == {0: set(), 1: {"feed"}}
    assert sum(value for _, value in samples(metrics.disbelieved)) == 2
