"""Where data cannot tell a state it is unknown, and only there; why is said, whatever the batches and restarts."""

from collections.abc import Sequence
from typing import get_args

import msgspec
import numpy as np
import pytest

from experiments.people import many_enjoyed, tastes
from experiments.people.playing import INFERRED, played
from experiments.people.world import World, liking, people
from groundswell.events import Doubt, Reward
from processors.learners import three_state
from processors.learners.learner_choice import learner_for, restored_learner
from processors.learners.reward_columns import DOUBTS
from processors.models.config import ModelConfig
from tests.unit.rounds import interaction, uniform_log

pytestmark = pytest.mark.timeout(600)  # the first test compiles the loop, on a busy machine for two minutes

MODEL = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), hash_bits=12)
LATE = slice(10_000, None)
ROUNDS = 20_000
LIKED, IGNORED = (0.75, 0.25, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0, 1.0)


def feed(states: np.ndarray, *emissions: tuple[float, ...]) -> World:
    """Return a feed with the probabilities of click, like, dislike, skip and `none` in the states -1, 0 and +1."""
    return people(np.random.default_rng(3), states, rounds=ROUNDS, emissions=emissions)


def some_like(good: int, bad: int) -> np.ndarray:
    return liking(np.random.default_rng(4), 10, 6, good, bad)


EVERYBODY = np.ones((10, 6), dtype=np.int64)
SAME = (0.2, 0.2, 0.05, 0.2, 0.35)
SILENT = (0.03, 0.01, 0.005, 0.05, 0.905)


@pytest.mark.parametrize(
    ("world", "doubts"),
    [
        pytest.param(feed(EVERYBODY, LIKED, LIKED, LIKED), {three_state.NO_ANCHOR}, id="all is joy"),
        pytest.param(
            feed(some_like(2, 2), (0.0, 0.0, 0.0, 1.0, 0.0), IGNORED, LIKED),
            {three_state.NO_ANCHOR},
            id="nothing definite was ever said",
        ),
        pytest.param(feed(some_like(2, 1), SAME, SAME, SAME), {three_state.NO_INFORMATION}, id="signals at random"),
        pytest.param(
            feed(some_like(2, 1), SILENT, SILENT, SILENT), {three_state.NO_INFORMATION}, id="a few signals at random"
        ),
        pytest.param(
            feed(EVERYBODY, LIKED, LIKED, (0.7, 0.25, 0.03, 0.0, 0.02)),
            {three_state.NO_INFORMATION, three_state.NO_INDIFFERENCE},
            id="all is joy but for accidents",
        ),
    ],
)
def test_what_data_cannot_tell_is_unknown(world: World, doubts: set[int]) -> None:
    found = played(world, INFERRED, 5).doubts[LATE]
    assert np.isin(found, [*doubts]).mean() >= 0.98


def test_where_nobody_is_indifferent_only_what_is_definite_is_known() -> None:
    outcome = played(many_enjoyed.world("2/1 of 3", 6), INFERRED, 6)
    late = slice(25_000, None)
    known = outcome.doubts[late] == three_state.SURE
    assert set(outcome.signals[late][known].tolist()) == {2}  # the dislikes
    assert (outcome.doubts[late][~known] == three_state.NO_INDIFFERENCE).all()
    assert (outcome.true[late][known] == -1).all()


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(feed(some_like(1, 1), (0.0, 0.0, 0.2, 0.8, 0.0), IGNORED, LIKED), id="three-state"),
        pytest.param(many_enjoyed.world("2/1 of 4", 7), id="half is enjoyed"),
        pytest.param(many_enjoyed.world("1/8 of 11", 7), id="most is hated"),
        pytest.param(tastes.world("clean bins 70/20", 7), id="a tenth is indifferent"),
        pytest.param(tastes.world("clean numbers 50/30", 7), id="told by numbers"),
        pytest.param(tastes.world("clean groups 10/10", 7), id="little is felt"),
    ],
)
def test_what_is_inferred_right_is_not_called_unknown(world: World) -> None:
    outcome = played(world, INFERRED, 8)
    assert (outcome.doubts[LATE] != three_state.SURE).mean() <= 0.02
    assert (outcome.decoded == outcome.true)[LATE].mean() >= 0.98


