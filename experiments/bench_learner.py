"""The learner's predict-and-learn loop beside VowpalWabbit's, in one process and one run."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from experiments.three_state import ThreeStateUsers
from processors.events import Action, Impression, Interaction, Source
from processors.learner import Learner
from processors.model import ModelConfig

USERS: Final = 100
MODEL: Final = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}))
BARS: Final = {11: 3.0, 200: 15.0}
"""How many times VowpalWabbit's rate the loop must reach, by the number of actions."""
ROUNDS: Final = 3


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
    learner = Learner(MODEL)
    for interaction in interactions:
        learner.probabilities(interaction.impression.context, interaction.impression.actions)
        learner.learn([interaction])


def in_batches(interactions: Sequence[Interaction], size: int = 256) -> None:
    """Learn in batches, as the worker does; the result is the same to the bit."""
    learner = Learner(MODEL)
    for begin in range(0, len(interactions), size):
        learner.learn(interactions[begin : begin + size])


def vowpal_loop(interactions: Sequence[Interaction]) -> Callable[[], None]:
    """Return VowpalWabbit's loop over the same interactions, their text built beforehand."""
    from experiments.vowpal import Vowpal, lesson, question  # noqa: PLC0415 - an extra dependency

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


def rates(loops: Sequence[tuple[Callable[[], None], int]]) -> list[float]:
    """Return the best rate of each (loop, events) of a few rounds, in events a second; they take turns."""
    best = [float("inf")] * len(loops)
    for _ in range(ROUNDS):
        for number, (loop, count) in enumerate(loops):
            begin = time.perf_counter()
            loop()
            best[number] = min(best[number], (time.perf_counter() - begin) / count)
    return [1 / seconds for seconds in best]


def bench_learner(out: Path, count: int = 6_000) -> int:
    """Measure, print and write `out`/learner.json; return 1 if a ratio is below its bar, else 0."""
    one_at_a_time(log(5, 50))  # compiles
    rows: list[dict[str, Any]] = []
    for actions in (11, 50, 200):
        interactions = log(actions, count)
        share = max(count // (actions // 11) // 3, 500)
        single, batched, peer = rates(
            [
                (partial(one_at_a_time, interactions), count),
                (partial(in_batches, interactions), count),
                (vowpal_loop(interactions[:share]), share),
            ]
        )
        bar = BARS.get(actions)
        rows.append(
            {
                "actions": actions,
                "one_at_a_time": single,
                "batches_of_256": batched,
                "vowpal_wabbit": peer,
                "ratio": single / peer,
                "bar": bar,
                "met": bar is None or single / peer >= bar,
            }
        )
    out.mkdir(parents=True, exist_ok=True)
    (out / "learner.json").write_text(json.dumps({"bench": "learner", "users": USERS, "rows": rows}, indent=1) + "\n")
    table = Table("K", "one at a time", "batches of 256", "VowpalWabbit", "ratio", "bar", title="events/s, one core")
    for row in rows:
        cells = [f"{row[name]:,.0f}" for name in ("one_at_a_time", "batches_of_256", "vowpal_wabbit")]
        least = "" if row["bar"] is None else f">= {row['bar']:g}"
        table.add_row(str(row["actions"]), *cells, f"{row['ratio']:.1f}", least)
    Console().print(table)
    return 0 if all(row["met"] for row in rows) else 1
