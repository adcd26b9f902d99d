"""Rewards of before are found beside what is learned again, wherever the two logs begin, and in bounded memory."""

from __future__ import annotations

import msgspec
import pytest
from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from groundswell.events import Source
from processors.learners.ledger import Ledger
from streams.worker import rewards_before
from streams.worker.rewards_before import Before, RewardsBefore
from tests.unit.stand_ins import record


def written(offset: int, model: str = "feed") -> ConsumerRecord:
    value = {"model": model, "source": {"partition": 0, "offset": offset, "floor": 0}, "state": 1, "reward": offset / 8}
    return record("rewards", offset, b"k", msgspec.json.encode(value))


def source(offset: int, floor: int = 0) -> Source:
    return Source(partition=0, offset=offset, floor=floor)


def found(rewards: list[ConsumerRecord], interactions: list[Source], batch: int = 7) -> list[Before | None]:
    ledger = Ledger()
    before = RewardsBefore(rewards, "feed", ledger)
    result = []
    for begin in range(0, len(interactions), batch):
        some = interactions[begin : begin + batch]
        ledger.admit_all(some)
        result += before.of(some)
    return result


@given(st.permutations(range(40)), st.integers(0, 40), st.integers(0, 40), st.lists(st.integers(0, 39), max_size=3))
def test_each_interaction_finds_its_reward_wherever_the_logs_begin_and_whatever_is_written_again(
    order: list[int], first_interaction: int, first_reward: int, killed: list[int]
) -> None:
    rewards = [written(offset) for offset in order[first_reward:]]
    for at in killed:  # what came before is written once more
        rewards[at:at] = rewards[max(0, at - 10) : at]
    left = order[first_interaction:]
    expected = [Before(1, one / 8) if one in order[first_reward:] else None for one in left]
    assert found(rewards, [source(one) for one in left]) == expected


def test_rewards_of_other_models_are_none_of_its_own() -> None:
    assert found([written(0, "mail"), written(1)], [source(0), source(1)]) == [None, Before(1, 0.125)]


@pytest.mark.parametrize("lost", ["rewards", "interactions"])
def test_where_one_log_lacks_the_beginning_no_more_is_kept_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    monkeypatch.setattr(rewards_before, "MOST_AHEAD", 50)
    count, gone = 1_000, 600
    rewards = [written(offset) for offset in range(gone if lost == "rewards" else 0, count)]
    interactions = range(gone if lost == "interactions" else 0, count)
    ledger = Ledger()
    before = RewardsBefore(rewards, "feed", ledger)
    known = 0
    for begin in range(interactions.start, count, 10):
        some = [source(offset, floor=begin) for offset in range(begin, begin + 10)]
        ledger.admit_all(some)
        known += sum(one is not None for one in before.of(some))
        assert len(before._ahead) <= 50
    assert known == count - gone
