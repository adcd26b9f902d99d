"""Many users with many signals: the learner whose signals mean what their user means by them."""

import asyncio
import time
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from groundswell.events import Action, Features, Interaction, Reward
from groundswell.policy import Policy, decode, encode
from processors.learners.learner import Learner
from processors.learners.learner_choice import learner_for, restored_learner
from processors.models.config import ModelConfig
from streams.kafka.record_batches import RecordBatch
from streams.observing.learning_metrics import LearningMetrics
from streams.observing.metrics import Metrics
from streams.settings import Settings
from streams.worker.partition_learner import LearningWiring, PartitionLearner
from tests.unit.rounds import interaction
from tests.unit.stand_ins import Log, always, batch, record

USERS, WORDS, TASKS = 12, 16, 6
ACTIONS = [Action(f"a{number}") for number in range(5)]


def model(**changes: Any) -> ModelConfig:
    embedding = {"form": "spectral", "user_feature": "user", "users": USERS, "signals": WORDS}
    settings = {
        "name": "feed",
        "hash_bits": 12,
        "inverse_kinematics": embedding | changes.pop("inverse_kinematics", {}),
        "reward": {"rule": "two-state", "extreme": "meaning"},
    }
    return ModelConfig.model_validate(settings | changes)


MODEL = model()
FORMS = [MODEL, model(reward={"rule": "two-state"})]


