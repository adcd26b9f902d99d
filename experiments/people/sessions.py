"""Sessions of several decisions with one outcome at the end: a conversation that ends well or not.

The synthetic study of personalised Interaction-Grounded Learning for contextual Markov decision processes (Zhang,
Zhang, Luo & Mineiro, arXiv 2602.08307) is of this kind: each decision moves the session to another place, what is felt
depends on the last one, and only then somebody gives feedback, in a way of their own. There the reward is decoded at
the last decision, by inverse kinematics among those who reached the same place, and a policy learns from it by
inverse-gap weighting. Here two models do it, as an app would with what the worker writes: "end" decodes the last
decisions, and what it infers is the definite feedback that the model "turns" has of the earlier ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.people.playing import INFERRED, MODEL, inferred
from experiments.people.world import EMISSIONS, SIGNALS, liking
from groundswell.events import NONE_SIGNAL, Action, Features, Impression, Interaction, Source
from processors.learners.three_state_learner import ThreeStateLearner
from processors.models.config import ModelConfig

CASES: Final = {"two turns": 2, "three turns": 3, "five turns": 5}
SESSIONS: Final = 20_000
USERS, PLACES, ACTIONS = 10, 3, 5
SLIP: Final = 0.1
"""How often a decision leads somewhere at random."""
TOGETHER: Final = 20
"""Sessions that are decided by one policy."""
TURNED: Final = ((0.7, 0.2, 0.1, 0.0, 0.0), EMISSIONS[1], (0.0, 0.0, 0.0, 1.0, 0.0))
"""What half of the people answer: they mean the opposite by every signal but a dislike."""
JUDGED: Final = ("hated", NONE_SIGNAL, "enjoyed")
TOLD: Final = ModelConfig(
    name="turns", definitely_negative=frozenset({"hated"}), definitely_positive=frozenset({"enjoyed"})
)
"""The model of decisions whose end is known as one of `JUDGED`."""


@dataclass(frozen=True)
class Sessions:
    """Where decisions lead and what is felt at the end.

    moves: (turns - 1, places, actions) the next place. ends: (users, places, actions) in -1, 0, +1. emissions:
    (users, 3, signals).
    """

    moves: NDArray[np.int64]
    ends: NDArray[np.int64]
    emissions: NDArray[np.float64]

    @property
    def turns(self) -> int:
        """How many decisions a session has."""
        return len(self.moves) + 1

    def value(self, user: int, shown: Callable[[int, int], NDArray[np.float64]]) -> float:
        """Return what is felt in the mean at the end of a user's sessions, with actions shown at (turn, place) so."""
        at = np.full(PLACES, 1 / PLACES)
        for turn, moves in enumerate(self.moves):
            after = np.zeros(PLACES)
            for place in range(PLACES):
                np.add.at(after, moves[place], at[place] * (1 - SLIP) * shown(turn, place))
            at = after + SLIP / PLACES
        ends = [self.ends[user, place] @ shown(self.turns - 1, place) for place in range(PLACES)]
        return float(at @ np.array(ends))

    def best(self, user: int) -> float:
        """Return the value of the best policy for a user, by dynamic programming."""
        worth = self.ends[user].max(axis=1).astype(float)
        for moves in self.moves[::-1]:
            worth = ((1 - SLIP) * worth[moves] + SLIP * worth.mean()).max(axis=1)
        return float(worth.mean())


def world(case: str, seed: int) -> Sessions:
    """Return ten people who are happy in one place only, by one action of five there; one action each is hated."""
    rng = np.random.default_rng([seed, 15])
    turns = CASES[case]
    moves = rng.integers(0, PLACES, (turns - 1, PLACES, ACTIONS))
    for turn in range(turns - 1):
        for place in range(PLACES):  # from everywhere one can go everywhere
            moves[turn, place, rng.permutation(ACTIONS)[:PLACES]] = np.arange(PLACES)
    ends = np.stack([liking(rng, PLACES, ACTIONS, 1, 1) for _ in range(USERS)])
    happy = rng.integers(0, PLACES, USERS)
    for user in range(USERS):
        elsewhere = np.arange(PLACES) != happy[user]
        ends[user, elsewhere] = np.minimum(ends[user, elsewhere], 0)
    emissions = np.array([TURNED if user % 2 else EMISSIONS for user in range(USERS)])
    return Sessions(moves, ends, emissions)


