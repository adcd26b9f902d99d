import numpy as np

from experiments.papers import feeds
from experiments.people.self_play import play
from groundswell.events import Action
from processors.learners.learner_choice import learner_for
from tests.unit.rounds import interaction


def test_a_learner_given_the_same_interactions_ends_with_the_same_weights() -> None:
    people = feeds.three_state(3, noise=0.05)
    played = play(people, feeds.MODEL, 3_000, 3)
    actions = [Action(f"a{i}") for i in range(feeds.ACTIONS)]
    learner = learner_for(feeds.MODEL)
    rewards = learner.learn(
        [
            interaction(
                number,
                context={"user": f"u{user}"},
                actions=actions,
                chosen=int(chosen),
                propensity=float(propensity),
                signals=[people.signals[signal]],
            )
            for number, (user, chosen, propensity, signal) in enumerate(
                zip(played.users, played.chosen, played.propensities, played.signals, strict=True)
            )
        ]
    )
    weights = learner.snapshot(None).bandit
    assert weights.values == played.bandit[weights.indices, 0].tolist()
    known = [
        (one.state, decoded) for one, decoded in zip(rewards, played.decoded, strict=True) if one and not one.doubt
    ]
    assert len(known) > len(rewards) / 2
    assert all(state == decoded for state, decoded in known)


def test_the_same_seed_gives_the_same_run_and_another_another() -> None:
    people = feeds.three_state(3)
    first, second, third = (play(people, feeds.MODEL, 500, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.values, second.values)
    assert not np.array_equal(first.users, third.users)


def test_people_may_change_half_way() -> None:
    before, after = feeds.three_state(1), feeds.three_state(2)
    played = play(before, feeds.MODEL, 1_000, 1, change=after)
    assert np.array_equal(played.true[:500], before.states[played.users, played.chosen][:500])
    assert np.array_equal(played.true[500:], after.states[played.users, played.chosen][500:])
