"""One bad producer among honest apps: how far it moves what the policy is worth to honest people.

Each setting is a family of attacks, early or late in the stream, by a rule. It is played twice on the same visits,
with and without the attack.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from experiments.papers import feeds
from experiments.papers.runs_and_bars import Bar, Experiment, Plot, Run, worst
from experiments.people import hostile
from processors.models.config import InverseKinematicsConfig, ModelConfig, RewardConfig

DEFAULT: Final = ModelConfig(name="hostile", definitely_negative=frozenset({"dislike"}))
PAPERS: Final = DEFAULT.model_copy(
    update={"reward": RewardConfig(rule="iclr", alpha=0.1), "inverse_kinematics": InverseKinematicsConfig()}
)
MODELS: Final = {"default": DEFAULT, "papers": PAPERS}
VISITS: Final = {"default": hostile.VISITS, "papers": 3 * hostile.VISITS}
"""The papers' rule is slower: until all people are understood, chance alone would move the value."""
OF_PAPERS: Final = ("giant", "heavy", "propensities")
"""Families that are played by the papers' rule, too: those that aim at its classifier."""
MOVED: Final = 0.02
EXPLORED: Final = 1.25
"""How many times as much as without the attack may be explored, on average since it began."""
EFFECTIVE: Final = 0.3
"""Of the effective share of weights without the attack, what has to be left of it."""


@cache
def _undisturbed(rule: str, seed: int, numbers: bool) -> hostile.Lived:
    return hostile.lived(seed, MODELS[rule], visits=VISITS[rule], numbers=numbers)


def run(setting: str, seed: int) -> Run:
    """Play with and without the attack."""
    rule, family, when = setting.split()
    numbers = family in hostile.NUMBERS
    without = _undisturbed(rule, seed, numbers)
    visits = VISITS[rule]
    attack = hostile.attack(family, when, seed, visits=visits)
    with_it = hostile.lived(seed, MODELS[rule], attack, visits=visits, numbers=numbers)
    last = slice(-hostile.FINAL_LOOKS, None)
    since = slice(hostile.begins(when, visits) // hostile.LOOKED_EVERY, None)
    measures = {
        "greedy_value": float(with_it.greedy[last].mean()),
        "greedy_without": float(without.greedy[last].mean()),
        "moved": float(abs(with_it.greedy[last].mean() - without.greedy[last].mean())),
        "moved_with_exploration": float(abs(with_it.values[last].mean() - without.values[last].mean())),
        "explored": float((with_it.explored[since] / without.explored[since]).mean()),
        "explored_most": float((with_it.explored[since] / without.explored[since]).max()),
        "log_loss": with_it.log_loss,
        "log_loss_without": without.log_loss,
        "log_loss_moved": abs(with_it.log_loss - without.log_loss),
        "mean_weight": with_it.mean_weight,
        "mean_weight_without": without.mean_weight,
        "effective_share": with_it.effective_share,
        "effective_share_without": without.effective_share,
        "effective_kept": with_it.effective_share / without.effective_share,
    }
    return Run(setting, seed, measures, {"attacked": with_it.explored, "undisturbed": without.explored})


def bars(_setting: str, runs: Sequence[Run]) -> list[Bar]:
    """In no seed may the value move, nor exploration or what is said of the learner by much."""

    def in_all(name: str, measure: str, bar: float, *, least: bool = False) -> Bar:
        reached = worst([one.measures[measure] for one in runs], "higher" if least else "lower")
        met = reached is not None and (reached >= bar if least else reached <= bar)
        return Bar(f"{name}, in all seeds", f"{'>' if least else '<'}= {bar:g}", reached, met)

    return [
        in_all("final value of what is ranked first moved by", "moved", MOVED),
        in_all("final value of what is shown moved by", "moved_with_exploration", MOVED),
        in_all("times as much explored", "explored", EXPLORED),
        in_all("log loss moved by", "log_loss_moved", 0.3),
        in_all("mean weight", "mean_weight", 2.0),
        in_all("effective share of weights, of that without", "effective_kept", EFFECTIVE, least=True),
    ]


def plots(runs: Sequence[Run]) -> list[Plot]:
    """Draw the exploration with and without the attack."""
    return [
        Plot(
            "exploration",
            "Epsilon with the attack and without.",
            feeds.curves(runs, ["attacked", "undisturbed"], "epsilon", hostile.LOOKED_EVERY),
        )
    ]


EXPERIMENT = Experiment(
    name="hostile",
    title="One bad producer",
    explanation="Sixty people, of whom half come in the second half, and one producer whose impressions are giant, "
    "absurdly heavy, full of new names, or beyond all others in some number.",
    configuration={
        "models": {name: model.model_dump(mode="json") for name, model in MODELS.items()},
        "people": hostile.PEOPLE,
        "actions": hostile.ACTIONS,
        "visits": VISITS,
    },
    settings=[
        f"{rule} {family} {when}"
        for rule in MODELS
        for family in (hostile.FAMILIES if rule == "default" else OF_PAPERS)
        for when in (hostile.EARLY, hostile.LATE)
    ],
    run=run,
    directions={
        "moved": "lower",
        "moved_with_exploration": "lower",
        "explored": "lower",
        "explored_most": "lower",
        "log_loss_moved": "lower",
        "mean_weight": "lower",
        "effective_kept": "higher",
    },
    bars=bars,
    plots=plots,
)
