"""The papers' simulated feeds of a few users and actions, and what the experiments on them share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from experiments.papers import measures
from experiments.papers.runs_and_bars import Bar, Direction, Plot, Run, median, never_is_worst, worst
from experiments.people.self_play import People, Play, play
from experiments.people.three_state import SIGNALS, ThreeStateUsers
from processors.learners import three_state as kernel
from processors.models.config import ModelConfig

USERS, ACTIONS, P_DISLIKE, HORIZON = 5, 11, 0.1, 150_000
MODEL = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}))
DIRECTIONS: dict[str, Direction] = {
    "t90": "lower",
    "stable": "lower",
    "recall_negative": "higher",
    "final_value": "higher",
}
STATES = {1: "decoded +1", 0: "decoded 0", -1: "decoded -1"}
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
"""Okabe & Ito's colours, told apart by everybody."""


def three_state(
    seed: int, *, users: int = USERS, actions: int = ACTIONS, p_dislike: float = P_DISLIKE, noise: float = 0.0
) -> People:
    """Return people who enjoy one action and hate another (ICLR 2023, section 5.1)."""
    emissions = [
        [0.0, 0.0, p_dislike, 1 - p_dislike, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0],
        [0.75, 0.25, 0.0, 0.0, 0.0],
    ]
    return People(ThreeStateUsers(users, actions, p_dislike, seed).states, np.array(emissions), SIGNALS, noise)


def two_state(seed: int, p_dislike: float = P_DISLIKE) -> People:
    """Return people who enjoy one action and hate none (ICLR 2023, Fig. 5a)."""
    emissions = [
        [0.0, 0.0, 0.0, 0.0, 1.0],
        [0.0, 0.0, p_dislike / 2, (1 - p_dislike) / 2, 0.5],
        [0.75, 0.25, 0.0, 0.0, 0.0],
    ]
    states = np.maximum(ThreeStateUsers(USERS, ACTIONS, p_dislike, seed).states, 0)
    return People(states, np.array(emissions), SIGNALS)


def measured(setting: str, seed: int, played: Play) -> Run:
    """Return the run with the measures that all these experiments share."""
    recall = measures.recall(played.true, played.decoded)
    return Run(
        setting,
        seed,
        {
            "t90": measures.t90(played.values),
            "stable": measures.stable(played.values),
            "value_at": measures.value_at(played.values),
            "final_value": float(played.values[-measures.SETTLED :].mean()),
            "recall": recall,
            "precision": measures.precision(played.true, played.decoded),
            "recall_negative": recall["-1"],
            **_told(played),
        },
        {
            "value": measures.trailing_mean(played.values)[::100],
            **{
                name: measures.trailing_mean((played.decoded == state).astype(float))[::100]
                for state, name in STATES.items()
            },
        },
    )


def _told(played: Play) -> dict[str, float]:
    """Return how right the probabilities of states are, and how many are unknown, where the rule says so."""
    said, felt = played.probabilities[measures.SETTLED :], played.true[measures.SETTLED :]
    if not said.any():
        return {}
    return {
        "calibration_error": measures.calibration_error(said, felt),
        "unknown": float((played.doubts[measures.SETTLED :] != kernel.SURE).mean()),
    }


def ran(setting: str, seed: int, people: People, model: ModelConfig = MODEL, horizon: int = HORIZON) -> Run:
    """Let people and learner interact and measure it. People and play take different streams of one seed."""
    return measured(setting, seed, play(people, model, horizon, seed + 1_000_000_007))


def at_most(runs: Sequence[Run], measure: str, bar: float) -> Bar:
    """The median of a measure is at most `bar`."""
    reached = median([run.measures[measure] for run in runs], "lower")
    return Bar(
        f"median {measure}",
        f"<= {bar:,.0f}" if bar >= 1 else f"<= {bar:g}",
        reached,
        reached is not None and reached <= bar,
    )


def nineteen_of_twenty(runs: Sequence[Run], measure: str, bar: float) -> Bar:
    """A measure is at most `bar` in 19 of 20 seeds (of fewer seeds, in all but one of each 20)."""
    values = [never_is_worst(run.measures[measure], "lower") for run in runs]
    share = float(np.mean(np.array(values) <= bar))
    return Bar(f"share of seeds with {measure} <= {bar:,.0f}", ">= 0.95", share, share >= 0.95)


def at_least(runs: Sequence[Run], measure: str, bar: float) -> Bar:
    """A measure is at least `bar` in every seed."""
    reached = worst([run.measures[measure] for run in runs], "higher")
    return Bar(f"worst {measure}", f">= {bar:g}", reached, reached is not None and reached >= bar)


def curves(runs: Sequence[Run], names: Sequence[str], label: str, step: int = 100) -> Figure:
    """Draw curves over interactions, a panel per setting: the median over seeds and the range of all."""
    settings = list(dict.fromkeys(run.setting for run in runs))
    figure, axes = plt.subplots(1, len(settings), figsize=(1.5 + 3.6 * len(settings), 3.4), sharey=True, squeeze=False)
    for axis, setting in zip(axes[0], settings, strict=True):
        for colour, name in zip(COLOURS, names, strict=False):
            lines = np.array([run.curves[name] for run in runs if run.setting == setting and name in run.curves])
            if not lines.size:
                continue
            x = measures.WINDOW + step * np.arange(lines.shape[1])
            axis.fill_between(x, lines.min(axis=0), lines.max(axis=0), color=colour, alpha=0.2, linewidth=0)
            axis.plot(x, np.median(lines, axis=0), color=colour, label=name)
        axis.set(xscale="log", xlabel="interactions", title=setting)
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel(label)
    axes[0][0].legend(fontsize="small")
    return figure


def plots(runs: Sequence[Run]) -> list[Plot]:
    """Draw the value of the greedy policy and the rates of the inferred states (ICLR 2023, Fig. 7)."""
    return [
        Plot("value", "Value of the greedy policy (best: 1).", curves(runs, ["value"], "value")),
        Plot(
            "states",
            "Share of each inferred state among the interactions played: +1 satisfied, 0 indifferent, -1 dissatisfied. "
            "A policy that learns shows ever more +1.",
            curves(runs, [*STATES.values()], "share"),
        ),
    ]


def configuration(**more: Any) -> dict[str, Any]:
    """Return what one needs to know to repeat a run."""
    return {
        "model": MODEL.model_dump(mode="json"),
        "users": USERS,
        "actions": ACTIONS,
        "horizon": HORIZON,
        **more,
    }
