"""ICLR 2023, Fig. 7a: five users with three latent states and eleven actions."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.papers import feeds
from experiments.papers.runs_and_bars import Bar, Experiment, Run

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
        feeds.at_most(runs, "calibration_error", 0.05),
        feeds.at_most(runs, "unknown", 0.02),
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
    directions={**feeds.DIRECTIONS, "calibration_error": "lower", "unknown": "lower"},
    bars=bars,
    plots=feeds.plots,
)
