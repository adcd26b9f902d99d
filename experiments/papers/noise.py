"""Accidental signals, which both papers leave for the future."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.papers import feeds
from experiments.papers.runs_and_bars import Bar, Experiment, Plot, Run, worst

SETTINGS = {f"noise {noise:g}": noise for noise in (0.05, 0.1, 0.2)}


def run(setting: str, seed: int) -> Run:
    """Run one seed with so many accidental signals."""
    return feeds.ran(setting, seed, feeds.three_state(seed, noise=SETTINGS[setting]))


def bars(setting: str, runs: Sequence[Run]) -> list[Bar]:
    """Fast at .1, and never the wrong way round in the end."""
    lowest = worst([run.measures["final_value"] for run in runs], "higher")
    bars = [Bar("lowest mean value of the last 20,000", "> 0", lowest, lowest is not None and lowest > 0)]
    if SETTINGS[setting] == 0.1:
        bars.append(feeds.at_most(runs, "t90", 2_500))
    return bars


def plots(runs: Sequence[Run]) -> list[Plot]:
    """The value of the greedy policy at each rate of accidents."""
    return [Plot("value", "Value of the greedy policy (best: 1).", feeds.curves(runs, ["value"], "value"))]


EXPERIMENT = Experiment(
    name="noise",
    title="Accidental signals",
    explanation="The three-state feed with p_dislike .1; with the given probability a signal, the definitely "
    "negative "
    "one included, is drawn uniformly whatever the person feels.",
    configuration=feeds.configuration(p_dislike=feeds.P_DISLIKE, noise=list(SETTINGS.values())),
    settings=tuple(SETTINGS),
    run=run,
    directions=feeds.DIRECTIONS,
    bars=bars,
    plots=plots,
)
