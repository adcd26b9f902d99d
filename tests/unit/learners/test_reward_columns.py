"""Rewards in columns: each is the one that its interaction got, asked for one at a time, in part, or written."""

from __future__ import annotations

import msgspec
import pytest

from groundswell.events import Interaction, Reward
from processors.admission.interaction_records import InteractionReader, Stretch
from processors.learners.learner_choice import learner_for
from processors.models.config import ModelConfig
from tests.unit.rounds import ACTIONS, interaction, uniform_log

MODEL = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), hash_bits=12)
PAPERS = ModelConfig.model_validate({**MODEL.model_dump(), "reward": {"rule": "two-state"}})
LOG = uniform_log(1_200)
ALONE = [interaction(7_000 + number, actions=ACTIONS[:1]) for number in range(3)]
"""They get no rewards: there was nothing to choose."""
MIXED = [*ALONE[:1], *LOG[:40], *ALONE[1:2], *LOG[40:90], *ALONE[2:]]


@pytest.mark.parametrize("model", [MODEL, PAPERS], ids=["three states", "the papers' rules"])
@pytest.mark.parametrize("log", [LOG, MIXED, ALONE, []], ids=["all", "some", "none", "nothing"])
def test_they_are_what_one_at_a_time_gives(model: ModelConfig, log: list[Interaction]) -> None:
    whole, single = learner_for(model), learner_for(model)
    rewards, expected = whole.learn(log), [single.learn([one])[0] for one in log]
    assert list(rewards) == expected
    assert len(rewards) == len(log)
    assert [one for one in range(len(log)) if rewards[one] is None] == [
        place for place, one in enumerate(log) if len(one.impression.actions) == 1
    ]
    assert [rewards[place] for place in range(len(log))] == expected
    for part in (slice(3, 70), slice(None, None, 31), slice(-20, None), slice(0, 0)):
        assert rewards[part] == expected[part]
    told = [one for one in expected if one is not None]
    assert [one.state for one in told] == rewards.states
    written = list(rewards.encoded())
    assert [key.decode() for key, _ in written] == [one.impression_id for one in told]
    assert [msgspec.json.decode(value, type=Reward) for _, value in written] == told


def test_those_of_envelopes_are_those_of_interactions() -> None:
    values = [msgspec.json.encode(one) for one in MIXED]
    arrived = InteractionReader({"feed": MODEL}).read(values)
    read = learner_for(MODEL).learn_stretch(Stretch(arrived, range(len(MIXED))))
    assert read == learner_for(MODEL).learn(MIXED)


def test_there_is_none_beyond_the_last() -> None:
    rewards = learner_for(MODEL).learn(LOG[:3])
    assert rewards[-1] == rewards[2]
    with pytest.raises(IndexError):
        rewards[3]


def test_rewards_written_before_are_read_although_their_members_were_in_another_order() -> None:
    before = (
        b'{"schema_version":1,"impression_id":"i","model":"feed","occurred_at":1,"source":{"partition":0,"offset":1,'
        b'"floor":0},"action":"a","signal":"like","state":1,"reward":1.0,"posterior":0.5,"threshold":0.4,"weight":2.0,'
        b'"ik_version":3,"policy_version":3,"logged_policy_version":null}'
    )
    read = msgspec.json.decode(before, type=Reward)
    assert (read.threshold, read.weight, read.ik_version, read.doubt) == (0.4, 2.0, 3, None)
