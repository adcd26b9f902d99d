"""Sessions of several decisions with one outcome at the end, a case of `hard.py` that is played by sessions.

The synthetic study of arXiv 2602.08307 shows a policy learned from decoded rewards come near to the best one; so does
this, on a Markov decision process of our own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.papers import feeds, measures
from experiments.papers.runs_and_bars import Bar, Experiment, Plot, Run, median
from experiments.people import sessions
from experiments.people.playing import INFERRED, MODEL, TRUE

SETTLED = 2_000
SHARE = 0.9


def run(setting: str, seed: int) -> Run:
    """Let learner and oracle have the same people's sessions; measure the last 2,000."""
    world = sessions.world(setting, seed)
    ours, oracle = (sessions.played(world, source, seed) for source in (INFERRED, TRUE))
    chance = sessions.chance(world)
    best = float(np.mean([world.best(user) for user in range(sessions.USERS)]))
    value, told = (float(one[-SETTLED:].mean()) for one in (ours, oracle))
    return Run(
        setting,
        seed,
        {
            "value": value,
            "oracle": told,
            "best": best,
            "share": (value - chance) / (told - chance),
            "share_of_best": (value - chance) / (best - chance),
        },
        {"value": measures.trailing_mean(ours)[::100]},
    )


def bars(_setting: str, runs: Sequence[Run]) -> list[Bar]:
    """A goal: near to those who are told."""
    reached = median([one.measures["share"] for one in runs], "higher")
    return [Bar("median share of the oracle's value", f">= {SHARE:g}", reached, (reached or 0.0) >= SHARE)]


def plots(runs: Sequence[Run]) -> list[Plot]:
    """The value of the greedy policy."""
    return [Plot("value", "Value of the greedy policy, a panel per setting.", feeds.curves(runs, ["value"], "value"))]


EXPERIMENT = Experiment(
    name="hard-multi-turn",
    title="Sessions with one outcome at the end",
    explanation="Ten people, half of whom mean the opposite by the same signals, in sessions of several decisions. "
    "Each decision leads to one of three places, and only in one of them, by one of five actions, does a session end "
    "well. The last decision is decoded, and what is inferred is the feedback to those before it. Shares are of the "
    "value, above that of random decisions, of the same learners told how each session ended.",
    configuration={
        "end": MODEL.model_dump(mode="json"),
        "turns": sessions.TOLD.model_dump(mode="json"),
        "sessions": sessions.SESSIONS,
        "settled": SETTLED,
    },
    settings=tuple(sessions.CASES),
    run=run,
    directions={"share": "higher", "share_of_best": "higher", "value": "higher"},
    bars=bars,
    plots=plots,
)
