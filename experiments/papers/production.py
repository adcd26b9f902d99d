"""ICLR 2023, Tables 1 and 2: lift of clicks, likes and dislikes in a feed of images, here a simulated one.

The simulator and the hand-made weights (`experiments/people/image_feed.py`) were committed before the first
comparison.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import pyplot as plt

from experiments.papers.feeds import COLOURS, MODEL
from experiments.papers.runs_and_bars import Bar, Experiment, Plot, Run
from experiments.people import image_feed
from experiments.people.rounds import GIVEN, INFERRED, played
from processors.models.config import ModelConfig, RewardConfig

TWO = MODEL.model_copy(update={"reward": RewardConfig(rule="two-state")})
LEAKING, VIDEOS = "leaking signals", "self-playing videos"
METRICS = ("click", "like", "dislike")
RESAMPLES = 10_000
LEARNERS: dict[str, tuple[ModelConfig, int, dict[str, float]]] = {
    "IGL-P(3)": (MODEL, INFERRED, image_feed.CLICK),
    "IGL-P(2)": (TWO, INFERRED, image_feed.CLICK),
    "CB-click": (MODEL, GIVEN, image_feed.CLICK),
    "hand-made weights": (MODEL, GIVEN, image_feed.HAND_MADE),
}


def run(setting: str, seed: int) -> Run:
    """Let each learner play the same feed; count what people did in the second half, when all have learned."""
    rounds = image_feed.rounds(seed, videos=setting == VIDEOS)
    measures = {}
    for name, (model, source, weights) in LEARNERS.items():
        rewards = np.array([weights[signal] for signal in image_feed.SIGNALS])
        outcome = played(rounds, model, seed + 1_000_000_007, source, rewards)
        half = image_feed.ROUNDS // 2
        counts = np.bincount(outcome.signals[half:], minlength=len(image_feed.SIGNALS))
        whole = np.bincount(outcome.signals, minlength=len(image_feed.SIGNALS))
        measures[name] = {
            **{metric: int(counts[image_feed.SIGNALS.index(metric)]) for metric in METRICS},
            "whole_run": {metric: int(whole[image_feed.SIGNALS.index(metric)]) for metric in METRICS},
            "liked_images": float((outcome.true == 1).mean()),
            "hated_images": float((outcome.true == -1).mean()),
            "videos": float((outcome.true == image_feed.VIDEO).mean()),
        }
    return Run(setting, seed, measures)


def lift(runs: Sequence[Run], learner: str, baseline: str, metric: str) -> tuple[float, float, float]:
    """Return the ratio of totals and its bootstrap 95% interval; seeds are resampled, pairs kept together."""
    pairs = np.array([[run.measures[name][metric] for name in (learner, baseline)] for run in runs], dtype=float)
    drawn = np.random.default_rng(0).integers(len(pairs), size=(RESAMPLES, len(pairs)))
    totals = pairs[drawn].sum(axis=1)
    low, high = np.quantile(totals[:, 0] / totals[:, 1], (0.025, 0.975))
    return float(pairs[:, 0].sum() / pairs[:, 1].sum()), float(low), float(high)


def bars(setting: str, runs: Sequence[Run]) -> list[Bar]:
    """No fewer clicks and likes than either baseline, fewer dislikes than clicks alone would bring."""
    result = []
    if setting == VIDEOS:
        value, _, high = lift(runs, "IGL-P(3)", "CB-click", "click")
        return [Bar(f"lift of clicks over CB-click, upper end {high:.3f}: IGL-P(3) loses", "< 1", value, high < 1)]
    for baseline in ("hand-made weights", "CB-click"):
        for metric in ("click", "like"):
            value, low, high = lift(runs, "IGL-P(3)", baseline, metric)
            name = f"lift of {metric}s over {baseline} [{low:.3f}, {high:.3f}]"
            result.append(Bar(name, ">= 1, lower end >= 0.98", value, value >= 1 and low >= 0.98))
    value, low, high = lift(runs, "IGL-P(3)", "CB-click", "dislike")
    result.append(Bar(f"lift of dislikes over CB-click [{low:.3f}, {high:.3f}]", "< 1", value, high < 1))
    value, low, high = lift(runs, "IGL-P(2)", "hand-made weights", "dislike")
    name = f"IGL-P(2) raises dislikes over hand-made weights [{low:.3f}, {high:.3f}]"
    result.append(Bar(name, "> 1", value, low > 1))
    return result


def plots(runs: Sequence[Run]) -> list[Plot]:
    """Lift of each metric over the hand-made weights, with its interval."""
    settings = list(dict.fromkeys(run.setting for run in runs))
    figure, axes = plt.subplots(1, len(settings), figsize=(5.5 * len(settings), 3.6), squeeze=False)
    names = [name for name in LEARNERS if name != "hand-made weights"]
    for axis, setting in zip(axes[0], settings, strict=True):
        chosen = [run for run in runs if run.setting == setting]
        for number, (colour, name) in enumerate(zip(COLOURS, names, strict=False)):
            points = np.array([lift(chosen, name, "hand-made weights", metric) for metric in METRICS])
            errors = np.abs(points[:, 1:] - points[:, :1]).T
            x = np.arange(len(METRICS)) + 0.2 * (number - 1)
            axis.errorbar(x, points[:, 0], yerr=errors, fmt="o", color=colour, capsize=3, label=name)
        axis.axhline(1, color="grey", linewidth=1)
        axis.set_xticks(range(len(METRICS)), [f"{metric}s" for metric in METRICS])
        axis.set(title=setting, ylabel="lift over hand-made weights")
    axes[0][0].legend(fontsize="small")
    return [
        Plot(
            "lift",
            "Clicks, likes and dislikes relative to hand-made weights, with bootstrap 95% intervals over seeds.",
            figure,
        )
    ]


EXPERIMENT = Experiment(
    name="production",
    title="An image feed with leaking signals (ICLR 2023, Tables 1 and 2)",
    explanation="Simulated: no data with logged propensities and several real signals is to be had. Signals "
    "also "
    "happen by accident, and images that repel are clicked twice as often as indifferent ones. IGL-P(3) knows "
    "only "
    "that a dislike is definitely negative. In the second setting it loses: a quarter of the indifferent "
    "images are "
    "videos that play by themselves, and 'play' tells which image was shown without telling whether it was "
    "liked; "
    "feedback that depends on the action beyond the reward breaks the assumption of IGL, so that videos pass "
    "for "
    "liked. Such a signal has to be left out of the feedback.",
    configuration={
        "model": MODEL.model_dump(mode="json"),
        "rounds": image_feed.ROUNDS,
        "emissions": image_feed.EMISSIONS,
        "hand_made": image_feed.HAND_MADE,
    },
    settings=(LEAKING, VIDEOS),
    run=run,
    directions={},
    bars=bars,
    plots=plots,
)
