"""VowpalWabbit's own IGL on the same people and on the same interactions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.papers import feeds, measures
from experiments.papers.runs_and_bars import Bar, Experiment, Plot, Run, median
from experiments.people.self_play import People, Play, play

HORIZON = 20_000
EVERY = 25
"""The peer's value is looked at after so many interactions: asking it five users' policies is slow."""
SETTINGS = {f"p_dislike {p:g}": p for p in (0.05, 0.1, 0.2, 0.5)}
LEAST_RATIO = 4.0


class _Peer:
    """VowpalWabbit with the questions of these people kept as text."""

    def __init__(self, people: People) -> None:
        from experiments.papers.vowpal import Vowpal, question  # noqa: PLC0415 - an extra dependency

        self.people = people
        self.actions = [f"a{i}" for i in range(people.states.shape[1])]
        self.questions = [question(f"u{user}", self.actions) for user in range(len(people.states))]
        self.vowpal = Vowpal()

    def learn(self, user: int, chosen: int, propensity: float, signal: str) -> None:
        from experiments.papers.vowpal import lesson  # noqa: PLC0415

        self.vowpal.learn(
            lesson(
                f"u{user}",
                self.actions,
                chosen=chosen,
                propensity=propensity,
                signal=signal,
                bad=signal == "dislike",
            )
        )

    def value(self) -> float:
        """Return the mean state of the action most likely to be shown, ties averaged."""
        total = 0.0
        for user, text in enumerate(self.questions):
            shown = np.array(self.vowpal.probabilities(text))
            total += float(self.people.states[user][shown == shown.max()].mean())
        return total / len(self.questions)


def by_itself(people: People, seed: int) -> NDArray[np.float64]:
    """Let VowpalWabbit act by its own policy; return its value after each interaction."""
    peer, rng = _Peer(people), np.random.default_rng(seed)
    values = np.zeros(HORIZON)
    for t in range(HORIZON):
        user = int(rng.integers(len(people.states)))
        shown = np.array(peer.vowpal.probabilities(peer.questions[user]))
        chosen = int(rng.choice(len(shown), p=shown / shown.sum()))
        emissions = people.emissions[people.states[user, chosen] + 1]
        peer.learn(user, chosen, float(shown[chosen]), people.signals[rng.choice(len(emissions), p=emissions)])
        values[t] = peer.value() if t % EVERY == 0 else values[t - 1]
    peer.vowpal.close()
    return values


def from_log(people: People, played: Play) -> NDArray[np.float64]:
    """Give VowpalWabbit the interactions of our own run; return its value after each."""
    peer = _Peer(people)
    values = np.zeros(HORIZON)
    for t in range(HORIZON):
        peer.learn(
            int(played.users[t]),
            int(played.chosen[t]),
            float(played.propensities[t]),
            people.signals[played.signals[t]],
        )
        values[t] = peer.value() if t % EVERY == 0 else values[t - 1]
    peer.vowpal.close()
    return values


def run(setting: str, seed: int) -> Run:
    """Run ours, VowpalWabbit acting for itself, and VowpalWabbit on our interactions."""
    people = feeds.three_state(seed, p_dislike=SETTINGS[setting])
    played = play(people, feeds.MODEL, HORIZON, seed + 1_000_000_007)
    values = {
        "groundswell": played.values,
        "VowpalWabbit acting": by_itself(people, seed + 1_000_000_007),
        "VowpalWabbit on our interactions": from_log(people, played),
    }
    names = {
        "groundswell": "t90",
        "VowpalWabbit acting": "t90_acting",
        "VowpalWabbit on our interactions": "t90_log",
    }
    return Run(
        setting,
        seed,
        {names[name]: measures.t90(one) for name, one in values.items()}
        | {"value_at": {name: measures.value_at(one) for name, one in values.items()}},
        {name: measures.trailing_mean(one)[::100] for name, one in values.items()},
    )


def bars(_setting: str, runs: Sequence[Run]) -> list[Bar]:
    """The median t90 is at least four times better; a peer that never gets there counts as the horizon."""
    ours = median([run.measures["t90"] for run in runs], "lower")
    result = []
    for name, words in (("t90_acting", "acting for itself"), ("t90_log", "on our interactions")):
        theirs = median([run.measures[name] for run in runs], "lower")
        ratio = None if ours is None else (HORIZON if theirs is None else theirs) / ours
        met = ratio is not None and ratio >= LEAST_RATIO
        result.append(Bar(f"times VowpalWabbit's median t90, {words}", f">= {LEAST_RATIO:g}", ratio, met))
    return result


def plots(runs: Sequence[Run]) -> list[Plot]:
    """All curves in one figure."""
    names = ["groundswell", "VowpalWabbit acting", "VowpalWabbit on our interactions"]
    return [Plot("value", "Value of the greedy policy (best: 1).", feeds.curves(runs, names, "value"))]


EXPERIMENT = Experiment(
    name="peers",
    title="Beside VowpalWabbit",
    explanation="The three-state feed, learned by groundswell and by VowpalWabbit's --experimental_igl in the "
    "same "
    "run: once acting by its own policy on the same people, and once given our interactions with their logged "
    "propensities. A t90 that is not reached within 20,000 interactions counts as 20,000, which favours it.",
    configuration=feeds.configuration(
        horizon=HORIZON,
        p_dislike=list(SETTINGS.values()),
        vowpal="--experimental_igl --coin --cb_explore_adf --epsilon 0.2 -q UA --noconstant",
    ),
    settings=tuple(SETTINGS),
    run=run,
    directions={"t90": "lower", "t90_acting": "lower", "t90_log": "lower"},
    bars=bars,
    plots=plots,
)
