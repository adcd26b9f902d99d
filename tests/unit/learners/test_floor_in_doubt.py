"""Where data cannot tell, the published policy goes on exploring: in the contexts concerned, and only as long."""

import msgspec
import numpy as np
import pytest
from pydantic import ValidationError

from groundswell.events import Interaction
from groundswell.features import hashed
from groundswell.policy import InDoubt, Policy, PolicySnapshot, decode, encode
from processors.learners import doubtful_contexts, three_state
from processors.learners.learner import Learner
from processors.learners.learner_choice import learner_for, restored_learner
from processors.models.config import ModelConfig
from tests.unit.rounds import ACTIONS, interaction, uniform_log

FLOOR = 0.2
COUNT = len(ACTIONS)


def model(**exploration: object) -> ModelConfig:
    exploring = {"t0": 1e-6, "floor_in_doubt": FLOOR, **exploration}  # by itself it would hardly explore any more
    return ModelConfig.model_validate(
        {"name": "feed", "definitely_negative": ["dislike"], "hash_bits": 12, "exploration": exploring}
    )


def learned(log: list[Interaction], configured: ModelConfig | None = None) -> Learner:
    learner = learner_for(configured or model())
    learner.learn(log)
    return learner


def published(learner: Learner) -> PolicySnapshot:
    return decode(encode(learner.snapshot(None)))


def strange(number: int, user: str, signal: str) -> Interaction:
    """Return one of a user who is unlike the others: what comes back has nothing to do with what was shown."""
    return interaction(number, context={"user": user}, chosen=number % COUNT, signals=[signal])


def with_a_stranger(count: int) -> list[Interaction]:
    """Return a log of three known people and one whose feedback is new to the model."""
    log = uniform_log(count)
    for place in range(count // 2, count, 10):
        log[place] = strange(place, "odd", f"new {place}")
    return log


def comes(table: np.ndarray, key: int, doubt: int, times: int) -> None:
    """Let a context with one feature come so often."""
    context = np.array([0, 1]), np.array([key], dtype=np.uint64), np.array([1.0])
    for _ in range(times):
        doubtful_contexts.remember(table, (*context, *[np.zeros(1, dtype=np.int64)] * 5), 0, doubt)


def least(snapshot: PolicySnapshot, user: str) -> float:
    policy = Policy(snapshot)
    found = policy.probabilities({"user": user}, ACTIONS)
    assert sum(found) == pytest.approx(1)
    return min(found)


def test_while_nothing_definite_has_come_exploration_keeps_to_the_floor_everywhere() -> None:
    log = [one for one in uniform_log(2_000) if one.signals != ["dislike"]]
    snapshot = published(learned(log))
    assert snapshot.in_doubt == InDoubt(FLOOR, [hashed("")])
    for user in ("u0", "u1", "u2"):
        assert least(snapshot, user) == pytest.approx(FLOOR / COUNT)


@pytest.mark.parametrize("kind", ["epsilon-greedy", "squarecb", "softmax"])
def test_the_floor_holds_whatever_the_exploration(kind: str) -> None:
    log = [one for one in uniform_log(2_000) if one.signals != ["dislike"]]
    configured = model(kind=kind, gamma=1e6, temperature=1e-3)
    assert least(published(learned(log, configured)), "u0") == pytest.approx(FLOOR / COUNT)


def test_a_policy_that_is_sure_says_nothing_and_explores_no_more() -> None:
    snapshot = published(learned(uniform_log(3_000)))
    assert b'"in_doubt":' not in encode(snapshot)
    assert least(snapshot, "u0") < FLOOR / COUNT / 10


def test_only_the_contexts_with_undetermined_signals_are_explored_more() -> None:
    learner = learned(with_a_stranger(3_000))
    snapshot = published(learner)
    assert isinstance(snapshot.in_doubt, InDoubt)
    assert snapshot.in_doubt.features == [hashed("user=odd")]
    assert least(snapshot, "odd") == pytest.approx(FLOOR / COUNT)
    assert least(snapshot, "u0") < FLOOR / COUNT / 10
    learner.learn([strange(3_000 + number, "odd", "none") for number in range(1_000)])
    assert published(learner).in_doubt is msgspec.UNSET


@pytest.mark.parametrize("count", [100, 1_000, 3_000])
def test_the_learner_shows_what_its_snapshot_shows_and_after_a_restart_the_same(count: int) -> None:
    learner = learned(with_a_stranger(count))
    again = restored_learner(model(), msgspec.msgpack.decode(msgspec.msgpack.encode(learner.state())))
    assert encode(again.snapshot(None)) == encode(learner.snapshot(None))
    for user in ("u0", "odd", "never seen"):
        context = {"user": user}
        expected = Policy(learner.snapshot(None)).probabilities(context, ACTIONS)
        assert learner.probabilities(context, ACTIONS) == pytest.approx(expected)
        assert again.probabilities(context, ACTIONS) == pytest.approx(expected)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_batches_change_nothing(size: int) -> None:
    log, learner = with_a_stranger(1_500), learner_for(model())
    for start in range(0, len(log), size):
        learner.learn(log[start : start + size])
    assert encode(learner.snapshot(None)) == encode(learned(log).snapshot(None))


def test_without_a_floor_nothing_is_said() -> None:
    log = [one for one in uniform_log(500) if one.signals != ["dislike"]]
    assert published(learned(log, model(floor_in_doubt=0))).in_doubt is msgspec.UNSET


def test_a_rule_that_is_never_in_doubt_has_no_such_floor() -> None:
    with pytest.raises(ValidationError, match="never in doubt: floor_in_doubt would silently do nothing"):
        ModelConfig.model_validate(
            {
                "name": "feed",
                "definitely_negative": ["dislike"],
                "reward": {"rule": "iclr", "alpha": 0.2},
                "exploration": {"floor_in_doubt": 0.3},
            }
        )


def test_a_policy_says_no_more_than_a_few_kilobytes_however_many_are_in_doubt() -> None:
    learner = learned(uniform_log(3_000))
    sure = len(encode(learner.snapshot(None)))
    table = learner._doubtful  # type: ignore[attr-defined]
    keys = [hashed(f"user=u{number}") for number in range(10_000)]
    for key in keys:
        comes(table, key, three_state.UNDETERMINED, 3)
    snapshot = learner.snapshot(None)
    assert isinstance(snapshot.in_doubt, InDoubt)
    assert 200 < len(snapshot.in_doubt.features) <= doubtful_contexts.SLOTS
    assert set(snapshot.in_doubt.features) <= set(keys)
    assert len(encode(snapshot)) - sure < 3_000


def test_who_is_no_more_in_doubt_or_comes_no_more_gives_way() -> None:
    table = np.zeros((doubtful_contexts.SLOTS, doubtful_contexts.COLUMNS))
    first, second = 5, 5 + doubtful_contexts.SLOTS
    comes(table, first, three_state.UNDETERMINED, 20)
    comes(table, second, three_state.UNDETERMINED, 20)
    assert doubtful_contexts.listed(table) == [first]
    comes(table, second, three_state.UNDETERMINED, 500)
    assert doubtful_contexts.listed(table) == [second]
    comes(table, second, three_state.SURE, 500)
    assert doubtful_contexts.listed(table) == []
