"""ICLR 2023, Fig. 4 and 9-11: readers of news pages who use the same reactions for different things."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

from experiments.papers.feeds import COLOURS
from experiments.papers.runs_and_bars import Bar, Experiment, Plot, Run, median
from experiments.people import facebook
from experiments.people.rounds import GIVEN, INFERRED, TRUE, Rounds, played
from processors.features.feature_store import FeatureStore
from processors.models.config import ModelConfig

A_DAY = 300
"""Interactions a page and day."""
MODEL = ModelConfig(name="news", definitely_negative=frozenset({"angry"}))
CHANGING, FIXED = "ten new posts a day", "the same ten posts"
EMOJI = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1], dtype=float)
COMMENT = np.array([0, 0, 1, 0, 0, 0, 0, 0, 0], dtype=float)
LEARNERS: dict[str, tuple[int, Any]] = {
    "IGL-P(3)": (INFERRED, EMOJI),
    "CB-emoji": (GIVEN, EMOJI),
    "CB-comment": (GIVEN, COMMENT),
    "oracle": (TRUE, EMOJI),
}


@functools.cache
def readers(setting: str, seed: int) -> Rounds:
    """Return the visits of a seed: days in order, on each day the pages' readers mixed."""
    pages = facebook.pages()
    store = FeatureStore(crosses=False)
    contexts = [store.context({"page": page.name}) for page in pages]
    by_page = [facebook.days(page, seed) for page in pages]
    rng = np.random.default_rng([seed, 1])
    states: list[np.ndarray] = []
    visits, sets = [], []
    fixed = [int(rng.integers(len(of_page))) for of_page in by_page]
    for day in range(min(len(of_page) for of_page in by_page)):
        rows = []
        for page, of_page in enumerate(by_page):
            shown = of_page[fixed[page] if setting == FIXED else day]
            rows.append(store.actions(shown.posts))
            if rows[-1] == len(states):
                states.append(shown.states)
        today = rng.permutation(np.repeat(np.arange(len(pages)), A_DAY))
        visits.append(today)
        sets.append(np.array(rows)[today])
    reader = np.concatenate(visits)
    return Rounds(
        store=store,
        contexts=np.array(contexts)[reader],
        sets=np.concatenate(sets),
        readers=reader,
        states=np.array(states),
        emissions=np.array([page.emissions for page in pages]),
        signals=facebook.SIGNALS,
    )


def run(setting: str, seed: int) -> Run:
    """Let each learner play the same visits, and look at the second half."""
    rounds = readers(setting, seed)
    half = len(rounds.sets) // 2
    measures: dict[str, Any] = {}
    curves = {}
    for name, (source, rewards) in LEARNERS.items():
        outcome = played(rounds, MODEL, seed + 1_000_000_007, source, rewards)
        shares = {}
        for number, page in enumerate(facebook.pages()):
            true = outcome.true[half:][rounds.readers[half:] == number]
            shares[page.name] = {"+1": float((true == 1).mean()), "-1": float((true == -1).mean())}
        net = [share["+1"] - share["-1"] for share in shares.values()]
        measures[name] = {
            "pages": shares,
            "worst +1": min(share["+1"] for share in shares.values()),
            "worst -1": max(share["-1"] for share in shares.values()),
            "gap": max(net) - min(net),
        }
        block = 3 * A_DAY
        curves[name] = (outcome.true[: len(outcome.true) // block * block].reshape(-1, block) == 1).mean(axis=1)
    return Run(setting, seed, measures, curves)


def bars(setting: str, runs: Sequence[Run]) -> list[Bar]:
    """Near the oracle, far from the baselines, and fair between the pages."""
    if setting == FIXED:
        return []

    def mid(learner: str, measure: str) -> float:
        return median([run.measures[learner][measure] for run in runs], "higher") or 0.0

    ours, oracle = mid("IGL-P(3)", "worst +1"), mid("oracle", "worst +1")
    bad, oracle_bad = mid("IGL-P(3)", "worst -1"), mid("oracle", "worst -1")
    gap = mid("IGL-P(3)", "gap")
    result = [
        Bar("worst page's +1 share over the oracle's", ">= 0.8", ours / oracle, ours >= 0.8 * oracle),
        Bar("worst page's -1 share over the oracle's", "<= 2", bad / oracle_bad, bad <= 2 * oracle_bad),
        Bar("gap between pages in (+1 minus -1)", "<= 0.08", gap, gap <= 0.08),
    ]
    for name in ("CB-emoji", "CB-comment"):
        theirs, theirs_bad = mid(name, "worst +1"), mid(name, "worst -1")
        result += [
            Bar(f"worst page's +1 share over {name}'s", ">= 5", ours / theirs, ours >= 5 * theirs),
            Bar(f"worst page's -1 share over {name}'s", "<= 0.25", bad / theirs_bad, bad <= theirs_bad / 4),
        ]
    return result


def plots(runs: Sequence[Run]) -> list[Plot]:
    """Shares of good and bad posts by page and learner, and the good ones by day."""
    settings = list(dict.fromkeys(run.setting for run in runs))
    pages = list(runs[0].measures["oracle"]["pages"])
    shares, axes = plt.subplots(len(settings), 2, figsize=(10, 3.4 * len(settings)), squeeze=False)
    days, below = plt.subplots(1, len(settings), figsize=(5 * len(settings), 3.4), squeeze=False)
    width = 0.8 / len(LEARNERS)
    for row, under, setting in zip(axes, below[0], settings, strict=True):
        chosen = [run for run in runs if run.setting == setting]
        for number, (colour, name) in enumerate(zip(COLOURS, LEARNERS, strict=False)):
            for axis, state in zip(row, ("+1", "-1"), strict=True):
                heights = [np.median([run.measures[name]["pages"][page][state] for run in chosen]) for page in pages]
                axis.bar(np.arange(len(heights)) + number * width, heights, width, color=colour, label=name)
                axis.set(title=f"{setting}: share of state {state}", ylim=(0, 1))
                axis.set_xticks(np.arange(len(heights)) + 1.5 * width, pages)
            curve = np.median([run.curves[name] for run in chosen], axis=0)
            under.plot(np.arange(1, len(curve) + 1), curve, color=colour, label=name)
        under.set(title=setting, xlabel="day", ylabel="share of state +1", ylim=(0, 1))
        under.legend(fontsize="small")
    axes[0][0].legend(fontsize="small")
    return [
        Plot(
            "pages",
            "What readers were shown in the second half of the days, by page: posts that left them satisfied (+1) "
            "and dissatisfied (-1).",
            shares,
        ),
        Plot("days", "Share of posts that left readers satisfied among those shown, all pages, by day.", days),
    ]


EXPERIMENT = Experiment(
    name="facebook",
    title="News pages (ICLR 2023, Fig. 4 and 9-11)",
    explanation="Readers of Fox News, the Huffington Post and TIME in 2016, ten posts of each page and day with type, "
    "words and id, the authors' reaction probabilities; or of any pages that GROUNDSWELL_FACEBOOK lists. Only 'angry' "
    "is known to be definitely negative. The readers' single reactions are simulated: the data has totals per post. "
    "Baselines take every emoji, or every comment, for joy; the oracle is told the state.",
    configuration={"model": MODEL.model_dump(mode="json"), "interactions_per_page_and_day": A_DAY},
    settings=(CHANGING, FIXED),
    run=run,
    directions={},
    bars=bars,
    plots=plots,
    data=facebook.pages,
)
