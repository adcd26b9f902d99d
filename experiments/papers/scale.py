"""More users and more actions than the papers try."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.papers import feeds
from experiments.papers.runs_and_bars import Bar, Experiment, Plot, Run

HORIZON = 60_000
SETTINGS = {"100 x 11": (100, 11, 12_000), "20 x 50": (20, 50, 10_000), "5 x 200": (5, 200, 13_000)}
"""Users, actions and the bar of the median t90."""


def run(setting: str, seed: int) -> Run:
    """Run one seed at one size."""
    users, actions, _ = SETTINGS[setting]
    return feeds.ran(setting, seed, feeds.three_state(seed, users=users, actions=actions), horizon=HORIZON)


def bars(setting: str, runs: Sequence[Run]) -> list[Bar]:
    """The prototypes' times, or better."""
    return [feeds.at_most(runs, "t90", SETTINGS[setting][2])]


def plots(runs: Sequence[Run]) -> list[Plot]:
    """The value of the greedy policy at each size."""
    return [Plot("value", "Value of the greedy policy (best: 1).", feeds.curves(runs, ["value"], "value"))]


EXPERIMENT = Experiment(
    name="scale",
    title="More users, more actions",
    explanation="The three-state feed with p_dislike .1 at larger sizes, given as users x actions.",
    configuration=feeds.configuration(
        p_dislike=feeds.P_DISLIKE, horizon=HORIZON, sizes={name: size[:2] for name, size in SETTINGS.items()}
    ),
    settings=tuple(SETTINGS),
    run=run,
    directions=feeds.DIRECTIONS,
    bars=bars,
    plots=plots,
)