def played(world: Sessions, source: int, seed: int, *, count: int = SESSIONS) -> NDArray[np.float64]:
    """Let people and learners have so many sessions; return the value of the greedy policy after each.

    `source` is INFERRED, or TRUE for learners that are told what was felt at the end (the oracle).
    """
    rng = np.random.default_rng([seed, 16])
    end, turns = (ThreeStateLearner(MODEL if source == INFERRED else TOLD), ThreeStateLearner(TOLD))
    actions = [Action(f"a{i}") for i in range(ACTIONS)]
    emitted = np.cumsum(world.emissions, axis=2)
    values = np.zeros(count)

    def learner_of(turn: int) -> ThreeStateLearner:
        return end if turn == world.turns - 1 else turns

    def greedy(user: int) -> Callable[[int, int], NDArray[np.float64]]:
        def shown(turn: int, place: int) -> NDArray[np.float64]:
            scores = learner_of(turn).scores(_known(user, turn, place), actions)
            best: NDArray[np.float64] = (scores == scores.max()).astype(float)
            best /= best.sum()
            return best

        return shown

    for begin in range(0, count, TOGETHER):
        values[begin : begin + TOGETHER] = np.mean([world.value(user, greedy(user)) for user in range(USERS)])
        last, before = [], []
        policies: dict[tuple[int, int, int], NDArray[np.float64]] = {}
        for number in range(begin, min(begin + TOGETHER, count)):
            user, place = int(rng.integers(USERS)), int(rng.integers(PLACES))
            impressions = []
            for turn in range(world.turns):
                where = user, turn, place
                if where not in policies:
                    policies[where] = np.array(learner_of(turn).probabilities(_known(*where), actions))
                shown = policies[where]
                chosen = min(int(np.searchsorted(np.cumsum(shown), rng.random())), ACTIONS - 1)
                impressions.append(_impression(number, where, actions, chosen, float(shown[chosen])))
                if turn < world.turns - 1:
                    slips = rng.random() < SLIP
                    place = int(rng.integers(PLACES)) if slips else int(world.moves[turn, place, chosen])
            felt = int(world.ends[user, place, chosen])
            said = SIGNALS[min(int(np.searchsorted(emitted[user, felt + 1], rng.random(), side="right")), 4)]
            last.append(_interaction(impressions[-1], said if source == INFERRED else JUDGED[felt + 1]))
            before.append(impressions[:-1])
        judged = [JUDGED[inferred(reward) + 1] for reward in end.learn(last) if reward is not None]
        turns.learn([_interaction(one, how) for some, how in zip(before, judged, strict=True) for one in some])
    return values


def chance(world: Sessions) -> float:
    """Return the value of random decisions."""
    return float(np.mean([world.value(user, lambda *_: np.full(ACTIONS, 1 / ACTIONS)) for user in range(USERS)]))


def _known(user: int, turn: int, place: int) -> Features:
    return {"user": f"u{user}", "where": f"u{user} turn {turn} place {place}"}


def _impression(
    number: int, where: tuple[int, int, int], actions: Sequence[Action], chosen: int, propensity: float
) -> Impression:
    return Impression(
        schema_version=1,
        impression_id=f"s{number} t{where[1]}",
        occurred_at=number,
        model=MODEL.name,
        context=_known(*where),
        actions=list(actions),
        chosen=chosen,
        propensity=propensity,
    )


def _interaction(impression: Impression, signal: str) -> Interaction:
    source = Source(partition=0, offset=impression.occurred_at, floor=0)
    return Interaction(schema_version=1, source=source, impression=impression, feedback=[], signals=[signal])
