"""What of the feedback is learned from: values in buckets, and no signal that tells the action."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from groundswell.events import Action, Interaction, Reward
from groundswell.policy import encode
from processors.admission.interaction_records import InteractionReader, Stretch
from processors.learners.learner import Learner
from processors.learners.learner_choice import learner_for, restored_learner
from processors.learners.shard_learner import ShardLearner
from processors.learners.value_quantiles import BUCKETS, bucket_names
from processors.models.config import ModelConfig
from processors.models.signal_reduction import MAX_SIGNAL_LENGTH
from tests.unit.rounds import ACTIONS, interaction

GIVEN: dict[str, Any] = {"name": "feed", "definitely_negative": ["dislike"], "hash_bits": 12}
MODEL = ModelConfig.model_validate(GIVEN)
Values = Sequence[tuple[str, float | None]]
USERS = 4


def configured(**more: object) -> ModelConfig:
    return ModelConfig.model_validate({**GIVEN, **more})


def bytes_of(learner: Learner) -> tuple[bytes, bytes]:
    return encode(learner.snapshot(None)), msgspec.msgpack.encode(learner.state())


def learned(log: Sequence[Interaction], model: ModelConfig = MODEL) -> tuple[Learner, list[Reward]]:
    learner = learner_for(model)
    rewards = learner.learn(log)
    return learner, [reward for reward in rewards if reward is not None]


def signal_of(values: Values, model: ModelConfig = MODEL) -> str:
    _, [reward] = learned([interaction(0, values=values)], model)
    return reward.signal


Told = Callable[[random.Random, int, int], Values]


def feed(count: int, told: Told, *, seed: int = 0, actions: Sequence[Action] = ACTIONS) -> list[Interaction]:
    """Return random play of people who each enjoy one action, hate the next one, and say so honestly.

    `told` says what comes before that, by the action shown and the person.
    """
    rng = random.Random(seed)
    log = []
    for number in range(count):
        user, chosen = rng.randrange(USERS), rng.randrange(len(actions))
        honest: Values = ()
        if chosen == user:
            honest = [("click", None)] if rng.random() < 0.6 else []
        elif chosen == (user + 1) % len(actions):
            honest = [("dislike" if rng.random() < 0.3 else "skip", None)]
        log.append(
            interaction(
                number,
                context={"user": f"u{user}"},
                actions=actions,
                chosen=chosen,
                values=[*told(rng, user, chosen), *honest],
            )
        )
    return log


def autoplay(rng: random.Random, user: int, chosen: int) -> Values:
    return [("play", None)] if chosen < 2 and rng.random() < 0.7 else []


def always(rng: random.Random, user: int, chosen: int) -> Values:
    """Come with most plays, and with all of some actions."""
    return [("impression", None)] if rng.random() < (1.0, 0.9, 0.6, 0.6, 0.5)[chosen] else []


def position(rng: random.Random, user: int, chosen: int) -> Values:
    return [("first", None)] if chosen == 3 and rng.random() < 0.8 else []


def length(rng: random.Random, user: int, chosen: int) -> Values:
    """Always come: what tells the action is the value alone."""
    return [("length", 100.0 * (1 + chosen) * rng.lognormvariate(0, 0.1))]


def dwell(rng: random.Random, user: int, chosen: int) -> Values:
    """Depend on the person: honest, however much the action decides."""
    seconds = (30.0 if chosen == user else 5.0) * (1 + chosen)
    return [("dwell", seconds * rng.lognormvariate(0, 0.4))]


def nothing(rng: random.Random, user: int, chosen: int) -> Values:
    return ()


# -- values ---------------------------------------------------------------------------------------------------


def test_a_value_becomes_a_signal_of_its_own_by_the_quantiles_it_lies_between() -> None:
    rng = random.Random(0)
    log = [interaction(number, values=[("dwell", rng.lognormvariate(3, 1))]) for number in range(4_000)]
    _, rewards = learned(log)
    late = rewards[2_000:]
    shares = {name: sum(one.signal == name for one in late) / len(late) for name in bucket_names("dwell")}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["dwell 35-65%"] == pytest.approx(0.3, abs=0.05)
    assert shares["dwell 98-100%"] == pytest.approx(0.02, abs=0.02)
    by_value = sorted(
        (one.feedback[0].value or 0.0, bucket_names("dwell").index(reward.signal))
        for one, reward in zip(log[2_000:], late, strict=True)
    )
    assert by_value[0][1] == 0
    assert by_value[-1][1] == BUCKETS - 1


@pytest.mark.parametrize(
    ("values", "model", "signal", "why"),
    [
        ([("share", None)], MODEL, "share", "no value: as it is"),
        ([("dislike", 3.0)], MODEL, "dislike", "it is known what a definite signal means"),
        ([("seen", 3.0)], configured(indifferent=["none", "seen"]), "seen", "and an indifferent one"),
        ([("dwell", 3.0), ("click", None)], MODEL, "click", "the last one counts, with a value or without"),
        ([("click", None), ("dwell", 3.0)], MODEL, "dwell 98-100%", "the first value of all is in the last bucket"),
        ([("dwell", 3.0), ("dislike", None)], MODEL, "dislike", "a definite one stands for all"),
        (
            [("dwell", 3.0), ("click", None)],
            configured(several_signals="set"),
            "click+dwell 98-100%",
            "a set has the bucket in it",
        ),
        ([("dwell", 3.0)], configured(ignored_signals=["dwell"]), "none", "nothing else came"),
        ([("dwell", 3.0), ("click", None)], configured(ignored_signals=["click"]), "dwell 98-100%", "as if none came"),
        ([("dwell", 3.0)], configured(reward={"rule": "iclr", "alpha": 0.2}), "dwell", "the papers' rules read none"),
    ],
)
def test_which_signal_is_learned_from(values: Values, model: ModelConfig, signal: str, why: str) -> None:
    assert signal_of(values, model) == signal, why


def test_a_signal_that_sometimes_has_a_value_is_two_kinds() -> None:
    log = [interaction(number, values=[("watch", 5.0 if number % 2 else None)]) for number in range(20)]
    _, rewards = learned(log)
    assert {one.signal for one in rewards[::2]} == {"watch"}
    assert {one.signal.split()[0] for one in rewards[1::2]} == {"watch"}
    assert "watch" not in {one.signal for one in rewards[1::2]}


def test_names_of_buckets_fit_the_schema_and_stay_apart() -> None:
    long = "x" * MAX_SIGNAL_LENGTH
    names = [*bucket_names(long), *bucket_names(long[:-1] + "y")]
    assert len(set(names)) == 2 * BUCKETS
    assert max(map(len, names)) <= MAX_SIGNAL_LENGTH


def test_a_value_is_measured_by_the_feature_that_is_named_for_it() -> None:
    """Half of a long video is what half of a short one is."""
    model = configured(value_measures={"watched": "length"})
    actions = [Action("short", {"length": 10}), Action("long", {"length": 1_000})]
    rng = random.Random(1)
    log = [
        interaction(
            number,
            actions=actions,
            chosen=(chosen := rng.randrange(2)),
            values=[("watched", rng.random() * (10, 1_000)[chosen])],
        )
        for number in range(3_000)
    ]
    learner, _ = learned(log, model)
    found = [
        learner.learn([interaction(5_000, actions=actions, chosen=chosen, values=[("watched", 0.5 * size)])])[0]
        for chosen, size in ((0, 10), (1, 1_000))
    ]
    assert {reward.signal for reward in found if reward} == {"watched 35-65%"}


def test_people_are_understood_by_how_long_they_look_alone() -> None:
    log = feed(6_000, lambda rng, user, chosen: dwell(rng, user, chosen)[:1])
    log = [msgspec.structs.replace(one, feedback=one.feedback[:1], signals=one.signals[:1]) for one in log]
    learner, _ = learned(log)
    assert [learner.scores({"user": f"u{user}"}, ACTIONS).argmax() for user in range(USERS)] == list(range(USERS))


# -- signals that tell the action -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "signal"),
    [(autoplay, "play"), (always, "impression"), (position, "first"), (length, "length")],
    ids=["autoplay", "with most plays", "position", "the value"],
)
def test_what_tells_the_action_is_found_and_left_out(told: Told, signal: str) -> None:
    log = feed(12_000, told)
    learner, rewards = learned(log)
    assert set(learner.leaking) == {signal}
    assert learner.leaking[signal].left_out
    assert learner.leaking[signal].share > 0.05
    late = [one.signal for one in rewards[-2_000:]]
    assert not [one for one in late if one.startswith(signal)]
    assert late.count("none") > 500, "where nothing else came it is as if nothing came"
    assert [learner.scores({"user": f"u{user}"}, ACTIONS).argmax() for user in range(USERS)] == list(range(USERS))


@pytest.mark.parametrize("told", [nothing, dwell])
def test_honest_signals_are_not(told: Told) -> None:
    learner, _ = learned(feed(12_000, told, seed=3))
    assert not learner.leaking


def test_where_everybody_has_the_same_tastes_nothing_is_said() -> None:
    rng = random.Random(2)
    log = []
    for number in range(8_000):
        chosen = rng.randrange(5)
        signal = ["click" if rng.random() < 0.7 else "none", "skip", "none", "none", "none"][chosen]
        log.append(interaction(number, context={"user": f"u{rng.randrange(4)}"}, chosen=chosen, signals=[signal]))
    assert not learned(log)[0].leaking


def test_several_leaks_are_all_found() -> None:
    def both(rng: random.Random, user: int, chosen: int) -> Values:
        return [*autoplay(rng, user, chosen), *length(rng, user, chosen)]

    learner, _ = learned(feed(16_000, both))
    assert set(learner.leaking) == {"play", "length"}


def test_people_may_be_told_apart_by_one_of_several_features() -> None:
    """All features together are new with nearly every play: the user alone is what tastes go by."""
    rng = random.Random(5)
    log = [
        msgspec.structs.replace(
            one,
            impression=msgspec.structs.replace(
                one.impression, context={**one.impression.context, "session": f"s{rng.randrange(2_000)}"}
            ),
        )
        for one in feed(20_000, autoplay)
    ]
    assert set(learned(log)[0].leaking) == {"play"}


@pytest.mark.parametrize(
    ("model", "left_out"),
    [
        (configured(trusted_signals=["play"]), False),
        (configured(definitely_negative=["dislike", "play"]), False),
        (configured(definitely_positive=["play"]), False),
        (configured(indifferent=["none", "play"]), False),
    ],
    ids=["trusted", "negative", "positive", "indifferent"],
)
def test_a_signal_that_the_configuration_names_is_said_to_leak_and_learned_from_still(
    model: ModelConfig, left_out: bool
) -> None:
    learner, rewards = learned(feed(12_000, autoplay), model)
    assert learner.leaking["play"].left_out is left_out
    assert "play" in {one.signal for one in rewards[-500:]}


def test_an_ignored_signal_is_never_learned_from_nor_reported() -> None:
    learner, rewards = learned(feed(6_000, autoplay), configured(ignored_signals=["play"]))
    assert not learner.leaking
    assert "play" not in {one.signal for one in rewards}
    assert "play" in {signal for one in feed(100, autoplay) for signal in one.signals}


def test_what_no_longer_tells_the_action_is_taken_back_and_not_at_once() -> None:
    found = feed(12_000, autoplay)
    honest = feed(60_000, lambda rng, user, chosen: [("play", None)] if chosen == user else (), seed=7)
    learner, _ = learned(found)
    learner.learn(honest[:2_000])
    assert learner.leaking["play"].left_out, "a good deal of evidence is needed"
    learner.learn(honest[2_000:])
    assert not learner.leaking
    [reward] = learner.learn([interaction(99_999, values=[("play", None)])])
    assert reward is not None
    assert reward.signal == "play"


def hiding(rng: random.Random, user: int, chosen: int) -> Values:
    """Come in the place of what people would have done."""
    return [("play", None)] if rng.random() < 0.3 + 0.15 * chosen else []


def hidden(count: int, *, seed: int = 0) -> list[Interaction]:
    log = feed(count, hiding, seed=seed)
    return [
        msgspec.structs.replace(one, feedback=one.feedback[:1], signals=one.signals[:1])
        if one.signals[0] == "play"
        else one
        for one in log
    ]


def test_where_a_leak_comes_in_the_place_of_all_else_nothing_is_learned_from_it() -> None:
    learner, rewards = learned(hidden(12_000))
    assert learner.leaking["play"].left_out
    late = rewards[-2_000:]
    unsaid = [one for one in late if one.signal == "play"]
    assert len(unsaid) > 500
    assert {one.state for one in unsaid} == {None}
    assert {one.doubt for one in unsaid} == {"undetermined_signal"}
    assert {one.doubt for one in late if one.signal == "click"} == {None}
    assert [learner.scores({"user": f"u{user}"}, ACTIONS).argmax() for user in range(USERS)] == list(range(USERS))
    before = learner.state()["tables"]
    learner.learn([interaction(99_999, context={"user": "u0"}, chosen=3, values=[("play", None)])])
    assert learner.state()["tables"] == before


def test_where_a_leak_comes_beside_what_people_do_it_alone_means_that_they_did_nothing() -> None:
    _, rewards = learned(feed(12_000, hiding))
    late = rewards[-2_000:]
    assert "play" not in {one.signal for one in late}
    assert {one.state for one in late if one.signal == "none"} == {0}


def test_how_a_log_with_such_a_leak_is_cut_and_restored_changes_no_bit() -> None:
    log = hidden(7_000, seed=2)
    whole, rewards = learned(log)
    assert "play" in {one.signal for one in rewards if one.doubt}
    learner = learner_for(MODEL)
    found: list[Reward | None] = []
    for begin, end in pairwise([0, 1, 999, 2_600, 4_100, 5_001, 6_999, 7_000]):
        learner = restored_learner(MODEL, msgspec.msgpack.decode(msgspec.msgpack.encode(learner.state())))
        found += learner.learn(log[begin:end])
    assert found == rewards
    assert bytes_of(learner) == bytes_of(whole)
    arrived = InteractionReader({"feed": MODEL}).read([msgspec.json.encode(one) for one in log])
    again = learner_for(MODEL)
    assert again.learn_stretch(Stretch(arrived, list(range(len(log))))) == rewards
    assert bytes_of(again) == bytes_of(whole)


# -- restoring, batches, shards -------------------------------------------------------------------------------

MIXED = feed(3_000, lambda rng, user, chosen: [*autoplay(rng, user, chosen), *dwell(rng, user, chosen)], seed=11)


@settings(max_examples=10)
@given(cuts=st.lists(st.integers(0, 3_000), max_size=5))
def test_how_it_is_cut_into_batches_and_restored_in_between_changes_no_bit(cuts: list[int]) -> None:
    whole, rewards = learned(MIXED)
    learner = learner_for(MODEL)
    found: list[Reward | None] = []
    for begin, end in pairwise([0, *sorted(cuts), len(MIXED)]):
        learner = restored_learner(MODEL, msgspec.msgpack.decode(msgspec.msgpack.encode(learner.state())))
        found += learner.learn(MIXED[begin:end])
    assert found == rewards
    assert bytes_of(learner) == bytes_of(whole)


def test_one_at_a_time_and_restored_after_every_step_is_the_same() -> None:
    log = MIXED[:1_100]
    learner, single = learner_for(MODEL), learner_for(MODEL)
    for number, one in enumerate(log):
        single.learn([one])
        if number > 980:
            learner = restored_learner(MODEL, msgspec.msgpack.decode(msgspec.msgpack.encode(learner.state())))
        learner.learn([one])
    assert bytes_of(single) == bytes_of(learner) == bytes_of(learned(log)[0])


def test_as_they_were_read_from_records_it_comes_to_the_same() -> None:
    model = configured(value_measures={"dwell": "size"})
    actions = [Action(f"a{i}", {"size": 1 + i}) for i in range(5)]
    log = feed(
        1_200, lambda rng, user, chosen: [*autoplay(rng, user, chosen), *dwell(rng, user, chosen)], actions=actions
    )
    arrived = InteractionReader({"feed": model}).read([msgspec.json.encode(one) for one in log])
    learner = learner_for(model)
    rewards = learner.learn_stretch(Stretch(arrived, list(range(len(log)))))
    whole, expected = learned(log, model)
    assert rewards == expected
    assert bytes_of(learner) == bytes_of(whole)


def test_a_state_of_before_goes_on_and_begins_to_look() -> None:
    learner, _ = learned(feed(2_000, nothing))
    state = {name: value for name, value in learner.state().items() if name != "reading"}
    restored = restored_learner(MODEL, state)
    assert encode(restored.snapshot(None)) == encode(learner.snapshot(None))
    restored.learn(feed(12_000, autoplay, seed=4))
    assert set(restored.leaking) == {"play"}


def test_each_shard_finds_leaks_in_its_own_interactions() -> None:
    model = configured(sharded_by="user")
    log = feed(24_000, autoplay)
    shards = []
    for part in range(2):
        shard = learner_for(model)
        assert isinstance(shard, ShardLearner)
        shard.learn([one for one in log if int(str(one.impression.context["user"])[1:]) % 2 == part])
        shards.append(shard)
    fresh = learner_for(model)
    assert isinstance(fresh, ShardLearner)
    fresh.take_in([shard.contribution() for shard in shards])
    assert [set(shard.leaking) for shard in (*shards, fresh)] == [{"play"}, {"play"}, set()]


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"ignored_signals": ["a"], "trusted_signals": ["a"]}, "ignored and trusted at once"),
        ({"ignored_signals": ["dislike"]}, "ignored and definite at once"),
        ({"ignored_signals": ["none"]}, "cannot be ignored"),
        ({"value_measures": {"dislike": "length"}}, "no values are read"),
        ({"trusted_signals": ["a"], "reward": {"rule": "iclr", "alpha": 0.2}}, "trusted_signals would silently"),
        ({"value_measures": {"a": "b"}, "reward": {"rule": "iclr", "alpha": 0.2}}, "value_measures would silently"),
    ],
)
def test_settings_that_contradict_others_are_refused(more: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        configured(**more)


def test_under_a_papers_rule_ignored_signals_are_left_out_too() -> None:
    model = configured(ignored_signals=["play"], reward={"rule": "iclr", "alpha": 0.2})
    assert signal_of([("play", None)], model) == "none"
