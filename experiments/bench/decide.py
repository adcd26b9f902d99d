"""How long an app waits for a decision in its own process, beside VowpalWabbit's `predict`, while policies arrive.

Ours is what an app calls: a dictionary of features and a list of actions in, a drawn action with its propensity out,
checks included. VowpalWabbit gets its text ready made, or, as an app would have to, made from the same dictionary.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from experiments.bench.result import at_least, at_most, conclude
from groundswell.client.decisions import decide
from groundswell.events import Action, Features
from groundswell.exploration import Exploration
from groundswell.policy import Policy, PolicySnapshot, Weights, decode, encode

ACTIONS: Final = [Action(f"article-{number}") for number in range(11)]
BITS: Final = 18
WEIGHTS: Final = 50_000
ROUNDS: Final = 9
POLICY_SECONDS: Final = 0.5
"""A policy of that many weights arrives as often."""
TIMES: Final = 2.0
TAIL: Final = 2.5
Decider = Callable[[Any], object]


def contexts(count: int, seed: int = 0) -> list[Features]:
    """Return contexts of ten features: texts of few and of many values, numbers, yes or no."""
    rng = random.Random(seed)
    return [
        {
            "age": rng.random(),
            "country": rng.choice(["de", "fr", "us"]),
            "device": rng.choice(["ios", "android"]),
            "hour": rng.randrange(24) / 24,
            "language": rng.choice(["de", "en"]),
            "new": rng.random() < 0.5,
            "page": f"p{rng.randrange(50)}",
            "plan": rng.choice(["free", "paid"]),
            "slot": "top",
            "user": f"u{rng.randrange(100_000)}",
        }
        for _ in range(count)
    ]


def snapshot(version: int) -> bytes:
    """Return a policy as it comes from Kafka."""
    rng = np.random.default_rng(version)
    indices = np.sort(rng.choice(1 << BITS, WEIGHTS, replace=False))
    return encode(
        PolicySnapshot(
            model="feed",
            version=version,
            parent=None,
            bits=BITS,
            context_crosses=False,
            shared_weights=False,
            exploration=Exploration("epsilon-greedy", 0.1),
            bandit=Weights(indices.tolist(), rng.normal(size=WEIGHTS).tolist()),
            inverse_kinematics=None,
            configuration="",
        )
    )


class App:
    """Decides by the policy of the moment, as `groundswell.client.Policies` does."""

    def __init__(self) -> None:
        self._arriving = [snapshot(version) for version in (1, 2)]
        self._policy = Policy(decode(self._arriving[0]))

    def __call__(self, context: Features) -> object:
        """Return a decision."""
        return decide("feed", self._policy, "policy", context, ACTIONS)

    @contextmanager
    def while_policies_arrive(self) -> Iterator[None]:
        """Let another thread take in policies."""
        ended = threading.Event()

        def follow() -> None:
            number = 0
            while not ended.wait(POLICY_SECONDS):
                number += 1
                self._policy = Policy(decode(self._arriving[number % 2]))

        follower = threading.Thread(target=follow)
        follower.start()
        try:
            yield
        finally:
            ended.set()
            follower.join()


class Peer:
    """VowpalWabbit's contextual bandit with action-dependent features, asked by its text format."""

    def __init__(self) -> None:
        from vowpalwabbit import Workspace  # noqa: PLC0415 - an extra dependency

        self._workspace = Workspace(f"--cb_explore_adf -q UA --epsilon 0.1 --quiet -b {BITS}")
        self._actions = [f"|A id={action.id}" for action in ACTIONS]
        for context in contexts(500, seed=1):  # something to predict from
            shared, first, *others = self.text(context)
            self._workspace.learn([shared, f"0:0.5:0.1 {first}", *others])

    def text(self, context: Features) -> list[str]:
        """Return the lines that ask for a decision."""
        named = " ".join(
            f"{name}:{value}" if isinstance(value, float) else f"{name}={value}" for name, value in context.items()
        )
        return [f"shared |U {named}", *self._actions]

    def predict(self, lines: list[str]) -> object:
        """Return the probabilities."""
        return self._workspace.predict(lines)

    def decide(self, context: Features) -> object:
        """Return an action drawn."""
        probabilities = self._workspace.predict(self.text(context))
        return random.choices(range(len(ACTIONS)), probabilities)[0]


def microseconds(decider: Decider, asked: Sequence[Any]) -> tuple[float, float]:
    """Return the median and the 99th percentile of the time of day that one decision takes."""
    taken = np.empty(len(asked))
    for number, one in enumerate(asked):
        begin = time.perf_counter_ns()
        decider(one)
        taken[number] = time.perf_counter_ns() - begin
    median, late = np.percentile(taken, [50, 99]) / 1000
    return float(median), float(late)


def bench_decide(out: Path, count: int = 5_000) -> int:
    """Measure, print and write `out`/results.json; return 1 if a bar is missed, else 0."""
    asked = contexts(count)
    app, peer = App(), Peer()
    lines = [peer.text(context) for context in asked]
    turns: list[tuple[str, Decider, Sequence[Any]]] = [
        ("groundswell, context to decision", app, asked),
        ("VowpalWabbit, predict from ready text", peer.predict, lines),
        ("VowpalWabbit, context to decision", peer.decide, asked),
    ]
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name, _, _ in turns}
    with app.while_policies_arrive():
        for _ in range(ROUNDS):
            for name, decider, what in turns:
                taken[name].append(microseconds(decider, what))
    ours, predict, whole = (np.array(taken[name]) for name, _, _ in turns)
    rows = {
        name: dict(zip(("median", "p99"), np.median(each, axis=0).tolist(), strict=True))
        for name, each in taken.items()
    }
    bars = [
        at_least("times as fast as VowpalWabbit's predict", TIMES, float(np.median(predict[:, 0] / ours[:, 0]))),
        at_least("times as fast, context to decision", TIMES, float(np.median(whole[:, 0] / ours[:, 0]))),
        at_most("p99 by median", TAIL, float(np.median(ours[:, 1] / ours[:, 0]))),
    ]
    title = f"microseconds a decision, K = {len(ACTIONS)}, 10 features, medians of {ROUNDS}"
    return conclude(out, title, rows, bars, bench="decide", weights=WEIGHTS, rounds=ROUNDS)
