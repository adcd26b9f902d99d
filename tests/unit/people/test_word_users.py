"""The loop of the users x signals experiments beside the learner that it stands for."""

import numpy as np
import pytest

from experiments.people.word_users import USER, WordUsers, play
from processors.learners.learner_choice import learner_for
from processors.models.config import ModelConfig
from tests.unit.rounds import interaction


def people(rounds: int, seed: int) -> WordUsers:
    rng = np.random.default_rng(seed)
    kinds, users, words, actions = 6, 12, 16, 5
    first = rng.integers(0, kinds, size=rounds)
    second = rng.integers(0, 4, size=rounds)
    return WordUsers(
        tiles=np.stack((first, kinds + second), axis=1).astype(np.int32),
        labels=(first % actions).astype(np.int64),
        tile_count=kinds + 4,
        actions=actions,
        rewarded=1,
        bizarre=rng.permutation(users) < users // 2,
        bad=rng.permutation(words) < words // 2,
    )


def model(form: str, extreme: str) -> ModelConfig:
    return ModelConfig.model_validate(
        {
            "name": "words",
            "hash_bits": 12,
            "inverse_kinematics": {"form": form, "user_feature": USER, "users": 12, "signals": 16},
            "reward": {"rule": "two-state", "extreme": extreme},
            "exploration": {"t0": 100},
        }
    )


@pytest.mark.parametrize(("form", "extreme"), [("spectral", "meaning"), ("co-occurrence", "posterior")])
def test_a_learner_given_the_same_interactions_ends_with_the_same_weights(form: str, extreme: str) -> None:
    who, config = people(6_000, 3), model(form, extreme)
    played = play(who, config, 3, oracle=False)
    learner = learner_for(config)
    rewards = learner.learn(
        [
            interaction(
                number,
                context=who.context(number, int(user)),
                actions=who.action_set,
                chosen=int(chosen),
                propensity=float(propensity),
                signals=[f"word {word}"],
            )
            for number, (user, word, chosen, propensity) in enumerate(
                zip(played.users, played.words, played.chosen, played.propensities, strict=True)
            )
        ]
    )
    weights = learner.snapshot(None).bandit
    assert weights.values == played.bandit[weights.indices, 0].tolist()
    decoded = [reward.state for reward in rewards[2_500:] if reward]
    assert decoded == played.decoded[2_500:].tolist()
    assert played.wrong[-1][1] == 0


def test_the_oracle_is_told_the_reward_and_plays_by_it() -> None:
    who = people(3_000, 4)
    told = play(who, model("spectral", "meaning"), 4, oracle=True)
    assert told.true[-1_000:].mean() > 0.6
    assert told.wrong == []