def test_what_is_called_unknown_where_others_are_known_is_what_would_be_wrong() -> None:
    outcome = played(tastes.world("clean groups 20/50", 9), INFERRED, 9)
    wrong, unknown = (outcome.decoded != outcome.true)[LATE], (outcome.doubts != three_state.SURE)[LATE]
    assert wrong[unknown].mean() >= 5 * wrong[~unknown].mean()


def test_a_signal_that_is_new_is_not_determined_before_something_bears_it_out() -> None:
    states = some_like(1, 1)
    late = (0.0, 0.0, 0.2, 0.8, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0, 0.9, 0.1), (0.75, 0.25, 0.0, 0.0, 0.0, 0.0)
    world = people(
        np.random.default_rng(3), states, rounds=ROUNDS, emissions=late,
        signals=("click", "like", "dislike", "skip", "none", "autoplay"),
    )  # fmt: skip
    outcome = played(world, INFERRED, 10)
    first = np.flatnonzero(outcome.signals == 5)[0]
    assert outcome.doubts[first] != three_state.SURE


def rewards_of(learner_rewards: Sequence[Reward | None]) -> list[tuple[int | None, Doubt | None]]:
    return [(one.state, one.doubt) for one in learner_rewards if one]


def test_doubt_survives_restarts_and_does_not_depend_on_batches() -> None:
    log = uniform_log(600)
    whole = rewards_of(learner_for(MODEL).learn(log))
    assert {state is None for state, _ in whole} == {True, False}
    assert all((state is None) == (doubt is not None) for state, doubt in whole)
    for size in (1, 37):
        learner, parts = learner_for(MODEL), []
        for start in range(0, len(log), size):
            parts += rewards_of(learner.learn(log[start : start + size]))
            state = msgspec.msgpack.decode(msgspec.msgpack.encode(learner.state()))
            learner = restored_learner(MODEL, state)
        assert parts == whole


def test_each_doubt_has_a_name_and_the_papers_rules_have_none() -> None:
    assert {name for name in DOUBTS.values() if name} == set(get_args(Doubt))
    papers = ModelConfig.model_validate(
        {"name": "feed", "definitely_negative": ["dislike"], "reward": {"rule": "iclr", "alpha": 0.2}}
    )
    assert {(one.state is None, one.doubt) for one in learner_for(papers).learn(uniform_log(200)) if one} == {
        (False, None)
    }


def violated(signals: str, chosen: int | None = None, count: int = 1_500, **settings: object) -> dict[str, bool]:
    """Return what is violated once signals came at random, one letter each, or always for one action."""
    names = {"c": "click", "d": "dislike", "n": "none", "s": "skip"}
    rng = np.random.default_rng(11)
    learner = learner_for(
        ModelConfig.model_validate({"name": "feed", "definitely_negative": ["dislike"], "hash_bits": 12, **settings})
    )
    for number in range(count):
        action = int(rng.integers(5))
        signal = names[signals[action if chosen is None else int(rng.integers(len(signals)))]]
        learner.learn([interaction(number, chosen=action, signals=[signal])])
    return {str(assumption): fails for assumption, fails in learner.violated.items()}


@pytest.mark.parametrize(
    ("signals", "at_random", "fails"),
    [
        ("cdnnn", False, set()),
        ("csnnn", False, {"definite_signal"}),
        ("ccdcc", False, {"indifference"}),
        ("cdnnn", True, {"informative_feedback"}),
        ("cccss", True, {"definite_signal", "informative_feedback", "indifference"}),
    ],
)
def test_what_the_rule_takes_for_granted_is_checked(signals: str, at_random: bool, fails: set[str]) -> None:
    found = violated(signals, 0 if at_random else None)
    assert {assumption for assumption, is_violated in found.items() if is_violated} == fails


@pytest.mark.parametrize(("signals", "fails"), [("cdnnn", False), ("ccdnn", True)])
def test_the_papers_rules_take_extremes_for_rare(signals: str, fails: bool) -> None:
    found = violated(signals, count=3_000, reward={"rule": "iclr", "alpha": 0.5})
    assert found == {"rare_extremes": fails}
