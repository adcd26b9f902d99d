"""ICLR 2023, Fig. 7b: how rarely may a hated item be disliked?"""

from __future__ import annotations

from collections.abc import Sequence

from experiments.papers import feeds
from experiments.papers.runs_and_bars import Bar, Experiment, Run

SETTINGS = {f"p_dislike {p:g}": p for p in (0.05, 0.1, 0.2, 0.5)}


def run(setting: str, seed: int) -> Run:
    """Run one seed at one probability of a dislike."""
    return feeds.ran(setting, seed, feeds.three_state(seed, p_dislike=SETTINGS[setting]))


def bars(setting: str, runs: Sequence[Run]) -> list[Bar]:
    """The bars of the three-state experiment, wider where only one hated item in twenty is disliked."""
    rare = SETTINGS[setting] < 0.1
    return [
        feeds.at_most(runs, "t90", 1_400 if rare else 1_200),
        feeds.nineteen_of_twenty(runs, "stable", 5_000 if rare else 2_500),
        feeds.at_least(runs, "recall_negative", 0.9 if rare else 0.95),
    ]


EXPERIMENT = Experiment(
    name="dislike-sweep",
    title="Rare and frequent dislikes (ICLR 2023, Fig. 7b)",
    explanation="As the three-state experiment, with the probability that a hated item is disliked between .05 and .5.",
    configuration=feeds.configuration(p_dislike=list(SETTINGS.values())),
    settings=tuple(SETTINGS),
    run=run,
    directions=feeds.DIRECTIONS,
    bars=bars,
    plots=feeds.plots,
)
