"""What signals are worth follows the rewards of a learner: where these are in doubt, it is, too."""

from __future__ import annotations

import numpy as np
import pytest

from groundswell.events import Reward
from processors.learners.learner_choice import learner_for
from processors.learners.signal_reading import Leak
from processors.models.config import ModelConfig
from streams.worker.model_worth import ModelWorth
from tests.unit.rounds import in_columns, interaction

MODEL = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), hash_bits=12)
SIGNALS = ("click", "dislike", "none", "none", "none")


@pytest.mark.parametrize(("at_random", "doubt"), [(True, "uninformative_feedback"), (False, None)])
def test_a_signal_has_a_worth_where_feedback_tells_what_was_shown(at_random: bool, doubt: str | None) -> None:
    rng = np.random.default_rng(11)
    learner, worth = learner_for(MODEL), ModelWorth(MODEL, None, None)
    shown = rng.integers(5, size=1_500).tolist()
    came = rng.integers(5, size=1_500).tolist() if at_random else shown
    log = [
        interaction(number, chosen=action, signals=[SIGNALS[signal]])
        for number, (action, signal) in enumerate(zip(shown, came, strict=True))
    ]
    worth.learned(log, learner.learn(log))
    (click,) = [one for one in worth.table(len(log), (), {}).rows if one.signal == "click"]
    assert click.doubt == doubt
    assert (click.log_odds is None) == (doubt is not None)


def test_a_signal_that_is_left_out_has_no_worth_nor_have_its_values() -> None:
    worth = ModelWorth(MODEL, None, None)
    said = {"click": Leak(0.4, True), "like": Leak(0.4, False), "dwell": Leak(0.3, True)}
    signals = ["click", "like", "dwell 35-65%", "dislike"]
    log = [interaction(number, signals=[signals[number % 4]]) for number in range(400)]
    rewards = [
        Reward(
            schema_version=1, impression_id=one.impression.impression_id, model="feed", occurred_at=0,
            source=one.source, action="a0", signal=one.signals[0], state=1, reward=0.9, posterior=0.5, weight=1.0,
            state_probabilities=[0.02, 0.03, 0.95], ik_version=0, policy_version=0,
        )
        for one in log
    ]  # fmt: skip
    worth.learned(log, in_columns(rewards))
    doubts = {row.signal: (row.doubt, row.log_odds is None) for row in worth.table(len(log), (), said).rows}
    assert doubts["click"] == doubts["dwell 35-65%"] == ("tells_action", True)
    assert not doubts["like"][1], "what is learned from still has a worth"
    before = {row.signal: row.log_odds for row in worth.table(len(log), (), {}).rows}
    assert before["click"] == before["like"]
