"""The learner's predict-and-learn loop beside VowpalWabbit's, in one process and one run."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.bench.result import at_least, conclude
from experiments.people.three_state import ThreeStateUsers
from groundswell.events import Action, Impression, Interaction, Source
from processors.learners.learner_choice import learner_for
from processors.models.config import ModelConfig

USERS: Final = 100
MODEL: Final = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}))
BARS: Final = {("one_at_a_time", 11): 3.5, ("one_at_a_time", 200): 12.0, ("batched", 11): 15.0}
"""How many times VowpalWabbit's rate must be reached, by the way of learning and the number of actions."""
ROUNDS: Final = 7


def log(actions: int, count: int, seed: int = 0) -> list[Interaction]:
    """Return interactions of three-state users with random play, each of objects of its own, as if decoded."""
    people = ThreeStateUsers(USERS, actions, 0.1, seed)
    rng = random.Random(seed)
    result = []
    for number in range(count):
        user, chosen = people.arrive(), rng.randrange(actions)
        impression = Impression(
            schema_version=1,
            impression_id=f"i{number}",
            occurred_at=number,
            model="feed",
            context={"user": f"u{user}"},
            actions=[Action(f"a{i}") for i in range(actions)],
            chosen=chosen,
            propensity=1 / actions,
        )
        signal = people.signal(user, chosen)
        source = Source(0, number, number)
        result.append(
            Interaction(schema_version=1, source=source, impression=impression, feedback=[], signals=[signal])
        )
    return result


def one_at_a_time(interactions: Sequence[Interaction]) -> None:
    """Decide each round by the policy of the moment, then learn it."""
    learner = learner_for(MODEL)
    for interaction in interactions:
        learner.probabilities(interaction.impression.context, interaction.impression.actions)
        learner.learn([interaction])


def in_batches(interactions: Sequence[Interaction], size: int = 256) -> None:
    """Learn in batches, as the worker does; the result is the same to the bit."""
    learner = learner_for(MODEL)
    for begin in range(0, len(interactions), size):
        learner.learn(interactions[begin : begin + size])


def vowpal_loop(interactions: Sequence[Interaction]) -> Callable[[], None]:
    """Return VowpalWabbit's loop over the same interactions, their text built beforehand."""
    from experiments.papers.vowpal import Vowpal, lesson, question  # noqa: PLC0415 - an extra dependency

    texts = []
    for interaction in interactions:
        shown = interaction.impression
        user, actions = str(shown.context["user"]), [action.id for action in shown.actions]
        signal = interaction.signals[0]
        texts.append(
            (
                question(user, actions),
                lesson(
                    user,
                    actions,
                    chosen=shown.chosen,
                    propensity=shown.chosen_propensity,
                    signal=signal,
                    bad=signal == "dislike",
                ),
            )
        )

    def loop() -> None:
        peer = Vowpal()
        for to_decide, seen in texts:
            peer.probabilities(to_decide)
            peer.learn(seen)
        peer.close()

    return loop


def seconds(loops: Sequence[tuple[Callable[[], None], int]]) -> NDArray[np.float64]:
    """Return the CPU seconds an event of each (loop, events), taking turns; shape (ROUNDS, loops).

    CPU time rather than time of day: all loops run in one thread, and neighbours come and go.
    """
    result = np.empty((ROUNDS, len(loops)))
    for turn in result:
        for number, (loop, count) in enumerate(loops):
            begin = time.process_time()
            loop()
            turn[number] = (time.process_time() - begin) / count
    return result


def measured(actions: int, count: int) -> dict[str, float]:
    """Return the median rates in events a second with so many actions, and the median ratios to VowpalWabbit."""
    interactions = log(actions, count)
    few = max(count // 12, 300)
    taken = seconds(
        [
            (partial(one_at_a_time, interactions), count),
            (partial(in_batches, interactions), count),
            (vowpal_loop(interactions[:few]), few),
        ]
    )
    rates = 1 / np.median(taken, axis=0)
    ratios = np.median(taken[:, 2:] / taken[:, :2], axis=0)
    names = ("one_at_a_time", "batches_of_256", "vowpal_wabbit", "ratio_one_at_a_time", "ratio_batched")
    return dict(zip(names, [*rates.tolist(), *ratios.tolist()], strict=True))


def bench_learner(out: Path, count: int = 24_000) -> int:
    """Measure, print and write `out`/results.json; return 1 if a ratio is below its bar, else 0.

    `count` is the number of events with 11 actions; fewer with more, and fewer for VowpalWabbit, whose
    cost does not depend on it. Ours are many enough that what a learner does once, taking its memory, does not count.
    """
    one_at_a_time(log(5, 50))  # compiles
    rows = {actions: measured(actions, max(count * 11 // actions, 3_000)) for actions in (11, 50, 200)}
    bars = [
        at_least(f"{way.replace('_', ' ')} at K = {actions}, times VowpalWabbit", least, rows[actions][f"ratio_{way}"])
        for (way, actions), least in BARS.items()
    ]
    named = {f"K = {actions}": row for actions, row in rows.items()}
    title = f"events a CPU second, medians of {ROUNDS}"
    return conclude(out, title, named, bars, bench="learner", users=USERS, rounds=ROUNDS)
