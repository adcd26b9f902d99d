"""ICLR 2023, Fig. 5a and 6: IGL-P(2), right with two latent states and lost with three."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.papers import feeds
from experiments.papers.runs_and_bars import Bar, Experiment, Plot, Run, worst
from processors.models.config import ModelConfig, RewardConfig

MODEL = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), reward=RewardConfig(rule="two-state"))
RAMP = MODEL.model_copy(update={"reward": RewardConfig(rule="two-state", extreme="ramp")})
TWO, TWO_RAMP, THREE = "two states", "two states, by the ramp", "three states"


def run(setting: str, seed: int) -> Run:
    """Run one seed with the rule of IGL-P(2)."""
    people = feeds.three_state(seed) if setting == THREE else feeds.two_state(seed)
    return feeds.ran(setting, seed, people, RAMP if setting == TWO_RAMP else MODEL)


def bars(setting: str, runs: Sequence[Run]) -> list[Bar]:
    """Fast on two states; on three it must be seen to fail."""
    if setting != THREE:
        return [feeds.at_most(runs, "t90", 1_000)]
    highest = worst([run.measures["final_value"] for run in runs], "lower")
    return [Bar("highest mean value of the last 20,000", "< 0.5", highest, highest is not None and highest < 0.5)]


def plots(runs: Sequence[Run]) -> list[Plot]:
    """The value of the greedy policy."""
    return [
        Plot(
            "value",
            "Value of the greedy policy (best: 1). With a third state IGL-P(2) takes hatred for joy and swings.",
            feeds.curves(runs, ["value"], "value"),
        )
    ]


EXPERIMENT = Experiment(
    name="two-state",
    title="IGL-P(2) on two and on three states (ICLR 2023, Fig. 5a and 6)",
    explanation="The rule of IGL-P(2) pays 1 for every extreme interaction, by the step K P > 2 of the paper or by the "
    "ramp of NeurIPS 2024 (arXiv 2405.20677). That is right where nobody hates anything; where somebody does, it is "
    "shown here to fail.",
    configuration=feeds.configuration(model=MODEL.model_dump(mode="json"), p_dislike=feeds.P_DISLIKE),
    settings=(TWO, TWO_RAMP, THREE),
    run=run,
    directions=feeds.DIRECTIONS,
    bars=bars,
    plots=plots,
)
