"""ICLR 2023, Fig. 7a: five users with three latent states and eleven actions."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.experiment import Bar, Experiment, Plot, Run
from experiments.papers import feeds

P_DISLIKE = 0.2


def run(setting: str, seed: int) -> Run:
    """Run one seed."""
    return feeds.ran(setting, seed, feeds.three_state(seed, p_dislike=P_DISLIKE))


def bars(_setting: str, runs: Sequence[Run]) -> list[Bar]:
    """Fast, for good, and with the -1 state recognised."""
    return [
        feeds.at_most(runs, "t90", 1_200),
        feeds.nineteen_of_twenty(runs, "stable", 2_500),
        feeds.at_least(runs, "recall_negative", 0.95),
    ]


def plots(runs: Sequence[Run]) -> list[Plot]:
    """The value of the greedy policy and the rates of the inferred states (the papers' Figure 7)."""
    return [
        Plot("value", "Value of the greedy policy (best: 1).", feeds.curves(runs, ["value"], "value")),
        Plot(
            "states",
            "Share of each inferred state among the interactions played. A policy that learns shows ever more +1.",
            feeds.curves(runs, ["decoded +1", "decoded +0", "decoded -1"], "share"),
        ),
    ]


EXPERIMENT = Experiment(
    name="three-state",
    title="Three latent states (ICLR 2023, Fig. 7a)",
    explanation="Five simulated users each enjoy one of eleven actions and hate another. An enjoyed action is "
    "clicked "
    "(.75) or liked (.25), a hated one disliked (.2) or skipped, any other ignored. The learner is told only "
    "that a "
    "dislike is definitely negative.",
    configuration=feeds.configuration(p_dislike=P_DISLIKE),
    settings=("p_dislike .2",),
    run=run,
    directions=feeds.DIRECTIONS,
    bars=bars,
    plots=plots,
)