def log(count: int, seed: int = 0, users: int = USERS, words: int = WORDS) -> list[Interaction]:
    """Return random play of people of whom every second means by each word the opposite of the others."""
    rng = np.random.default_rng(seed)
    result = []
    for number in range(count):
        user, task, chosen = int(rng.integers(users)), int(rng.integers(TASKS)), int(rng.integers(len(ACTIONS)))
        good = (chosen == task % len(ACTIONS)) != (user % 2 == 0)
        word = 2 * int(rng.integers(words // 2)) + good
        context: Features = {"task": f"t{task}", "user": f"u{user}"}
        result.append(interaction(number, context=context, actions=ACTIONS, chosen=chosen, signals=[f"word {word}"]))
    return result


LOG = log(9_000)


def bytes_of(learner: Learner) -> tuple[bytes, bytes]:
    return encode(learner.snapshot(None)), msgspec.msgpack.encode(learner.state())


@pytest.mark.parametrize("config", FORMS, ids=lambda config: config.reward.extreme)
def test_people_who_mean_opposite_things_are_all_understood(config: ModelConfig) -> None:
    learner = learner_for(config)
    rewards = learner.learn(LOG)
    policy = Policy(decode(encode(learner.snapshot(None))))
    for task in range(TASKS):
        for user in ("u0", "u1", "a stranger"):
            greedy = policy.greedy({"task": f"t{task}", "user": user}, ACTIONS)
            assert greedy.index(max(greedy)) == task % len(ACTIONS)
    right = [int(one.impression.chosen == int(str(one.impression.context["task"])[1:]) % len(ACTIONS)) for one in LOG]
    decoded = [reward.state or 0 for reward in rewards if reward]
    assert np.mean(np.equal(right[-2_000:], decoded[-2_000:])) > 0.9


@settings(max_examples=10)
@given(st.lists(st.integers(0, len(LOG)), max_size=4))
def test_how_a_log_is_cut_into_batches_changes_no_bit(cuts: list[int]) -> None:
    crowded = model(inverse_kinematics={"users": 9, "signals": 14})  # rows are given anew all the time
    whole, cut = learner_for(crowded), learner_for(crowded)
    expected = whole.learn(LOG)
    rewards: list[Reward | None] = []
    for begin, end in pairwise([0, *sorted(cuts), len(LOG)]):
        rewards += cut.learn(LOG[begin:end])
    assert rewards == expected
    assert bytes_of(cut) == bytes_of(whole)


@pytest.mark.parametrize("config", FORMS, ids=lambda config: config.reward.extreme)
@pytest.mark.parametrize("cut", [0, 1, 2_499, 2_500, 7_000])
def test_a_restored_learner_continues_to_the_bit(config: ModelConfig, cut: int) -> None:
    first = learner_for(config)
    first.learn(LOG[:cut])
    second = restored_learner(config, msgspec.msgpack.decode(msgspec.msgpack.encode(first.state())))
    assert bytes_of(second) == bytes_of(first)
    assert second.learn(LOG[cut:]) == first.learn(LOG[cut:])
    assert bytes_of(second) == bytes_of(first)


def test_however_many_come_the_state_stays_as_large() -> None:
    learner = learner_for(MODEL)
    learner.learn(log(3_000, users=200, words=300))
    before = len(bytes_of(learner)[1])
    learner.learn(log(6_000, seed=1, users=5_000, words=5_000))
    assert len(bytes_of(learner)[1]) < 1.5 * before + 100_000


def test_a_few_made_up_signals_drive_out_no_real_ones() -> None:
    noisy = [
        interaction(number, context={"task": "t0", "user": "u1"}, actions=ACTIONS, signals=[f"made up {number}"])
        if number % 50 == 0
        else one
        for number, one in enumerate(LOG)
    ]
    learner = learner_for(model(inverse_kinematics={"signals": WORDS + 4}))
    learner.learn(noisy)
    for task in range(TASKS):
        scores = learner.scores({"task": f"t{task}", "user": "u1"}, ACTIONS)
        assert scores.argmax() == task % len(ACTIONS)


@pytest.mark.parametrize(("users", "words"), [(50_000, 2), (2, 50_000)])
def test_a_stream_of_ever_new_users_or_signals_hardly_slows_the_learner(users: int, words: int) -> None:
    learner = learner_for(model(inverse_kinematics={"users": users, "signals": words}))

    def seconds(people: int, vocabulary: int) -> float:
        names = ((number % people, number % vocabulary) for number in range(600))
        rounds = [
            interaction(number, context={"user": f"u{user}"}, actions=ACTIONS, signals=[f"word {word}"])
            for number, (user, word) in enumerate(names)
        ]
        learner.learn(rounds[:100])
        begin = time.process_time()
        learner.learn(rounds[100:])
        return time.process_time() - begin

    known = seconds(2, 2)
    assert seconds(2 if users > 2 else 600, 2 if words > 2 else 600) < 50 * known + 0.02


@pytest.mark.parametrize("context", [{}, {"task": "t1"}, {"task": "t1", "user": "never seen"}])
def test_of_whom_nothing_is_known_nothing_is_inferred(context: dict[str, Any]) -> None:
    learner = learner_for(MODEL)
    learner.learn(LOG)
    before = learner.snapshot(None).bandit
    reward = learner.learn([interaction(1, context=context, actions=ACTIONS, signals=["word 1"])])[0]
    assert reward is not None
    assert (reward.state, reward.reward) == (0, 0.0)
    assert reward.posterior == pytest.approx(1 / len(ACTIONS))
    assert learner.snapshot(None).bandit == before


@pytest.mark.parametrize("user", [7, 7.5, True, "x" * 1_000])
def test_a_user_may_be_named_by_any_value(user: Any) -> None:
    learner = learner_for(MODEL)
    learner.learn([interaction(number, context={"user": user}, actions=ACTIONS) for number in range(2_600)])
    assert learner.statistics.learned == 2_600


def test_a_reward_tells_where_it_comes_from() -> None:
    learner = learner_for(MODEL)
    learner.learn(LOG)
    reward = learner.learn([LOG[5]])[0]
    assert reward is not None
    assert (reward.impression_id, reward.signal, reward.ik_version) == ("i5", LOG[5].signals[0], len(LOG))
    assert 0 < reward.posterior < 1
    assert reward.threshold == pytest.approx(2 / len(ACTIONS))
    assert learner.statistics.ik_log_loss < 0.9 * learner.statistics.prior_log_loss


def test_a_worker_tells_how_many_users_and_signals_were_forgotten() -> None:
    configured = Settings.model_validate({"models": {"feed": MODEL.model_dump(exclude={"name"})}})
    arrivals = log(500, users=USERS + 3, words=WORDS)
    records = [record("interactions", at, b"feed", msgspec.json.encode(one)) for at, one in enumerate(arrivals)]
    written = Log()

    async def learned(begin: int, end: int) -> list[float]:
        metrics = Metrics()
        wiring = LearningWiring(configured, written.outputs, LearningMetrics(metrics), always)
        learner = PartitionLearner(0, wiring, written.newest("checkpoints"), written.newest("policies"))
        await learner.take(batch(records[begin:end]))
        await learner.write_checkpoint()
        name, labels = (
            "groundswell_embedding_forgotten",
            [{"model": "feed", "setting": s} for s in ("users", "signals")],
        )
        return [metrics.registry.get_sample_value(name, one) or 0.0 for one in labels]

    first_users, first_signals = asyncio.run(learned(0, 250))
    users, signals = asyncio.run(learned(250, 500))
    assert users > first_users > 0
    assert (first_signals, signals) == (0, 0)


def test_a_killed_worker_goes_on_from_its_checkpoint_as_if_nothing_had_been() -> None:
    configured = Settings.model_validate({"models": {"feed": MODEL.model_dump(exclude={"name"})}})
    records = [record("interactions", at, b"feed", msgspec.json.encode(one)) for at, one in enumerate(LOG[:6_000])]

    async def policies(cuts: list[int]) -> list[bytes | None]:
        written = Log()
        wiring = LearningWiring(configured, written.outputs, LearningMetrics(Metrics()), always)
        for begin, end in pairwise([0, *cuts, len(records)]):
            learner = PartitionLearner(0, wiring, written.newest("checkpoints"), written.newest("policies"))
            new = learner.interactions.contiguous(batch(records[begin:end]))
            assert isinstance(new, RecordBatch)
            await learner.take(new)
            await learner.write_checkpoint()
        return [one.value for one in written.of("policies")]

    assert asyncio.run(policies([2_700, 4_000])) == asyncio.run(policies([]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inverse_kinematics": {"form": "spectral"}}, "needs user_feature"),
        ({"inverse_kinematics": {"user_feature": "user"}}, "silently do nothing"),
        ({"inverse_kinematics": {"form": "co-occurrence", "user_feature": "user"}}, "no more.*groundswell redecode"),
        ({"inverse_kinematics": {"form": "spectral", "user_feature": "user"}}, "knows no third one"),
        ({"reward": {"rule": "two-state", "extreme": "meaning"}}, "needs the form"),
        (
            {"inverse_kinematics": {"form": "spectral", "user_feature": "u", "users": 1_001, "signals": 100}},
            "stand still",
        ),
        (
            {
                "inverse_kinematics": {
                    "form": "spectral",
                    "user_feature": "u",
                    "estimator": {"class": "river.linear_model.LogisticRegression"},
                }
            },
            "exclude each other",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_with_the_consequence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelConfig.model_validate({"name": "m", "definitely_negative": ["dislike"], **changes})
