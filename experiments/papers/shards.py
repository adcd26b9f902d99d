"""One model learned by four shards, against one learner that gets all interactions."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.papers import feeds, measures
from experiments.papers.runs_and_bars import Bar, Experiment, Plot, Run, median
from experiments.people.sharded_play import Spread, sharded_play

SHARDS = 4
PUBLISHED_EVERY = 100
# What is measured is over by then, and the tables of so few people and actions are half empty.
HORIZON = 20_000
MODEL = feeds.MODEL.model_copy(update={"hash_bits": 16})
SETTINGS = {"5 x 11": (5, 11, 0.2), "100 x 11": (100, 11, 0.1), "20 x 50": (20, 50, 0.1), "5 x 200": (5, 200, 0.1)}
"""Users, actions and p_dislike: the three-state feed, and those of `scale`."""
ARRANGEMENTS: dict[str, tuple[int, Spread]] = {
    "one learner": (1, lambda t, user: 0),
    "by user": (SHARDS, lambda t, user: user % SHARDS),
    "by impression": (SHARDS, lambda t, user: t % SHARDS),
}


def run(setting: str, seed: int) -> Run:
    """Run one seed in each arrangement."""
    users, actions, p_dislike = SETTINGS[setting]
    people = feeds.three_state(seed, users=users, actions=actions, p_dislike=p_dislike)
    values = {
        name: sharded_play(
            people, MODEL, HORIZON, seed + 1_000_000_007, shards=shards, spread=spread, published_every=PUBLISHED_EVERY
        )
        for name, (shards, spread) in ARRANGEMENTS.items()
    }
    return Run(
        setting,
        seed,
        {f"t90 {name}": measures.t90(of) for name, of in values.items()},
        {name: measures.trailing_mean(of)[::100] for name, of in values.items()},
    )


def bars(_setting: str, runs: Sequence[Run]) -> list[Bar]:
    """Shards by user need no more than a tenth more interactions than one learner."""
    alone, sharded = (
        median([run.measures[f"t90 {name}"] for run in runs], "lower") for name in ("one learner", "by user")
    )
    ratio = sharded / alone if alone and sharded else None
    return [
        Bar("median t90 of four shards by user, of one learner's", "<= 1.1", ratio, ratio is not None and ratio <= 1.1)
    ]


def plots(runs: Sequence[Run]) -> list[Plot]:
    """The value of the published policy in each arrangement."""
    return [Plot("value", "Value of the published policy (best: 1).", feeds.curves(runs, list(ARRANGEMENTS), "value"))]


EXPERIMENT = Experiment(
    name="shards",
    title="One model on four workers",
    explanation="The three-state feed, at several sizes, learned by one learner and by four that each get a part of "
    "the interactions and exchange what they learned at every publication: all of a person's interactions on one "
    "shard, or each interaction on the next. Apps act by what was published last, in all three.",
    configuration=feeds.configuration(
        model=MODEL.model_dump(mode="json"),
        horizon=HORIZON,
        shards=SHARDS,
        published_every=PUBLISHED_EVERY,
        sizes={name: list(size) for name, size in SETTINGS.items()},
    ),
    settings=tuple(SETTINGS),
    run=run,
    directions={f"t90 {name}": "lower" for name in ARRANGEMENTS},
    bars=bars,
    plots=plots,
)
