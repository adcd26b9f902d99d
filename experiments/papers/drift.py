"""A world that changes half-way: a signal turns its meaning for half of the people, or preferences change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib import pyplot as plt

from experiments.papers import feeds, measures
from experiments.papers.runs_and_bars import Bar, Experiment, Plot, Run
from experiments.people.self_play import People, play

HORIZON = 60_000
CHANGE = HORIZON // 2
SOON = 5_000
MEANING, PREFERENCES = "skip and click change places for half of the people", "everybody's preferences change"


def after(setting: str, people: People, seed: int) -> People:
    """Return the people of the second half."""
    if setting == PREFERENCES:
        return replace(people, states=feeds.three_state(seed + 500_000_000).states)
    click, skip = people.signals.index("click"), people.signals.index("skip")
    emissions = np.repeat(people.emissions[None], len(people.states), axis=0)
    turned = np.arange(len(people.states)) < (len(people.states) + 1) // 2
    emissions[turned] = _swapped(emissions[turned], click, skip)
    return replace(people, emissions=emissions)


def _swapped(emissions: np.ndarray, one: int, other: int) -> np.ndarray:
    order = np.arange(emissions.shape[-1])
    order[[one, other]] = order[[other, one]]
    return emissions[..., order]


def run(setting: str, seed: int) -> Run:
    """Run one seed through the change."""
    people = feeds.three_state(seed)
    played = play(people, feeds.MODEL, HORIZON, seed + 1_000_000_007, change=after(setting, people, seed))
    means = measures.trailing_mean(played.values)
    good = np.flatnonzero(means[CHANGE:] >= measures.GOOD)
    return Run(
        setting,
        seed,
        {
            "before": float(means[CHANGE - measures.WINDOW]),
            "back_after": int(good[0]) + measures.WINDOW if len(good) else None,
            "final_value": float(means[-1]),
        },
        {"value": means[::100]},
    )


def bars(_setting: str, runs: Sequence[Run]) -> list[Bar]:
    """Back soon after the change."""
    return [feeds.at_most(runs, "back_after", SOON)]


def plots(runs: Sequence[Run]) -> list[Plot]:
    """The value of the greedy policy through the change."""
    settings = list(dict.fromkeys(run.setting for run in runs))
    figure, axes = plt.subplots(1, len(settings), figsize=(6 * len(settings), 3.4), sharey=True, squeeze=False)
    for axis, setting in zip(axes[0], settings, strict=True):
        lines = np.array([run.curves["value"] for run in runs if run.setting == setting])
        x = measures.WINDOW + 100 * np.arange(lines.shape[1])
        axis.fill_between(x, lines.min(axis=0), lines.max(axis=0), color=feeds.COLOURS[0], alpha=0.2, linewidth=0)
        axis.plot(x, np.median(lines, axis=0), color=feeds.COLOURS[0])
        axis.axvline(CHANGE, color="grey", linestyle=":")
        axis.set(title=setting, xlabel="interactions", ylabel="value")
    return [Plot("value", "Value of the greedy policy; the world changes at the dotted line.", figure)]


EXPERIMENT = Experiment(
    name="drift",
    title="A world that changes",
    explanation="The three-state feed with p_dislike .1. After 30,000 interactions either the signals skip "
    "and click "
    "change places for three of the five people, or everybody enjoys and hates other actions.",
    configuration=feeds.configuration(p_dislike=feeds.P_DISLIKE, horizon=HORIZON, change=CHANGE),
    settings=(MEANING, PREFERENCES),
    run=run,
    directions={"before": "higher", "back_after": "lower", "final_value": "higher"},
    bars=bars,
    plots=plots,
)
