"""What signals are worth follows the rewards of a learner: where these are in doubt, it is, too."""

from __future__ import annotations

import numpy as np
import pytest

from processors.learners.learner_choice import learner_for
from processors.models.config import ModelConfig
from streams.worker.model_worth import ModelWorth
from tests.unit.rounds import interaction

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
    (click,) = [one for one in worth.table(len(log), ()).rows if one.signal == "click"]
    assert click.doubt == doubt
    assert (click.log_odds is None) == (doubt is not None)
